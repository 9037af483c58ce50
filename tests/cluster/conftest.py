"""One stack of servers for all cluster tests, in a temporary folder."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from pipelines.tables import TABLES
from targets.schema import Table
from tests.cluster.awkward import make_awkward
from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.servers.hive import Hive
from tests.cluster.servers.impala import Impala
from tests.cluster.servers.spark import Spark
from tests.cluster.sites import ClusterSite, Sample
from tests.cluster.stack import ENGINES, Place
from tests.site import Site

MakePlace = Callable[[str, Mapping[str, Table]], Place]
MakeSite = Callable[[str], ClusterSite]


@pytest.fixture(scope="session")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hdfs]:
    with Hdfs(tmp_path_factory.mktemp("hdfs")) as server:
        yield server


@pytest.fixture(scope="session")
def hive(tmp_path_factory: pytest.TempPathFactory, hdfs: Hdfs) -> Iterator[Hive]:
    with Hive(tmp_path_factory.mktemp("hive"), hdfs) as server:
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


@pytest.fixture(scope="session")
def awkward_site(sample_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample site with other sources: what engines would differ on if they could."""
    site = Site.copy_of(sample_site, tmp_path_factory.mktemp("awkward") / "site")
    make_awkward(site, seed=4)
    return site.root


@pytest.fixture(scope="session")
def sample_of(
    request: pytest.FixtureRequest,
    hdfs: Hdfs,
    awkward_site: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Sample]:
    """The sample data on an engine, loaded once."""

    @functools.cache
    def load(engine: str) -> Sample:
        server = request.getfixturevalue(engine)
        state = tmp_path_factory.mktemp("sample-state")
        place = Place.on(ENGINES[engine], server.port, hdfs, state, TABLES)
        return Sample.load(place, Site(awkward_site))

    return load


@pytest.fixture
def site_on(
    request: pytest.FixtureRequest,
    sample_of: Callable[[str], Sample],
    awkward_site: Path,
    tmp_path: Path,
) -> MakeSite:
    """A site of the test's own, by its engine; none of its nights has run."""
    numbers = itertools.count()

    def make(engine: str) -> ClusterSite:
        impala = request.getfixturevalue("impala").port if "impala" in engine else 0
        sample = sample_of(engine.partition("+")[0])
        root = tmp_path / f"site-{next(numbers)}"
        return ClusterSite.on(sample, awkward_site, root, engine, impala)

    return make
