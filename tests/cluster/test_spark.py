"""Spark keeps the contract that the embedded engine keeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from targets.warehouse.base import Warehouse
from tests.cluster.conftest import MakePlace
from tests.contracts.warehouse import TABLES, WarehouseContract

pytestmark = pytest.mark.cluster


class TestSpark(WarehouseContract):
    @pytest.fixture
    def warehouse(self, place_on: MakePlace) -> Iterator[Warehouse]:
        made = place_on("spark", TABLES).warehouse()
        yield made
        made.close()
