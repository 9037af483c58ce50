"""How many statements a night takes: as the guide says, whatever the number of customers."""

from __future__ import annotations

import re

import pytest

import pipelines
from targets.marker import markers_of
from tests.cluster import counted_luigi
from tests.cluster.conftest import MakeSite
from tests.cluster.sites import LISTED, ClusterSite
from tests.site import LEAVES, REPOSITORY

pytestmark = pytest.mark.cluster
GUIDE = REPOSITORY / "docs/on-a-cluster.md"


def counted(site: ClusterSite, pipeline: str) -> tuple[int, int]:
    """The statements and the connections of a night."""
    night = site.night_command(pipeline=pipeline)[1:]
    output = site.run("python", counted_luigi.__file__, *night).expect(0).output
    found = re.search(r"^(\d+) statements, (\d+) connections$", output, re.MULTILINE)
    assert found
    return int(found[1]), int(found[2])


def documented(pipeline: str) -> int:
    found = re.search(rf"^\| {pipeline} \| (\d+) \|", GUIDE.read_text(), re.MULTILINE)
    assert found, pipeline
    return int(found[1])


@pytest.mark.parametrize("pipeline", list(LEAVES))
def test_a_night_takes_as_many_statements_as_the_guide_says(
    site_on: MakeSite, pipeline: str
) -> None:
    site = site_on("hive", pipeline)
    statements, connections = counted(site, pipeline)
    assert statements == documented(pipeline)
    assert connections <= len(getattr(pipelines, pipeline).steps())


@pytest.mark.parametrize(("engine", "each"), [("hive", 1), ("spark", 2)])
def test_each_listed_partition_costs_its_switch_and_on_spark_its_description(
    site_on: MakeSite, engine: str, each: int
) -> None:
    few, many = site_on(engine), site_on(engine)
    few.write_list(*LISTED[-2:])
    many.write_list(*LISTED[-3:])
    assert counted(many, "CustomerAggr")[0] - counted(few, "CustomerAggr")[0] == each


def test_a_year_of_markers_on_hdfs_is_one_listing(
    site_on: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_on("spark")
    store = site.on_hdfs("markers")
    folder = "CustomerAggr/04-DropStalePartitions"
    for month in range(1, 13):
        store.write(f"{folder}/2021-{month:02d}-01.0123456789ab.json", b"{}")
    asked: list[str] = []
    entries = store._entries
    monkeypatch.setattr(store, "_entries", lambda name: asked.append(name) or entries(name))
    assert len(markers_of(store, "CustomerAggr", "04-DropStalePartitions")) == 12
    assert asked == [folder]
