"""Hive with Impala's stand-in keeps the contract that the embedded engine keeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from targets.warehouse.base import Warehouse
from tests.cluster.conftest import MakePlace
from tests.cluster.servers.impala import Impala
from tests.contracts.warehouse import TABLES, WarehouseContract

pytestmark = pytest.mark.cluster


class TestHiveWithImpala(WarehouseContract):
    @pytest.fixture
    def warehouse(self, place_on: MakePlace, impala: Impala) -> Iterator[Warehouse]:
        made = place_on("hive", TABLES).with_impala(impala.port)
        yield made
        made.close()
        assert made.remarks.warnings == []  # nothing fell back to Hive
