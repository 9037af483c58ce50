from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from demo.data import EMPTIED_DAYS, Size, write_tables
from demo.files import write_backup_files, write_partition_list
from pipelines.partition_list import read_list
from pipelines.tables import TABLES
from targets.warehouse.base import Totals
from targets.warehouse.duckdb import DuckDBWarehouse
from tests.site import Site

SMALL = Size(customers=4, days=25, rows=2500)


def totals(root: Path, size: Size) -> dict[str, Mapping[str, Totals]]:
    warehouse = DuckDBWarehouse(root, "mnaas", TABLES)
    for _ in write_tables(warehouse, size):
        pass
    found = {
        name: warehouse.totals(table, warehouse.partitions(table))
        for name, table in TABLES.items()
        if table.partitioned_by
    }
    warehouse.close()
    return found


def test_the_same_seed_gives_the_same_data_and_another_gives_other(tmp_path: Path) -> None:
    one = totals(tmp_path / "one", SMALL)
    assert totals(tmp_path / "two", SMALL) == one
    other = totals(tmp_path / "other", Size(4, 25, 2500, seed=7))
    assert other["usage_trend_daily_aggr"] != one["usage_trend_daily_aggr"]


def test_every_source_table_has_rows(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path, "mnaas", TABLES)
    written = dict(write_tables(warehouse, SMALL))
    staging = {name for name in TABLES if name.endswith("_staging")}
    made_by_a_night = {"customer_invoice_summary_estimated"}
    assert set(written) == set(TABLES) - staging - made_by_a_night
    assert all(rows > 0 for rows in written.values())
    source = TABLES["usage_trend_daily_aggr"]
    assert set(EMPTIED_DAYS) <= set(warehouse.partitions(source))
    assert warehouse.row_counts(source, EMPTIED_DAYS) == {}
    warehouse.close()


def test_backup_files_have_companions_as_cksum_prints_them(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "w", "mnaas", TABLES)
    for _ in write_tables(warehouse, SMALL):
        pass
    received = 4 * 4 * 4  # customers, types, files a day
    assert received - 16 < write_backup_files(warehouse, tmp_path / "backup", SMALL) < received
    warehouse.close()
    for companion in (tmp_path / "backup").rglob("*.sem"):
        file = companion.with_suffix("")
        printed = subprocess.run(
            ["cksum", file.name], cwd=file.parent, capture_output=True, text=True, check=True
        )
        assert companion.read_text() == printed.stdout
        assert file.stat().st_size > 0


def test_the_list_has_its_oddities_and_is_read_all_the_same(tmp_path: Path) -> None:
    write_partition_list(tmp_path / "list")
    assert "WARN" in (tmp_path / "list").read_text()
    dates = ["2021-03-31", "2021-04-28", "2021-04-29", "2021-04-11", "2021-04-30"]
    assert read_list(tmp_path / "list") == dates


def test_data_of_another_size_is_not_written_over(site: Site) -> None:
    before = site.final()
    outcome = site.run("python", "-m", "demo", "--data-only", "--rows", "10")
    assert outcome.code == 1
    assert "Remove it first with: make clean" in outcome.output
    assert site.final() == before


@pytest.mark.parametrize("size", [Size(1, 1, 1), Size(2, 3, 5)])
def test_the_smallest_sizes_work(tmp_path: Path, size: Size) -> None:
    assert totals(tmp_path, size)["usage_trend_daily_aggr"]
