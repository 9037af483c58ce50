"""Nights on the cluster, killed inside every step and after it, end like undisturbed ones."""

from __future__ import annotations

import time
from typing import Any

import pytest

import pipelines
from pipelines.tables import TABLES
from tests.cluster.awkward import ROWS
from tests.cluster.conftest import MakeSite, Undisturbed
from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.servers.hive import Hive
from tests.cluster.servers.spark import Spark
from tests.cluster.sites import ClusterSite, leftovers
from tests.site import DATE, LEAVES, says

pytestmark = pytest.mark.cluster


def kill_when(site: ClusterSite, pipeline: str, words: str, after: float = 0) -> bool:
    """Run the night until it says these words, and kill it; False when it never does."""
    with site.start(*site.night_command(pipeline=pipeline)) as process:
        heard = says(process, words)
        if heard:
            time.sleep(after)
            process.kill()
    return heard


def kill_all_along(site: ClusterSite, pipeline: str, server: Hive | Spark) -> None:
    """Kill a night after each of its steps, and inside the one that changes the final table."""
    steps = getattr(pipelines, pipeline).steps()
    for step in steps:
        if step.__name__.startswith(("Publish", "Compare")):
            kill_when(site, pipeline, f"running   {pipeline}.{step.__name__}(", after=1.5)
            start_again_if_blind(server, site)
        if step is not steps[-1]:
            kill_when(site, pipeline, f"{pipeline}.{step.__name__}_")
            start_again_if_blind(server, site)


def start_again_if_blind(server: Hive | Spark, site: ClusterSite) -> None:
    """A task that is cut off has been seen to leave Hive reading no rows, whoever asked.

    Its tasks run in HiveServer2's own process here; on a cluster each has one of its own.
    """
    warehouse = site.place.warehouse()
    found = warehouse.row_counts(TABLES["kpi_measurement"], [DATE])
    warehouse.close()
    if found != {DATE: ROWS}:
        server.server.stop()
        server.start()


def assert_ends_like(site: ClusterSite, pipeline: str, undisturbed: dict[str, Any]) -> None:
    site.night(pipeline=pipeline).expect(0)
    found = site.state(pipeline)
    for what, content in undisturbed.items():
        assert found[what] == content, what


@pytest.mark.parametrize("engine", ["hive", "spark"])
@pytest.mark.parametrize("pipeline", list(LEAVES))
def test_a_night_killed_inside_and_after_each_step_ends_like_an_undisturbed_one(
    request: pytest.FixtureRequest,
    site_on: MakeSite,
    undisturbed: Undisturbed,
    engine: str,
    pipeline: str,
    hdfs: Hdfs,
) -> None:
    expected = undisturbed(engine, pipeline)
    site = site_on(engine, pipeline)
    kill_all_along(site, pipeline, request.getfixturevalue(engine))
    assert_ends_like(site, pipeline, expected)
    warehouse = site.place.warehouse(orphan_seconds=0, folder=site.folder)
    for name in LEAVES[pipeline][0]:
        warehouse.sweep(TABLES[name])
    warehouse.close()
    assert leftovers(site, hdfs) == []
    assert_ends_like(site, pipeline, expected)
