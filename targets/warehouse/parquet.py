"""A folder of Parquet laid out as Hive does it: what lies where, and how it is put in place.

`<root>/<database>/<table>/<partition>=<value>/data.parquet`. New files are written aside, in
`<table>.versions/`, and switched by rename.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from targets.errors import WarehouseError
from targets.locks import SwitchLock
from targets.schema import Partition, Table
from targets.store.local import FILE_MODE, make_folder, sync

FILE = "data.parquet"


class ParquetFolder:
    def __init__(self, root: Path, database: str, lock_wait_seconds: float) -> None:
        self._root = root
        self._database = database
        self._lock_wait_seconds = lock_wait_seconds

    def folder(self, table: Table) -> Path:
        return self._root / self._database / table.name

    def aside(self, table: Table, version: str) -> Path:
        return self._versions(table) / version

    def place(self, table: Table, value: str, folder: Path) -> Path:
        """The folder of a partition within a table's; of a table without partitions, itself."""
        return folder / table.partition(value).folder if table.partitioned_by else folder

    def lock(self, table: str) -> SwitchLock:
        name = f"{self._database}.{table}"
        return SwitchLock(self._root / ".locks", name, self._lock_wait_seconds)

    def partitions(self, table: Table) -> list[str]:
        found = []
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.folder(table)):
                if entry.name.startswith(f"{table.partitioned_by}=") and entry.is_dir():
                    found.append(Partition.from_folder(entry.name).value)
        return sorted(found)

    def files(self, table: Table, only: frozenset[str] | None = None) -> list[Path]:
        """The data files of a table, or only those of some partitions."""
        folder = self.folder(table)
        if not table.partitioned_by:
            return _data_files(folder)
        values = self.partitions(table) if only is None else sorted(only)
        places = [self.place(table, value, folder) for value in values]
        return [file for place in places for file in _data_files(place)]

    def refuse_foreign_files(self, table: Table, partitions: Sequence[str]) -> None:
        for file in self.files(table, frozenset(partitions)):
            if file.name != FILE:
                raise WarehouseError(
                    f"{file} is not ours: overwriting {table.name} would leave its rows beside "
                    "the new ones.",
                    f"Move the file away, or name it {FILE}, and rerun.",
                )

    def keep(self, file: Path) -> None:
        """A file that was written aside survives a power cut from here on."""
        os.chmod(file, FILE_MODE)
        sync(file)
        sync(file.parent)

    def switch(self, table: Table, partitions: Sequence[str], aside: Path) -> None:
        """Put the partitions in place, each by one rename, while no reader looks."""
        folder = self.folder(table)
        make_folder(folder)
        with self.lock(table.name).switching():
            for value in partitions:
                new, old = self.place(table, value, aside), self.place(table, value, folder)
                if old.is_dir():
                    os.replace(new / FILE, old / FILE)
                else:
                    os.rename(new, old)
        for value in partitions:
            sync(self.place(table, value, folder))
        sync(folder)

    def drop(self, table: Table, partitions: Sequence[str]) -> None:
        """Move the partitions away, each by one rename, and remove them there."""
        folder, aside = self.folder(table), self.aside(table, "dropped")
        make_folder(aside)
        with self.lock(table.name).switching():
            for value in partitions:
                name = table.partition(value).folder
                with contextlib.suppress(FileNotFoundError):
                    os.rename(folder / name, aside / name)
        with contextlib.suppress(FileNotFoundError):
            sync(folder)
        self.clear(aside)

    def clear(self, aside: Path) -> None:
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):
            aside.parent.rmdir()

    def sweep(self, table: Table) -> None:
        shutil.rmtree(self._versions(table), ignore_errors=True)

    def _versions(self, table: Table) -> Path:
        return self._root / self._database / f"{table.name}.versions"


def _data_files(folder: Path) -> list[Path]:
    """The data in a partition's folder; names with . or _ in front are not data, as in Hive."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    return [
        Path(entry.path)
        for entry in entries
        if entry.name.endswith(".parquet") and entry.name[0] not in "._"
    ]
