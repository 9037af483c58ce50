"""A file store on HDFS, over WebHDFS, whichever NameNode is active.

The client's own rename cannot replace a file; WebHDFS can, atomically, with `renameoptions`.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from targets.errors import (
    DeadlineError,
    LoginError,
    LostConnectionError,
    MissingInputError,
    MnaasError,
    StoreError,
    TransientError,
    first_line,
)
from targets.store.base import (
    FileInfo,
    FileStore,
    Outgoing,
    Sent,
    checked_path,
    corrupt,
    is_part,
    part_name,
    sending_name,
)

if TYPE_CHECKING:
    import hdfs

_CHUNK = 1 << 20
_FILE_MODE, _FOLDER_MODE = "640", "750"


class HdfsStore(FileStore):
    """`urls`: of all NameNodes. `trash`: where removed files go is the cluster's trash."""

    def __init__(
        self,
        root: str,
        *,
        urls: Sequence[str],
        user: str,
        timeout_seconds: float = 60,
        trash: bool = False,
        kerberos: bool = False,
    ) -> None:
        self.root = root.rstrip("/")
        self._urls = tuple(urls)
        self._user = user
        self._timeout_seconds = timeout_seconds
        self._trash = trash
        self._kerberos = kerberos
        self._client: hdfs.Client | None = None

    def __repr__(self) -> str:
        return f"HdfsStore({self._user}@{';'.join(self._urls)}:{self.root})"

    # What every store does.

    def exists(self, path: str) -> bool:
        status = self._status(path)
        return status is not None and status["type"] == "FILE"

    def size(self, path: str) -> int:
        status = self._status(path)
        if status is None:
            raise self._not_there(path)
        return int(status["length"])

    def list(self, folder: str) -> Sequence[FileInfo]:
        return [
            FileInfo(f"{folder}/{name}", status["length"], status["modificationTime"] / 1000)
            for name, status in self._entries(folder)
            if status["type"] == "FILE" and not is_part(name)
        ]

    def folders(self, folder: str) -> Sequence[str]:
        return [name for name, status in self._entries(folder) if status["type"] == "DIRECTORY"]

    def open(self, path: str) -> BinaryIO:
        local = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
        try:
            for chunk in self._chunks(self._place(path)):
                local.write(chunk)
        except BaseException:
            local.close()
            raise
        local.seek(0)
        return local

    def rename(self, old: str, new: str) -> None:
        with self._asking(old) as client:
            client.makedirs(str(PurePosixPath(self._place(new)).parent), _FOLDER_MODE)
            self._replace(client, self._place(old), self._place(new))

    def remove(self, path: str) -> None:
        with self._asking(path) as client:
            client.delete(self._place(path), skip_trash=not self._trash)

    def checksum(self, path: str) -> str:
        return self._sha256(self._place(path))

    def put(self, local: Path, path: str) -> None:
        place = PurePosixPath(self._place(path))
        part = str(place.with_name(part_name(place.name)))
        try:
            self._upload(local, part)
            with self._asking(path) as client:
                self._replace(client, part, str(place))
        except MnaasError:
            with contextlib.suppress(MnaasError), self._asking(path) as client:
                client.delete(part)
            raise

    def sweep(self, prefix: str) -> None:
        place = PurePosixPath(checked_path(prefix))
        for name, _ in self._entries(str(place.parent)):
            if is_part(name) and name.startswith(f".{place.name}"):
                with self._asking(prefix) as client:
                    client.delete(self._place(f"{place.parent}/{name}"))

    def send(self, files: Sequence[Outgoing], sent: Sent) -> None:
        for file in files:
            place = PurePosixPath(self._place(file.path))
            part = str(place.with_name(sending_name(place.name, file.sha256)))
            self._upload(file.local, part)
            right = self._sha256(part) == file.sha256
            with self._asking(file.path) as client:
                if right:
                    self._replace(client, part, str(place))
                else:
                    client.delete(part)
            if not right:
                raise corrupt([file.path], repr(self))
            sent([file])

    # What warehouses do with whole folders.

    def folder_exists(self, folder: str) -> bool:
        status = self._status(folder)
        return status is not None and status["type"] == "DIRECTORY"

    def old_folders(self, folder: str, seconds: float) -> Sequence[str]:
        """The names of the folders in it that have not changed for so long."""
        oldest = (time.time() - seconds) * 1000
        return [
            name
            for name, status in self._entries(folder)
            if status["type"] == "DIRECTORY" and status["modificationTime"] < oldest
        ]

    def remove_folder(self, folder: str) -> None:
        with self._asking(folder) as client:
            client.delete(self._place(folder), recursive=True, skip_trash=not self._trash)

    def remove_if_empty(self, folder: str) -> None:
        if self.folder_exists(folder) and not self._entries(folder):
            with self._asking(folder) as client:
                client.delete(self._place(folder))

    def ping(self) -> None:
        with self._asking(self.root) as client:
            client.makedirs(self.root or "/", _FOLDER_MODE)
            client.status(self.root or "/")

    # How.

    def _place(self, path: str) -> str:
        return f"{self.root}/{checked_path(path)}"

    def _status(self, path: str) -> Mapping[str, Any] | None:
        with self._asking(path) as client:
            found: Mapping[str, Any] | None = client.status(self._place(path), strict=False)
            return found

    def _entries(self, folder: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
        place = self.root if folder == "." else self._place(folder)
        with self._asking(folder) as client:
            status = client.status(place or "/", strict=False)
            if status is None or status["type"] != "DIRECTORY":
                return []
            return sorted(client.list(place or "/", status=True), key=lambda entry: str(entry[0]))

    def _chunks(self, place: str) -> Iterator[bytes]:
        with self._asking(place) as client, client.read(place, chunk_size=_CHUNK) as chunks:
            yield from chunks

    def _sha256(self, place: str) -> str:
        digest = hashlib.sha256()
        for chunk in self._chunks(place):
            digest.update(chunk)
        return digest.hexdigest()

    def _upload(self, local: Path, place: str) -> None:
        with self._asking(place) as client, local.open("rb") as source:
            client.makedirs(str(PurePosixPath(place).parent), _FOLDER_MODE)
            with client.write(place, overwrite=True, permission=_FILE_MODE) as target:
                shutil.copyfileobj(source, target, _CHUNK)

    @staticmethod
    def _replace(client: hdfs.Client, old: str, new: str) -> None:
        client._rename(old, destination=new, renameoptions="OVERWRITE")

    def _not_there(self, path: str) -> MissingInputError:
        return MissingInputError(
            f"{path} in {self!r} is not there.", "Look for who should have written it."
        )

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[hdfs.Client]:
        """The client; its errors become ours, the first line of what the server said."""
        import hdfs
        import requests

        if self._client is None:
            self._client = self._connected()
        try:
            yield self._client
        except MnaasError:
            raise
        except hdfs.HdfsError as error:
            if "Authentication failure" in str(error):
                raise self._refused(error) from error
            raise self._named(error, what) from error
        except requests.Timeout as error:
            raise DeadlineError(
                f"{self!r} did not answer in {self._timeout_seconds:.0f} s: {what}.",
                "Rerun when it does.",
            ) from error
        except (requests.RequestException, OSError) as error:
            if "Kerberos" in f"{type(error).__name__} {error}":
                raise self._refused(error) from error
            raise LostConnectionError(
                f"{self!r} does not answer: {what}: {first_line(error)}",
                "Check the NameNodes' addresses in [namenode] urls, and rerun.",
            ) from error

    def _refused(self, error: Exception) -> LoginError:
        if not self._kerberos:
            return LoginError(
                f"{self!r} refused the user {self._user!r}: {first_line(error)}",
                "It wants a ticket: set [namenode] auth = kerberos.",
            )
        return LoginError(
            f"{self!r} does not take our ticket: {first_line(error)}",
            "It is missing or has expired: kinit -kt <keytab> <principal>, then rerun.",
        )

    def _connected(self) -> hdfs.Client:
        import hdfs

        urls = ";".join(self._urls)
        if not self._kerberos:
            return hdfs.InsecureClient(urls, user=self._user, timeout=self._timeout_seconds)
        from hdfs.ext.kerberos import KerberosClient

        return KerberosClient(urls, timeout=self._timeout_seconds)

    def _named(self, error: hdfs.HdfsError, what: str) -> MnaasError:
        kind, words = str(error.exception or ""), f"{what} in {self!r}: {first_line(error)}"
        if kind == "FileNotFoundException":
            return self._not_there(what)
        if kind in ("StandbyException", "RetriableException", "SafeModeException"):
            return LostConnectionError(words, "The NameNode is not ready yet. Rerun when it is.")
        if kind == "AccessControlException":
            return StoreError(words, f"Ask for the rights of {self._user} on that folder.")
        if kind == "IOException" or not kind:
            return TransientError(words, "Look at the NameNode and at its DataNodes, and rerun.")
        return StoreError(words, "Look at what is there, and rerun.")
