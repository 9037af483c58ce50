"""Hive writes, Impala is shown each partition right after its switch, and reads it back.

Without that, Impala goes on reading what was there before. So a refresh that fails is an error;
reading falls back to Hive, with a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from targets.errors import AuditError, LoginError, TransientError, WarehouseError
from targets.schema import Table
from targets.warehouse.base import (
    Audit,
    Progress,
    Reader,
    Row,
    Statement,
    Switched,
    Totals,
    Warehouse,
    no_progress,
    nobody_hears,
)
from targets.warehouse.hiveserver2 import HiveServer2Warehouse
from targets.warehouse.impala import ImpalaReader

Answer = TypeVar("Answer")


class RefreshingWarehouse(Warehouse):
    name = "hive+impala"
    most_values = HiveServer2Warehouse.most_values

    def __init__(self, writer: HiveServer2Warehouse, impala: ImpalaReader) -> None:
        super().__init__(writer.database, writer.tables)
        self._writer = writer
        self._impala = impala
        self._fresh: set[str] = set()  # tables that Impala has been shown since we connected
        self.remarks = writer.remarks

    # What readers do.

    def ping(self) -> None:
        self._writer.ping()
        self._impala.ping()

    def query(self, select: Statement) -> list[Row]:
        return self._read(select, lambda engine: engine.query(select))

    def export(self, select: Statement, path: Path, progress: Progress = no_progress) -> int:
        return self._read(select, lambda engine: engine.export(select, path, progress))

    def partitions(self, table: Table) -> list[str]:
        return self._writer.partitions(table)

    def quoted(self, text: str) -> str:
        return self._writer.quoted(text)

    def close(self) -> None:
        self._writer.close()
        self._impala.close()
        self._fresh.clear()

    def _read(self, select: Statement, ask: Callable[[Reader], Answer]) -> Answer:
        try:
            self._impala.refresh_what_is_read(select, self._fresh)
            return ask(self._impala)
        except (TransientError, LoginError, WarehouseError) as error:
            answer = ask(self._writer)
            warning = f"{select.name} was asked of Hive, for Impala failed: {error.message}"
            self.remarks.warnings.append(warning)
            return answer

    # What writers do.

    def load_file(
        self, table: Table, partition: str, path: Path, version: str, audit: Audit
    ) -> Mapping[str, Totals]:
        self._impala.ping()
        written = self._writer.load_file(table, partition, path, version, audit)
        self._show(table, partition)
        self._compare(table, [partition], written)
        return written

    def overwrite(
        self,
        table: Table,
        partitions: Sequence[str],
        select: Statement,
        version: str,
        audit: Audit,
        progress: Progress = no_progress,
        switched: Switched = nobody_hears,
        *,
        in_place: bool = False,
    ) -> Mapping[str, Totals]:
        self._impala.ping()  # or nothing is switched that it could not be shown

        def shown(value: str) -> None:
            self._show(table, value)
            switched(value)

        written = self._writer.overwrite(
            table, partitions, select, version, audit, progress, shown, in_place=in_place
        )
        self._compare(table, partitions, written)
        return written

    def drop_partitions(self, table: Table, partitions: Sequence[str]) -> None:
        if partitions:
            self._impala.ping()
            self._writer.drop_partitions(table, partitions)
            self._impala.refresh_all(table)

    def refresh(self, table: Table, partitions: Sequence[str]) -> None:
        there = set(self._writer.partitions(table))
        self._impala.refresh(table, [value for value in partitions if value in there])

    def sweep(self, table: Table) -> None:
        self._writer.sweep(table)

    def sweep_scratch(self) -> None:
        self._writer.sweep_scratch()

    def _show(self, table: Table, value: str) -> None:
        if value:
            self._impala.refresh(table, [value])
        else:
            self._impala.refresh_all(table)
        self._fresh.add(table.name)

    def _compare(
        self, table: Table, partitions: Sequence[str], written: Mapping[str, Totals]
    ) -> None:
        """Read back through Impala what the audit has seen."""
        if not table.partitioned_by:
            return
        seen = self._impala.totals(table, partitions)
        for value in partitions:
            if seen.get(value) != written.get(value):
                raise AuditError(
                    f"{table.name} {value}: Impala reads {seen.get(value)}, and Hive wrote "
                    f"{written.get(value)}.",
                    "Hive has the new rows. Look at Impala's catalogue, and rerun: the partition "
                    "is then refreshed again.",
                )
