"""The statements that a cluster's engine would be sent, without one: for whoever reviews them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from targets.schema import Table
from targets.store.hdfs import HdfsStore
from targets.store.local import LocalStore
from targets.warehouse.base import Progress, Row, Statement, no_audit, no_progress
from targets.warehouse.driver import Access
from targets.warehouse.hiveserver2 import HiveServer2Warehouse
from targets.warehouse.session import Session
from targets.warehouse.versions import shadow_name

VERSION = "RUN_ID-ATTEMPT"
_NOWHERE = Access(hosts=(), port=0, user="")


class RehearsedSession(Session):
    """Writes statements down; answers that every table and every partition is there."""

    def __init__(self, warehouse: HiveServer2Warehouse) -> None:
        super().__init__(warehouse.name, warehouse.driver, _NOWHERE, 0)
        self.partitions: list[str] = []
        self.sent: list[str] = []

    def run(self, name: str, sql: str, progress: Progress = no_progress) -> None:  # noqa: ARG002
        self.sent.append(sql)

    def batches(
        self,
        name: str,
        sql: str,
        progress: Progress = no_progress,  # noqa: ARG002
    ) -> Iterator[Sequence[Row]]:
        self.sent.append(sql)
        if name.startswith("partitions of"):
            yield [(partition,) for partition in self.partitions]
        elif name.startswith("locations of"):
            for partition in self.partitions:
                column, _, value = partition.partition("=")
                yield [("partition values:",), (f"{column} {value}",)]
                yield [(f"location hdfs://.../{partition}",)]
        elif name.startswith("location of"):
            yield [("Location", f"hdfs://.../{name.split()[2]}")]


class RehearsedFiles(HdfsStore):
    def __init__(self) -> None:
        super().__init__("", urls=(), user="")

    def folder_exists(self, folder: str) -> bool:  # noqa: ARG002
        return False


class Rehearsal:
    """A warehouse of this kind that only says what it would do."""

    def __init__(
        self, kind: type[HiveServer2Warehouse], database: str, tables: Mapping[str, Table]
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mnaas-")
        self.warehouse = kind(
            database,
            tables,
            _NOWHERE,
            hdfs=RehearsedFiles(),
            folder="",
            records=LocalStore(Path(self._folder.name)),
        )
        self._session = RehearsedSession(self.warehouse)
        self.warehouse.session = self._session

    def close(self) -> None:
        self._folder.cleanup()

    def overwrite(self, table: Table, partitions: Sequence[str], select: Statement) -> list[str]:
        self._begin(table, partitions)
        self.warehouse.overwrite(table, partitions, select, VERSION, no_audit)
        return self._session.sent

    def load_file(self, table: Table, partition: str) -> list[str]:
        """Of a file that an earlier step wrote; here it is in the place where we put it."""
        names = ", ".join(column.name for column in table.columns)
        value = f"{self.warehouse.literal(partition)} AS {table.partitioned_by}"
        loaded = replace(table, name=shadow_name(table.name, f"load-{VERSION}"))
        rows = f"SELECT {names}, {value} FROM {self.warehouse.spell(loaded)}"
        return self.overwrite(table, [partition], Statement("load", rows))

    def drop(self, table: Table, partitions: Sequence[str]) -> list[str]:
        self._begin(table, partitions)
        self.warehouse.drop_partitions(table, partitions)
        return self._session.sent

    def _begin(self, table: Table, partitions: Sequence[str]) -> None:
        self._session.sent = []
        self._session.partitions = [table.partition(value).folder for value in partitions]
