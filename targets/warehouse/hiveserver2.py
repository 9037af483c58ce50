"""Write, audit, switch on Hive and Spark: a shadow table beside the table, then SET LOCATION.

A statement that outlives its client can only ever write into a directory that nobody looks at.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from targets.errors import MnaasError, WarehouseError
from targets.schema import Column, Partition, Table
from targets.store.base import FileStore
from targets.store.hdfs import HdfsStore
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
from targets.warehouse.reader import HiveServer2Reader
from targets.warehouse.session import Access
from targets.warehouse.versions import (
    Superseded,
    Version,
    VersionRecords,
    base_of,
    new_version,
    path_of,
    shadow_name,
)


class HiveServer2Warehouse(HiveServer2Reader, Warehouse):
    """`hdfs`: the whole file system, on which `folder` is ours; `records`: the state folder."""

    create_like: ClassVar[str] = "CREATE EXTERNAL TABLE"

    def __init__(
        self,
        database: str,
        tables: Mapping[str, Table],
        access: Access,
        *,
        hdfs: HdfsStore,
        folder: str,
        records: FileStore,
        keep_versions_days: float = 7,
        deadline_seconds: float = 3600,
        orphan_seconds: float | None = None,
    ) -> None:
        super().__init__(database, tables, access, deadline_seconds=deadline_seconds)
        self._hdfs = hdfs
        self._folder = folder.strip("/")
        self._records = VersionRecords(records)
        self._keep_seconds = keep_versions_days * 86400
        # A statement may go on when its client is gone: not before it is surely over.
        self._orphan_seconds = 2 * deadline_seconds if orphan_seconds is None else orphan_seconds

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
            self._records.forget(made)
        else:
            self._records.settle(made)
            for each in made.superseded:
                self.remarks.superseded[f"{table.name} {each.partition}".strip()] = each.location
        return written

    def drop_partitions(self, table: Table, partitions: Sequence[str]) -> None:
        if not partitions:
            return
        base = base_of(self._location(table))
        there = set(self.partitions(table))
        now = {value: self.location(table, value) for value in partitions if value in there}
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        made = new_version(table.name, f"dropped-{stamp}-{secrets.token_hex(2)}", base)
        # Where the rows would be found again by whoever adds the partition: away with them.
        moves = {}
        for value in partitions:
            folder = table.partition(value).folder
            if self._hdfs.folder_exists(path_of(f"{base}/{folder}")):
                moves[value] = (f"{base}/{folder}", f"{made.folder}/{folder}")
        superseded = [Superseded(value, new) for value, (_, new) in moves.items()]
        superseded += [
            Superseded(value, place)
            for value, place in now.items()
            if place and place.startswith(f"{base}.versions/")
        ]
        if not superseded and not now:
            return
        made = replace(made, superseded=superseded)
        self._records.intend(made)
        for some in self.portions(sorted(now)):
            listed = ", ".join(self.partition_of(table, value) for value in some)
            self._alter(table, f"DROP IF EXISTS {listed}")
        for old, new in moves.values():
            self._hdfs.move_folder(path_of(old), path_of(new))
        self._records.settle(made)
        for each in superseded:
            self.remarks.superseded[f"{table.name} {each.partition}"] = each.location

    def sweep(self, table: Table) -> None:
        for loaded in self._hdfs.old_folders(self._loads(table), self._orphan_seconds):
            self._drop_shadow(replace(table, name=shadow_name(table.name, f"load-{loaded}")))
            self._hdfs.remove_folder(f"{self._loads(table)}/{loaded}")
        now = time.time()
        records = list(self._records.of(table.name))
        for version in records:
            if not version.settled and now - version.begun > self._orphan_seconds:
                self._clear_orphan(table, version, records)
            elif version.settled and now - version.begun > self._keep_seconds:
                self._remove_superseded(table, version)

    def creation(self, table: Table) -> str:
        """The statement that creates a table, where the database keeps its tables."""
        rows = self.session.rows("database", f"DESCRIBE DATABASE {self.database}")
        cells = [str(cell) for row in rows for cell in row]
        home = next((cell for cell in cells if "://" in cell or cell.startswith("/")), "")
        place = self.quoted(f"{home}/{table.name}") if home else ""
        return create_external(self.spell(table), table, place)

    def create(self, table: Table) -> None:
        self.session.run(f"creation of {table.name}", self.creation(table))

    def pointing(self, table: Table, value: str, place: str) -> str:
        """The statement that lets a partition (or a table without any) point at a directory."""
        partition = f"{self.partition_of(table, value)} " if value else ""
        return f"ALTER TABLE {self.spell(table)} {partition}SET LOCATION {self.quoted(place)}"

    def versions(self, table: Table) -> list[Version]:
        """What earlier writings of the table left, the oldest first."""
        return list(self._records.of(table.name))

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

    def _loads(self, table: Table) -> str:
        return f"{self._folder}/loads/{table.name}"

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

    def _drop_shadow(self, shadow: Table) -> None:
        """It is external and without purge: its files stay."""
        self.session.run(f"drop of {shadow.name}", f"DROP TABLE IF EXISTS {self.spell(shadow)}")

    def _drop_quietly(self, shadow: Table) -> None:
        """What stays is swept later; the error on its way says what happened."""
        with contextlib.suppress(MnaasError):
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

    def _alter(self, table: Table, change: str) -> None:
        self.session.run(f"switch of {table.name}", f"ALTER TABLE {self.spell(table)} {change}")

    # What the metastore says.

    def _locations(self, table: Table, partitions: Sequence[str]) -> dict[str, str | None]:
        if not table.partitioned_by:
            return {"": self._location(table)}
        there = set(self.partitions(table))
        return {
            value: self.location(table, value) if value in there else None for value in partitions
        }

    def _location(self, table: Table) -> str:
        place = self.location(table)
        if place is None:
            raise WarehouseError(
                f"{self.name} does not say where {self.spell(table)} is.", "Is it a view?"
            )
        return place

    def _file_system(self, table: Table) -> str:
        """`hdfs://host:port`, as the metastore spells it."""
        place = self._location(table)
        return place.removesuffix(f"/{path_of(place)}")

    # Sweeping.

    def _clear_orphan(self, table: Table, version: Version, records: Sequence[Version]) -> None:
        """What a killed run wrote and did not switch; what it did switch stays."""
        named = {each.location for record in records for each in record.superseded}
        self._drop_shadow(replace(table, name=version.shadow))
        places = [version.folder]
        if table.partitioned_by:
            folders = self._hdfs.folders(path_of(version.folder))
            places = [f"{version.folder}/{folder}" for folder in folders]
        for place in places:
            if place not in named and not self._points_at(table, place):
                self._hdfs.remove_folder(path_of(place))
        self._hdfs.remove_if_empty(path_of(version.folder))
        self._records.settle(version)

    def _remove_superseded(self, table: Table, version: Version) -> None:
        base = base_of(self._location(table))
        for each in version.superseded:
            ours = each.location.startswith((f"{base}/", f"{base}.versions/"))
            if ours and not self._points_at(table, each.location):
                self._hdfs.remove_folder(path_of(each.location))
            above = each.location.rpartition("/")[0]
            if above.startswith(f"{base}.versions/"):
                self._hdfs.remove_if_empty(path_of(above))
        self._records.forget(version)

    def _points_at(self, table: Table, place: str) -> bool:
        """Asked of the metastore immediately before something is removed."""
        value = ""
        if table.partitioned_by:
            value = Partition.from_folder(place.rpartition("/")[2]).value
        return self.location(table, value) == place
