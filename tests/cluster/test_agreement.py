"""DuckDB, Hive, Spark, and Hive with Impala give the same tables and files, digit by digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.tables import TABLES
from tests.cluster.conftest import MakeSite, Undisturbed
from tests.cluster.servers.impala import Impala
from tests.cluster.sites import LISTED, sample_partitions
from tests.journeys.test_killed_nights import fresh
from tests.site import DATE, LEAVES, Site

pytestmark = pytest.mark.cluster


def on_the_embedded_engine(awkward_site: Path, folder: Path, pipeline: str) -> dict[str, Any]:
    site = fresh(awkward_site, folder, pipeline)
    site.write_list(*LISTED)
    kept = sample_partitions(Site(awkward_site))
    warehouse = site.warehouse()
    for table in warehouse.tables.values():
        if table.partitioned_by and table.name in kept:
            there = set(warehouse.partitions(table)) - set(kept[table.name])
            warehouse.drop_partitions(table, sorted(there - {"2021-04-30"}))
    warehouse.close()
    site.night(pipeline=pipeline).expect(0)
    return site.state(pipeline)


@pytest.mark.parametrize("engine", ["hive", "spark", "hive+impala"])
@pytest.mark.parametrize("pipeline", list(LEAVES))
def test_a_night_ends_as_on_the_embedded_engine(
    undisturbed: Undisturbed, awkward_site: Path, tmp_path: Path, pipeline: str, engine: str
) -> None:
    expected = on_the_embedded_engine(awkward_site, tmp_path / "embedded", pipeline)
    found = undisturbed(engine, pipeline)
    for name, rows in expected["tables"].items():
        assert [row for row in found["tables"][name] if row not in rows][:3] == [], name
        assert found["tables"][name] == rows, name
    assert found["partitions"] == expected["partitions"]
    assert found["files"].keys() == expected["files"].keys()
    assert found["backups"] == expected["backups"]


def test_published_in_place_with_its_refresh_loop_a_night_ends_the_same(
    site_on: MakeSite, undisturbed: Undisturbed, impala: Impala
) -> None:
    pipeline = "TrafficAdhocAggr"
    expected = undisturbed("hive+impala", pipeline)
    site = site_on("hive+impala", pipeline)
    site.configure("traffic_adhoc_aggr", publish="in_place", refresh_wait_seconds=0.1)
    before = len(impala.seen)
    output = site.night(pipeline=pipeline).expect(0).output
    assert "refresh 1 of the loop failed" not in output
    assert site.state(pipeline)["tables"] == expected["tables"]
    table = TABLES[LEAVES[pipeline][0][0]]
    refreshed = [asked for asked in impala.seen[before:] if asked.startswith("REFRESH")]
    final = f"REFRESH {site.place.database}.{table.name}"
    assert final in refreshed  # the loop's, of the table as a whole
    assert any(asked.startswith(f"{final} PARTITION") for asked in refreshed)
    warehouse = site.place.warehouse()
    places = {warehouse.location(table, day) for day in warehouse.partitions(table)}
    warehouse.close()
    assert f"{site.place.folder}/{table.name}/{table.partition(DATE).folder}" in places
