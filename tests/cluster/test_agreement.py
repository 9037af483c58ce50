"""DuckDB, Hive, Spark, and Hive with Impala give the same tables and files, digit by digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import Undisturbed
from tests.cluster.sites import LISTED, sample_partitions
from tests.journeys.test_killed_nights import fresh
from tests.site import LEAVES, Site

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
