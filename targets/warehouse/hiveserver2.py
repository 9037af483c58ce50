"""Write, audit, switch on Hive and Spark: a shadow table beside the table, then SET LOCATION.

A statement that outlives its client can only ever write into a directory that nobody looks at.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from targets.errors import WarehouseError
from targets.schema import Column, Table
from targets.warehouse.base import (
    Audit,
    Progress,
    Statement,
    Switched,
    Totals,
    Warehouse,
    no_progress,
    nobody_hears,
    read_totals,
    totals_sql,
)
from targets.warehouse.ddl import create_external
from targets.warehouse.tidying import VersionedTables
from targets.warehouse.versions import (
    Superseded,
    Version,
    base_of,
    new_version,
    path_of,
    shadow_name,
)


class HiveServer2Warehouse(VersionedTables, Warehouse):
    create_like: ClassVar[str] = "CREATE EXTERNAL TABLE"

    def load_file(
        self, table: Table, partition: str, path: Path, version: str, audit: Audit
    ) -> Mapping[str, Totals]:
        with self.reading_file(table, table.columns, path, version) as rows:
            value = f", {self.literal(partition)} AS {table.partitioned_by}"
            sql = f"SELECT t.*{value} FROM ({rows.sql}) t"
            return self.overwrite(table, [partition], replace(rows, sql=sql), version, audit)

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
        if not partitions:
            return {}
        wanted = [table.partition(value).value for value in partitions if table.partitioned_by]
        now = self._locations(table, wanted)
        made = self._intend(table, version, now)
        with self._shadow(table, made) as shadow:
            self._insert(shadow, wanted, select, progress)
            written = self._written(shadow, wanted)
            self._complete(shadow, [value for value in wanted if value not in written])
            audit(written)
            if in_place:
                self._copy(table, wanted, shadow, now, switched)
            else:
                self._switch(table, wanted, made, now, switched)
        if in_place:
            self._hdfs.remove_folder(path_of(made.folder))
            left = [each for each in made.superseded if ".versions/" in each.location]
            made = replace(made, superseded=left)
        self._superseded(made)
        return written

    def creation(self, table: Table) -> str:
        """The statement that creates a table, where the database keeps its tables."""
        place = self.quoted(f"{self._home}/{table.name}")
        return create_external(self.spell(table), table, place)

    def create(self, table: Table) -> None:
        self.session.run(f"creation of {table.name}", self.creation(table))

    @contextlib.contextmanager
    def reading_file(
        self, table: Table, columns: Sequence[Column], path: Path, version: str
    ) -> Iterator[Statement]:
        """A SELECT of the rows of a file that `export` wrote: checked here, read there."""
        from targets.warehouse.duckdb import as_parquet

        folder = f"{self._loads(table)}/{version}"
        loaded = Table(shadow_name(table.name, f"load-{version}"), tuple(columns))
        with tempfile.TemporaryDirectory(prefix="mnaas-") as scratch:
            parquet = Path(scratch) / "data.parquet"
            as_parquet(columns, path, parquet)
            self._hdfs.put(parquet, f"{folder}/data.parquet")
        try:
            location = f"{self._file_system(table)}/{folder}"
            create = create_external(self.spell(loaded), loaded, self.quoted(location))
            self.session.run(f"load of {path.name}", create)
            names = ", ".join(column.name for column in columns)
            yield Statement(f"load of {path.name}", f"SELECT {names} FROM {self.spell(loaded)}")
        finally:
            self._drop_quietly(loaded)
            self._hdfs.remove_folder(folder)

    @functools.cached_property
    def _home(self) -> str:
        rows = self.session.rows("database", f"DESCRIBE DATABASE {self.database}")
        # Hive answers one row, with the location third; Spark a row for each property.
        found = {str(row[0]): row[1] for row in rows}
        return str(rows[0][2] if len(rows[0]) > 2 else found["Location"])

    # Writing aside.

    def _intend(self, table: Table, name: str, now: Mapping[str, str | None]) -> Version:
        made = new_version(table.name, name, self._location(table))
        while self._hdfs.folder_exists(path_of(made.folder)):
            again = f"{name}-{secrets.token_hex(2)}"
            made = replace(made, name=again, folder=f"{made.folder.rpartition('/')[0]}/{again}")
        superseded = [Superseded(value, place) for value, place in now.items() if place]
        made = replace(made, superseded=superseded)
        self._records.intend(made)
        return made

    @contextlib.contextmanager
    def _shadow(self, table: Table, version: Version) -> Iterator[Table]:
        """A table of the same columns over the version's directory, which outlives it."""
        shadow = replace(table, name=version.shadow)
        self.session.run(
            f"shadow of {table.name}",
            f"{self.create_like} {self.spell(shadow)} LIKE {self.spell(table)} "
            f"LOCATION {self.quoted(version.folder)} "
            # A table that was made without EXTERNAL has purge, and its copy would take the files.
            "TBLPROPERTIES ('external.table.purge'='false')",
        )
        try:
            yield shadow
        except BaseException:
            self._drop_quietly(shadow)
            raise
        self._drop_shadow(shadow)

    def _insert(
        self, shadow: Table, partitions: Sequence[str], select: Statement, progress: Progress
    ) -> None:
        columns = [f"CAST({c.name} AS {c.type}) AS {c.name}" for c in shadow.columns]
        into, where = self.spell(shadow), ""
        if shadow.partitioned_by:
            columns.append(shadow.partitioned_by)
            into += f" PARTITION ({shadow.partitioned_by})"
            where = f"\nWHERE {self.where_partition(shadow, partitions)}"
        sql = f"INSERT OVERWRITE TABLE {into}\nSELECT {', '.join(columns)}\n"
        self.session.run(select.name, f"{sql}FROM (\n{select.sql}\n) rows_of_it{where}", progress)

    def _written(self, shadow: Table, partitions: Sequence[str]) -> Mapping[str, Totals]:
        if shadow.partitioned_by:
            return self.totals(shadow, partitions)
        sql = totals_sql(shadow, self.spell(shadow), "'all'")
        return read_totals(shadow, "", self.session.rows(f"totals of {shadow.name}", sql))

    def _complete(self, shadow: Table, empty: Sequence[str]) -> None:
        """A partition without rows has a directory too, or it could not be pointed at."""
        for some in self.portions(empty):
            listed = " ".join(self.partition_of(shadow, value) for value in some)
            self._alter(shadow, f"ADD IF NOT EXISTS {listed}")

    # Switching.

    def _switch(
        self,
        table: Table,
        partitions: Sequence[str],
        version: Version,
        now: Mapping[str, str | None],
        switched: Switched,
    ) -> None:
        if not table.partitioned_by:
            self.session.run(f"switch of {table.name}", self.pointing(table, "", version.folder))
            switched("")
        for some in self.portions([value for value in partitions if now[value] is None]):
            listed = " ".join(
                f"{self.partition_of(table, value)} LOCATION "
                + self.quoted(f"{version.folder}/{table.partition(value).folder}")
                for value in some
            )
            self._alter(table, f"ADD {listed}")
            for value in some:
                switched(value)
        for value in partitions:
            if now[value] is not None:
                place = f"{version.folder}/{table.partition(value).folder}"
                self.session.run(f"switch of {table.name}", self.pointing(table, value, place))
                switched(value)

    def _copy(
        self,
        table: Table,
        partitions: Sequence[str],
        shadow: Table,
        now: Mapping[str, str | None],
        switched: Switched,
    ) -> None:
        """Write the audited rows where somebody expects the files."""
        if not table.partitioned_by:
            raise WarehouseError(
                f"{table.name} has no partitions and cannot be published in place.",
                "Publish it with a switch.",
            )
        base = base_of(self._location(table))
        names = ", ".join(column.name for column in table.columns)
        for value in partitions:
            partition = self.partition_of(table, value)
            place = f"{base}/{table.partition(value).folder}"
            if now[value] is None:
                self._alter(table, f"ADD {partition}")
            elif now[value] != place:
                self._alter(table, f"{partition} SET LOCATION {self.quoted(place)}")
            self.session.run(
                f"{table.name} {value} in place",
                f"INSERT OVERWRITE TABLE {self.spell(table)} {partition}\nSELECT {names} "
                f"FROM {self.spell(shadow)} WHERE {self.where_partition(shadow, [value])}",
            )
            switched(value)
