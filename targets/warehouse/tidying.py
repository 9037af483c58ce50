"""What partitions point at on a cluster, what they pointed at before, and tidying up after it."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from targets.errors import MnaasError
from targets.schema import Partition, Table
from targets.store.base import FileStore
from targets.store.hdfs import HdfsStore
from targets.warehouse.driver import Access
from targets.warehouse.reader import HiveServer2Reader
from targets.warehouse.versions import (
    Superseded,
    Version,
    VersionRecords,
    base_of,
    new_version,
    path_of,
    shadow_name,
)


class VersionedTables(HiveServer2Reader):
    """`hdfs`: the whole file system, on which `folder` is ours; `records`: the state folder."""

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

    def pointing(self, table: Table, value: str, place: str) -> str:
        """The statement that lets a partition (or a table without any) point at a directory."""
        partition = f"{self.partition_of(table, value)} " if value else ""
        return f"ALTER TABLE {self.spell(table)} {partition}SET LOCATION {self.quoted(place)}"

    def versions(self, table: Table) -> list[Version]:
        """What earlier writings of the table left, the oldest first."""
        return list(self._records.of(table.name))

    def drop_partitions(self, table: Table, partitions: Sequence[str]) -> None:
        if not partitions:
            return
        base = base_of(self._location(table))
        found = self._locations(table, partitions)
        now = {value: place for value, place in found.items() if place}
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
            if place.startswith(f"{base}.versions/")
        ]
        if not superseded and not now:
            return
        made = replace(made, superseded=superseded)
        self._records.intend(made)
        for some in self.portions(sorted(now)):
            listed = ", ".join(self.partition_of(table, value) for value in some)
            self._alter(table, f"DROP IF EXISTS {listed}")
        for old, new in moves.values():
            self._hdfs.rename(path_of(old), path_of(new))
        self._superseded(made)

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
        current = self.location(table, value)
        # By its path: a NameNode may have got another name since.
        return current is not None and path_of(current) == path_of(place)

    def _superseded(self, version: Version) -> None:
        """All is switched: what it replaced is told, kept for a while, and then removed."""
        if not version.superseded:
            self._records.forget(version)
            return
        self._records.settle(version)
        for each in version.superseded:
            name = f"{version.table} {each.partition}".strip()
            self.remarks.superseded[name] = each.location

    # What the metastore says.

    def _locations(self, table: Table, partitions: Sequence[str]) -> dict[str, str | None]:
        if not table.partitioned_by:
            return {"": self._location(table)}
        there = set(self.partitions(table))
        now = self.locations(table, [value for value in partitions if value in there])
        return {value: now.get(value) for value in partitions}

    def _location(self, table: Table) -> str:
        place = self.location(table)
        assert place is not None  # only of a partition it may be
        return place

    def _file_system(self, table: Table) -> str:
        """`hdfs://host:port`, as the metastore spells it."""
        place = self._location(table)
        return place.removesuffix(f"/{path_of(place)}")

    def _alter(self, table: Table, change: str) -> None:
        self.session.run(f"switch of {table.name}", f"ALTER TABLE {self.spell(table)} {change}")

    def _drop_shadow(self, shadow: Table) -> None:
        """It is external and without purge: its files stay."""
        self.session.run(f"drop of {shadow.name}", f"DROP TABLE IF EXISTS {self.spell(shadow)}")

    def _drop_quietly(self, shadow: Table) -> None:
        """What stays is swept later; the error on its way says what happened."""
        with contextlib.suppress(MnaasError):
            self._drop_shadow(shadow)

    def _loads(self, table: Table) -> str:
        return f"{self._folder}/loads/{table.name}"
