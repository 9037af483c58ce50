"""One stack of servers for all cluster tests, in a temporary folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from targets.schema import Table
from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.servers.hive import Hive
from tests.cluster.servers.impala import Impala
from tests.cluster.servers.spark import Spark
from tests.cluster.stack import ENGINES, Place

MakePlace = Callable[[str, Mapping[str, Table]], Place]


@pytest.fixture(scope="session")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hdfs]:
    with Hdfs(tmp_path_factory.mktemp("hdfs")) as server:
        yield server


@pytest.fixture(scope="session")
def hive(tmp_path_factory: pytest.TempPathFactory, hdfs: Hdfs) -> Iterator[Hive]:
    with Hive(tmp_path_factory.mktemp("hive"), hdfs, {}) as server:
        yield server


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory, hdfs: Hdfs) -> Iterator[Spark]:
    with Spark(tmp_path_factory.mktemp("spark"), hdfs) as server:
        yield server


@pytest.fixture(scope="session")
def impala(hive: Hive, hdfs: Hdfs) -> Iterator[Impala]:
    with Impala(hive, hdfs) as server:
        yield server


@pytest.fixture
def place_on(request: pytest.FixtureRequest, hdfs: Hdfs, tmp_path: Path) -> MakePlace:
    """A database of the test's own on an engine, by its name."""

    def make(engine: str, tables: Mapping[str, Table]) -> Place:
        server = request.getfixturevalue(engine)
        return Place.on(ENGINES[engine], server.port, hdfs, tmp_path / "state", tables)

    return make
