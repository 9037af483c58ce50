"""What Hive, Spark and Impala share: a session, Hive's spelling, how tables are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from targets.errors import MissingPartitionError, MissingTableError, WarehouseError
from targets.schema import Partition, Table
from targets.store.local import errors_named
from targets.warehouse.base import Progress, Reader, Row, Statement, no_progress
from targets.warehouse.delimited import lines
from targets.warehouse.described import Described, read_description
from targets.warehouse.driver import Access, Driver
from targets.warehouse.session import Session


class HiveServer2Reader(Reader):
    driver: ClassVar[type[Driver]]
    # With some 600 values in an IN, Hive's metastore overflows its stack ("Error running query").
    most_values = 200

    def __init__(
        self,
        database: str,
        tables: Mapping[str, Table],
        access: Access,
        *,
        deadline_seconds: float = 3600,
    ) -> None:
        super().__init__(database, tables)
        self.session = Session(self.name, self.driver, access, deadline_seconds)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.session.access.hosts)})"

    def ping(self) -> None:
        self.session.rows("ping", "SELECT 1")

    def query(self, select: Statement) -> list[Row]:
        return self.session.rows(select.name, select.sql)

    def export(self, select: Statement, path: Path, progress: Progress = no_progress) -> int:
        count = 0
        with errors_named(str(path)), path.open("w", encoding="utf-8") as out:
            for batch in self.session.batches(select.name, select.sql, progress):
                out.write(lines(batch))
                count += len(batch)
        return count

    def partitions(self, table: Table) -> list[str]:
        if not table.partitioned_by:
            return []
        sql = f"SHOW PARTITIONS {self.spell(table)}"
        rows = self.session.rows(f"partitions of {table.name}", sql)
        return sorted(Partition.from_folder(str(folder)).value for (folder,) in rows)

    def location(self, table: Table, value: str = "") -> str | None:
        """Where a table's rows are, or those of one of its partitions; None when it has it not."""
        sql = f"DESCRIBE FORMATTED {self.spell(table)}"
        if value:
            sql += f" {self.partition_of(table, value)}"
        try:
            rows = self.session.rows(f"location of {table.name} {value}".strip(), sql)
        except MissingPartitionError:
            return None
        for name, place, *_ in rows:
            if str(name).strip().rstrip(":") == "Location":
                return str(place).strip()
        raise WarehouseError(
            f"{self.name} does not say where {self.spell(table)} {value} is.", "Is it a view?"
        )

    def locations(self, table: Table, values: Sequence[str]) -> Mapping[str, str | None]:
        """Where each of these partitions is."""
        return {value: self.location(table, value) for value in values}

    def describe(self, table: Table) -> Described | None:
        """What the engine has under a table's name; None when it has nothing."""
        sql = f"DESCRIBE FORMATTED {self.spell(table)}"
        try:
            return read_description(self.session.rows(f"description of {table.name}", sql))
        except MissingTableError:
            return None

    def close(self) -> None:
        self.session.close()

    def partition_of(self, table: Table, value: str) -> str:
        partition = table.partition(value)
        return f"PARTITION ({partition.column}={self.quoted(value)})"

    def quoted(self, text: str) -> str:
        doubled = super().quoted(text.replace("\\", "\\\\"))  # refuses what has no spelling
        return "'" + doubled[1:-1].replace("''", "\\'") + "'"
