"""One stack of servers for all cluster tests, in a temporary folder."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

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
from tests.site import REPOSITORY, Site


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep what the servers said when a test failed."""
    if not session.testsfailed:
        return
    base = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    kept = REPOSITORY / "var/cluster-logs" / base.name
    for log in base.glob("*/*.log"):
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copy(log, kept / f"{log.parent.name}-{log.name}")


MakePlace = Callable[[str, Mapping[str, Table]], Place]
Undisturbed = Callable[[str, str], dict[str, Any]]


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
    make_awkward(site, seed=int(os.environ.get("AWKWARD_SEED", "4")))
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


class MakeSite(Protocol):
    def __call__(self, engine: str, pipeline: str = "") -> ClusterSite: ...


@pytest.fixture(scope="session")
def site_on(
    request: pytest.FixtureRequest,
    sample_of: Callable[[str], Sample],
    awkward_site: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> MakeSite:
    """A site of its own, by its engine, for nights of one pipeline; none of them has run."""

    def make(engine: str, pipeline: str = "") -> ClusterSite:
        impala = request.getfixturevalue("impala").port if "impala" in engine else 0
        sample = sample_of(engine.partition("+")[0])
        root = tmp_path_factory.mktemp("cluster") / "site"
        site = ClusterSite.on(sample, awkward_site, root, engine, impala)
        if pipeline == "MissingCustomerFiles":
            site.for_missing_files()
        return site

    return make


@pytest.fixture(scope="session")
def undisturbed(site_on: MakeSite) -> Undisturbed:
    """What a night leaves that nobody disturbs; each is run once."""

    @functools.cache
    def left(engine: str, pipeline: str) -> dict[str, Any]:
        site = site_on(engine, pipeline)
        site.night(pipeline=pipeline).expect(0)
        found = site.state(pipeline)
        assert "Did not run any tasks" in site.night(pipeline=pipeline).expect(0).output
        return found

    return left
