"""The sample data of the embedded engine, on a cluster's."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from targets.schema import Table
from targets.warehouse.base import Reader, Statement, no_audit
from targets.warehouse.hiveserver2 import HiveServer2Warehouse


def copy_tables(
    source: Reader,
    target: HiveServer2Warehouse,
    partitions: Mapping[str, Collection[str]],
    version: str,
) -> Iterator[tuple[str, int]]:
    """Copy these partitions of these tables ([""] of one without); how many rows each has."""
    for name, values in partitions.items():
        table = source.table(name)
        if values:
            yield name, _copy(source, target, table, sorted(values), version)


def _copy(
    source: Reader, target: HiveServer2Warehouse, table: Table, values: list[str], version: str
) -> int:
    where = f" WHERE {source.where_partition(table, values)}" if table.partitioned_by else ""
    columns = ", ".join(column.name for column in table.all_columns)
    read = frozenset(values) if table.partitioned_by else None
    sql = f"SELECT {columns} FROM {source.spell(table)}{where}"
    with tempfile.TemporaryDirectory(prefix="mnaas-") as folder:
        file = Path(folder) / "rows"
        source.export(Statement(table.name, sql, {table.name: read}), file)
        with target.reading_file(table, table.all_columns, file, version) as rows:
            written = target.overwrite(table, values, rows, version, no_audit)
    return sum(totals.rows for totals in written.values())
