"""A small SQLite file in the state folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from targets.store.local import FILE_MODE, make_folder

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True)
class Database:
    path: Path
    schema: str
    busy_seconds: float
    synchronous: str = "NORMAL"  # FULL survives a power cut with its last change

    @contextlib.contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own, with rows that know their columns."""
        import sqlite3

        new = not self.path.exists()
        if new:
            make_folder(self.path.parent)
        with contextlib.closing(
            sqlite3.connect(self.path, timeout=self.busy_seconds)
        ) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute(f"PRAGMA synchronous = {self.synchronous}")
            if new or not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall():
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(self.schema)
                os.chmod(self.path, FILE_MODE)
            yield connection
