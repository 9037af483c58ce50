from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from targets.errors import DeadlineError, StatementError, WarehouseError
from targets.warehouse.base import Statement, Warehouse, no_audit
from targets.warehouse.duckdb import DuckDBWarehouse
from tests.contracts.warehouse import SALES, TABLES, WarehouseContract, values

ENDLESS = Statement(
    "endless", "SELECT SUM(a.range * b.range) FROM range(1e7::INT) a, range(1e6::INT) b"
)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    made = DuckDBWarehouse(tmp_path / "w", "mnaas", TABLES)
    yield made
    made.close()


class TestDuckDB(WarehouseContract):
    @pytest.fixture
    def warehouse(self, tmp_path: Path) -> Iterator[Warehouse]:
        made = DuckDBWarehouse(tmp_path / "w", "mnaas", TABLES)
        yield made
        made.close()


def test_a_statement_is_stopped_at_its_deadline(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path, "mnaas", TABLES, deadline_seconds=0.3)
    started = time.monotonic()
    with pytest.raises(DeadlineError, match="endless was stopped"):
        warehouse.query(ENDLESS)
    assert time.monotonic() - started < 10
    warehouse.close()


def test_long_work_reports_its_progress(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path, "mnaas", TABLES, deadline_seconds=1.5)
    seen: list[float] = []
    with pytest.raises(DeadlineError):
        warehouse.export(ENDLESS, tmp_path / "f", lambda fraction, _: seen.append(fraction))
    assert seen
    assert all(0 <= fraction <= 1 for fraction in seen)
    warehouse.close()


def test_memory_is_limited(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path, "mnaas", TABLES, memory_limit="50MB")
    big = Statement("big", "SELECT list(range) FROM range(30000000)")
    with pytest.raises(StatementError, match=r"Raise .warehouse. memory_limit"):
        warehouse.query(big)
    warehouse.close()


def test_a_foreign_file_in_a_partition_is_refused_by_name(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    row = values("(1, 'a', 1, 'd')")
    warehouse.overwrite(SALES, ["d"], row, "v", no_audit)
    folder = tmp_path / "w/mnaas/sales/day=d"
    (folder / "part-1.parquet").write_bytes((folder / "data.parquet").read_bytes())
    with pytest.raises(WarehouseError, match=r"part-1\.parquet is not ours"):
        warehouse.overwrite(SALES, ["d"], row, "v", no_audit)


def test_files_of_other_writers_are_read_and_hidden_ones_not(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    warehouse.overwrite(SALES, ["d"], values("(1, 'a', 1, 'd')"), "v", no_audit)
    folder = tmp_path / "w/mnaas/sales/day=d"
    for name in ("part-1.parquet", "_part.parquet", ".part.parquet", "notes.txt"):
        (folder / name).write_bytes((folder / "data.parquet").read_bytes())
    assert warehouse.row_counts(SALES, ["d"]) == {"d": 2}


def test_files_and_folders_are_not_for_everybody(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    warehouse.overwrite(SALES, ["d"], values("(1, 'a', 1, 'd')"), "v", no_audit)
    for path in (tmp_path / "w").rglob("*"):
        assert path.stat().st_mode & 0o007 == 0, path


def test_a_dead_process_leaves_no_scratch_behind(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.contracts.warehouse import TABLES\n"
        "from targets.warehouse.duckdb import DuckDBWarehouse\n"
        "w = DuckDBWarehouse(Path(sys.argv[1]), 'mnaas', TABLES); w.ping()\n"
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert len(os.listdir(tmp_path / ".scratch")) == 1
    living = DuckDBWarehouse(tmp_path, "mnaas", TABLES)
    living.ping()
    living.sweep_scratch()
    assert len(os.listdir(tmp_path / ".scratch")) == 1  # the living one's own
    living.close()
    assert os.listdir(tmp_path / ".scratch") == []


WRITER = """
import sys
from pathlib import Path
from targets.warehouse.duckdb import DuckDBWarehouse
from tests.contracts.warehouse import SALES, TABLES, no_audit
from targets.warehouse.base import Statement

warehouse = DuckDBWarehouse(Path(sys.argv[1]), "mnaas", TABLES, threads=1)
for number in range(500):
    rows = 100 + number % 2
    sql = f"SELECT range AS id, 'n' AS name, {number} AS amount, day FROM range({rows}), "
    sql += "(VALUES ('d1'), ('d2')) AS days(day)"
    warehouse.overwrite(SALES, ["d1", "d2"], Statement("w", sql), f"v{number}", no_audit)
print("published 500")
"""


def test_a_reader_sees_old_rows_or_new_ones_through_500_publishes(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path, "mnaas", TABLES, threads=1)
    sql = "SELECT day, COUNT(*), MIN(amount), MAX(amount) FROM mnaas.sales GROUP BY day"
    poll = Statement("poll", sql, {"sales": None})
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        while warehouse.partitions(SALES) != ["d1", "d2"]:
            assert writer.poll() is None
            time.sleep(0.01)
        seen = set()
        polls = 0
        while writer.poll() is None:
            found = warehouse.query(poll)
            assert sorted(row[0] for row in found) == ["d1", "d2"]
            for _day, count, least, most in found:
                assert least == most
                assert count == 100 + int(least) % 2
                seen.add(least)
            polls += 1
        assert writer.stdout
        assert writer.stdout.read() == "published 500\n"
    assert polls > 100
    assert len(seen) > 50
    warehouse.close()
