"""The missing-files report: two queries, against one for each process and customer."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from benchmarks.figures import Figure, paired, timed
from pipelines.missing_customer_files.tasks import CompareKpis, MissingCustomerFiles
from pipelines.stored import Night
from pipelines.tables import TABLES
from targets.warehouse.base import Row, Statement
from targets.warehouse.duckdb import DuckDBWarehouse

PROCESSES = ("traffic", "actives", "activations", "tolling")
CUSTOMERS = 500
DAY = "2021-04-30"
KPIS, RECEIVED, COUNTED = (
    "kpi_measurement",
    "telena_file_record_count",
    "customers_files_records_count",
)


class CountingWarehouse(DuckDBWarehouse):
    asked = 0

    def query(self, select: Statement) -> list[Row]:
        self.asked += 1
        return super().query(select)


def measure_missing(folder: Path) -> list[Figure]:
    few, many = _filled(folder / "few", 10), _filled(folder / "many", CUSTOMERS)
    counts = []
    for warehouse in (few, many):
        _compare(warehouse)
        counts.append(warehouse.asked)
    return [
        Figure("queries for 500 customers, and for 10", counts[1], counts[0], 1.0, "", "10"),
        paired(
            "  both queries for 4 processes x 500 customers",
            lambda: timed(lambda: _compare(many)),
            lambda: timed(lambda: _one_by_one(many)),
            None,
            "one query per process and customer",
            pairs=1,
        ),
    ]


def _filled(root: Path, customers: int) -> CountingWarehouse:
    warehouse = CountingWarehouse(root, "mnaas", TABLES)
    names = (
        f"(SELECT 'customer_' || c AS customer, unnest({list(PROCESSES)}) AS process_name "
        f"FROM range({customers}) AS customers(c))"
    )
    files = (
        f"SELECT '' AS filename, customer, customer || '_' || n AS customer_filename, "
        f"1 AS record_count, process_name, '{DAY}' AS file_date FROM {names}, range(4) AS files(n)"
    )
    for name, sql in (
        (
            KPIS,
            f"SELECT *, unnest(['File Received', 'File Generated']) AS kpi_name, 4 AS kpi_value, "
            f"'{DAY}' AS file_date FROM {names}",
        ),
        (RECEIVED, files),
        (
            COUNTED,
            f"SELECT *, '' AS file_timestamp, 1 AS file_size, '' AS checksum, '' AS checksum_name "
            f"FROM ({files}) WHERE hash(customer_filename) % 50 > 0",
        ),
    ):
        warehouse.overwrite(TABLES[name], [DAY], Statement(name, sql), "bench", lambda _: None)
    return warehouse


def _compare(warehouse: CountingWarehouse) -> None:
    entry = MissingCustomerFiles(date=date.fromisoformat(DAY))
    step = entry.step(CompareKpis, Night((DAY,), "bench"))
    assert isinstance(step, CompareKpis)
    step.warehouse = warehouse
    assert step.compare().cells


def _one_by_one(warehouse: CountingWarehouse) -> None:
    """As the legacy loops do, but without starting a program for each."""
    reads = {name: frozenset([DAY]) for name in (RECEIVED, COUNTED)}
    for process in PROCESSES:
        for number in range(CUSTOMERS):
            chosen = (
                f"WHERE process_name = '{process}' AND customer = 'customer_{number}' "
                f"AND file_date = '{DAY}'"
            )
            sql = (
                f"SELECT customer_filename FROM mnaas.{RECEIVED} {chosen} EXCEPT "
                f"SELECT customer_filename FROM mnaas.{COUNTED} {chosen}"
            )
            warehouse.query(Statement("one", sql, reads))
