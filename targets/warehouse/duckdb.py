"""The embedded engine: DuckDB over a folder of Parquet.

A DuckDB *file* admits one process at a time and cron starts five, so there is none: the connection
is in memory. DuckDB opens a Parquet file two or three times by its path within one query, so a
query shares a lock with the other readers of its tables; a switch has it alone for milliseconds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from targets.errors import DiskFullError, LostConnectionError, StatementError
from targets.schema import Column, Table
from targets.store.local import errors_named, make_folder
from targets.warehouse.base import (
    Audit,
    Progress,
    Row,
    Statement,
    Switched,
    Totals,
    Warehouse,
    no_progress,
    nobody_hears,
    read_totals,
    totals_sql,
)
from targets.warehouse.parquet import FILE, ParquetFolder
from targets.warehouse.scratch import ScratchFolder, sweep_scratch
from targets.warehouse.watch import watched

if TYPE_CHECKING:
    import duckdb

# Small row groups: a night's dates lie together in its staging file, and publishing one of them
# then reads few rows besides its own (30 of 90,000 rows: 0.15 s instead of 0.25 s).
_ROW_GROUP = 20480
_TYPES = {"STRING": "VARCHAR"}


class DuckDBWarehouse(Warehouse):
    name = "duckdb"

    def __init__(
        self,
        root: Path,
        database: str,
        tables: Mapping[str, Table],
        *,
        memory_limit: str = "1GB",
        threads: int = 2,
        deadline_seconds: float = 3600,
    ) -> None:
        super().__init__(database, tables)
        self.root = root
        self._memory_limit = memory_limit
        self._threads = threads
        self._deadline_seconds = deadline_seconds
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._parquet = ParquetFolder(root, database, deadline_seconds)
        self._scratch = ScratchFolder(root / ".scratch")

    def __repr__(self) -> str:
        return f"DuckDBWarehouse({str(self.root)!r})"

    # What readers do.

    def ping(self) -> None:
        self.query(Statement("ping", "SELECT 1"))

    def query(self, select: Statement) -> list[Row]:
        with self._reading(select):
            return self._execute(select.name, select.sql)

    def export(self, select: Statement, path: Path, progress: Progress = no_progress) -> int:
        options = "FORMAT csv, DELIMITER ';', HEADER false, NULLSTR '\\N', QUOTE '\"', ESCAPE '\"'"
        options += ", USE_TMP_FILE false"  # the caller's file is the temporary one
        copy = f"COPY ({select.sql}\n) TO {self.quoted(str(path))} ({options})"
        with self._reading(select):
            return int(self._execute(select.name, copy, progress)[0][0])

    def partitions(self, table: Table) -> list[str]:
        with errors_named(str(self._parquet.folder(table))):
            return self._parquet.partitions(table)

    # What writers do; they hold the table's lock.

    def load_file(
        self, table: Table, partition: str, path: Path, version: str, audit: Audit
    ) -> Mapping[str, Totals]:
        rows = f"SELECT *, {self.literal(partition)} AS {table.partitioned_by} FROM "
        rows += _delimited(table.columns, path)
        load = Statement(f"load of {path.name}", rows)
        return self.overwrite(table, [partition], load, version, audit)

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
        in_place: bool = False,  # noqa: ARG002  a switch puts the file where it always is
    ) -> Mapping[str, Totals]:
        if not partitions:
            return {}
        aside = self._parquet.aside(table, version)
        with errors_named(str(self._parquet.folder(table))):
            self._parquet.refuse_foreign_files(table, partitions)
            try:
                self._write_aside(table, partitions, select, aside, progress)
                written = self._totals_aside(table, partitions, aside)
                audit(written)
                self._parquet.switch(table, partitions, aside)
                for value in partitions:
                    switched(value)
            finally:
                self._parquet.clear(aside)
        return written

    def drop_partitions(self, table: Table, partitions: Sequence[str]) -> None:
        with errors_named(str(self._parquet.folder(table))):
            if partitions:
                self._parquet.drop(table, partitions)

    def sweep(self, table: Table) -> None:
        self._parquet.sweep(table)

    def sweep_scratch(self) -> None:
        sweep_scratch(self.root / ".scratch")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._scratch.close()

    def _write_aside(
        self,
        table: Table,
        partitions: Sequence[str],
        select: Statement,
        aside: Path,
        progress: Progress,
    ) -> None:
        columns = ", ".join(f"CAST({c.name} AS {_type(c)}) AS {c.name}" for c in table.columns)
        with self._reading(select):
            for done, value in enumerate(partitions, start=1):
                file = self._parquet.place(table, value, aside) / FILE
                make_folder(file.parent)
                rows = f"SELECT {columns} FROM ({select.sql}\n) AS rows"
                if table.partitioned_by:
                    rows += f" WHERE {self.where_partition(table, [value])}"
                options = f"FORMAT parquet, USE_TMP_FILE false, ROW_GROUP_SIZE {_ROW_GROUP}"
                copy = f"COPY ({rows}) TO {self.quoted(str(file))} ({options})"
                self._execute(select.name, copy)
                self._parquet.keep(file)
                progress(done / len(partitions), f"{table.name} {value} written")

    def _totals_aside(
        self, table: Table, partitions: Sequence[str], aside: Path
    ) -> Mapping[str, Totals]:
        files = [self._parquet.place(table, value, aside) / FILE for value in partitions]
        by = table.partitioned_by or "'all'"
        rows = self._execute(
            f"audit of {table.name}", totals_sql(table, f"({self._scan(table, files)}) AS rows", by)
        )
        return read_totals(table, by, rows)

    # The connection, and what it sees.

    def _connect(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            import duckdb

            self._connection = duckdb.connect(
                ":memory:",
                config={
                    "memory_limit": self._memory_limit,
                    "threads": self._threads,
                    "temp_directory": str(self._scratch.open()),
                    "preserve_insertion_order": False,
                },
            )
            self._connection.execute(f"CREATE SCHEMA {self.database}")
        return self._connection

    def _execute(self, name: str, sql: str, progress: Progress = no_progress) -> list[Row]:
        with _errors(name, sql):
            connection = self._connect()
            with watched(
                name,
                self._deadline_seconds,
                connection.interrupt,
                connection.query_progress,
                progress,
            ):
                rows: list[Row] = connection.execute(sql).fetchall()
                return rows

    @contextlib.contextmanager
    def _reading(self, select: Statement) -> Iterator[None]:
        """Hold the tables of a statement still, and show them to the connection as views."""
        with contextlib.ExitStack() as held:
            for name in sorted(select.reads):
                table = self.table(name)
                held.enter_context(self._parquet.lock(name).reading())
                scan = self._scan(table, self._parquet.files(table, select.reads[name]))
                self._execute(name, f"CREATE OR REPLACE VIEW {self.spell(table)} AS {scan}")
            yield

    def _scan(self, table: Table, files: Sequence[Path]) -> str:
        """A SELECT over files, with the declared types even when there is no file."""
        columns = ", ".join(
            f"CAST({c.name if files else 'NULL'} AS {_type(c)}) AS {c.name}"
            for c in table.all_columns
        )
        if not files:
            return f"SELECT {columns} WHERE false"
        paths = ", ".join(self.quoted(str(file)) for file in files)
        hive = (
            f", hive_partitioning = true, hive_types = {{'{table.partitioned_by}': VARCHAR}}"
            if table.partitioned_by
            else ""
        )
        return f"SELECT {columns} FROM read_parquet([{paths}]{hive})"


def as_parquet(columns: Sequence[Column], text: Path, parquet: Path) -> None:
    """The rows of a file that `export` wrote, checked and typed, as Parquet."""
    import duckdb

    options = "FORMAT parquet, USE_TMP_FILE false"
    copy = f"COPY (FROM {_delimited(columns, text)}) TO {_quoted(parquet)} ({options})"
    with _errors(f"load of {text.name}", copy), duckdb.connect(":memory:") as connection:
        connection.execute(copy)


def _delimited(columns: Sequence[Column], path: Path) -> str:
    types = ", ".join(f"'{column.name}': '{_type(column)}'" for column in columns)
    return (
        f"read_csv({_quoted(path)}, auto_detect = false, header = false, delim = ';', "
        f"nullstr = '\\N', quote = '\"', escape = '\"', allow_quoted_nulls = false, "
        f"columns = {{{types}}})"
    )


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _type(column: Column) -> str:
    return _TYPES.get(column.type, column.type)


@contextlib.contextmanager
def _errors(name: str, sql: str) -> Iterator[None]:
    """Turn DuckDB's errors into ours: its first line, the statement shortened."""
    import duckdb

    try:
        yield
    except duckdb.IOException as error:
        if "No space left" in str(error):
            raise DiskFullError(
                f"{name}: no space left on the device.",
                "Nothing was published. Free some space and rerun.",
            ) from error
        raise LostConnectionError(
            f"{name}: {_first_line(error)}", "A file changed or vanished while it was read."
        ) from error
    except duckdb.OutOfMemoryException as error:
        raise StatementError(
            f"{name}: {_first_line(error)}", "Raise [warehouse] memory_limit and rerun."
        ) from error
    except duckdb.Error as error:
        shortened = " ".join(sql.split())[:200]
        raise StatementError(
            f"{name}: {_first_line(error)}", f"The statement: {shortened}"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n\n")[0].replace("\n", "; ")[:300]
