"""The transfer ledger: where every file is on its way.

A file of a night is listed, then counted (in the table), then it is being sent, then sent, which
means verified on the far side, then removed. It is changed when it was not what the manifest says
any more, and gone when it was not there any more: both are kept and told, and never removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.customer_backup_files.reading import Identity
from pipelines.database import Database
from targets.errors import MarkerError

if TYPE_CHECKING:
    import sqlite3

LISTED, COUNTED, SENDING, SENT, REMOVED = "listed", "counted", "sending", "sent", "removed"
CHANGED, GONE = "changed", "gone"

_SCHEMA = """
CREATE TABLE transfers (
    run_key TEXT, path TEXT, process_name TEXT, customer TEXT, companion TEXT,
    size INTEGER, mtime_ns INTEGER, inode INTEGER, checksum TEXT, file_date TEXT, far_path TEXT,
    packed_name TEXT, packed_size INTEGER, packed_sha256 TEXT, state TEXT, changed_at TEXT,
    PRIMARY KEY (run_key, path, checksum));
"""


@dataclass(frozen=True)
class Transfer:
    run_key: str
    path: str
    process_name: str
    customer: str
    companion: str
    size: int
    mtime_ns: int
    inode: int
    checksum: str
    file_date: str
    far_path: str
    packed_name: str
    packed_size: int
    packed_sha256: str
    state: str
    changed_at: str

    @property
    def identity(self) -> Identity:
        return Identity(self.size, self.mtime_ns, self.inode)


class Transfers:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._database = Database(file, _SCHEMA, busy_seconds=30, synchronous="FULL")

    def record(self, run_key: str, transfers: Iterable[Transfer]) -> None:
        """These are the files of the night, beside those that it has sent already."""
        names = ", ".join(f":{field.name}" for field in fields(Transfer))
        with self._open() as connection:
            connection.execute(
                "DELETE FROM transfers WHERE run_key = ? AND state NOT IN (?, ?)",
                (run_key, SENT, REMOVED),
            )
            connection.executemany(
                f"INSERT OR REPLACE INTO transfers VALUES ({names})",
                [asdict(each) for each in transfers],
            )

    def mark(self, transfers: Iterable[Transfer], state: str, now: str) -> None:
        with self._open() as connection:
            connection.executemany(
                "UPDATE transfers SET state = ?, changed_at = ? "
                "WHERE run_key = ? AND path = ? AND checksum = ?",
                [(state, now, each.run_key, each.path, each.checksum) for each in transfers],
            )

    def packed(self, transfer: Transfer) -> None:
        """Its compressed copy has been made, or made anew."""
        with self._open() as connection:
            connection.execute(
                "UPDATE transfers SET packed_size = ?, packed_sha256 = ? "
                "WHERE run_key = ? AND path = ? AND checksum = ?",
                (
                    transfer.packed_size,
                    transfer.packed_sha256,
                    transfer.run_key,
                    transfer.path,
                    transfer.checksum,
                ),
            )

    def of(self, run_key: str) -> list[Transfer]:
        with self._open() as connection:
            return _read(
                connection.execute(
                    "SELECT * FROM transfers WHERE run_key = ? ORDER BY path, checksum",
                    (run_key,),
                )
            )

    def all(self) -> list[Transfer]:
        with self._open() as connection:
            return _read(connection.execute("SELECT * FROM transfers ORDER BY run_key, path"))

    def sent(self) -> dict[str, str]:
        """What was sent to each far path last: the checksum of its content."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT far_path, checksum FROM transfers WHERE state IN (?, ?) "
                "ORDER BY changed_at, rowid",
                (SENT, REMOVED),
            )
            return {str(path): str(checksum) for path, checksum in rows}

    def forget_before(self, run_key: str) -> None:
        """Forget removed files of older nights."""
        with self._open() as connection:
            connection.execute(
                "DELETE FROM transfers WHERE run_key < ? AND state = ?", (run_key, REMOVED)
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        import sqlite3

        try:
            with self._database.open() as connection, connection:
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise MarkerError(
                f"the transfer ledger {self._file} cannot be used: {error}.",
                "Where it is damaged, move it away and list the files of the night again: "
                "mnaas rewind CustomerBackupFiles --date DATE --from WriteManifest",
            ) from error


def _read(rows: Iterable[Sequence[object]]) -> list[Transfer]:
    return [Transfer(*row) for row in rows]  # type: ignore[arg-type]
