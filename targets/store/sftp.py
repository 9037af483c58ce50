"""A file store on another machine, over SFTP: one connection, several files in flight.

A checksum is taken over there, by one remote command for many files; where the account may only
use SFTP, by reading back.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from targets.errors import MnaasError
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
from targets.store.ssh import Connection, Login, not_there

if TYPE_CHECKING:
    import paramiko

log = logging.getLogger("luigi-interface.mnaas")

# Fixed: names go to its standard input, NUL after each. openssl uses the processor's SHA
# instructions, which Debian's sha256sum does not; both print a sum and a name.
_CHECKSUMS = (
    "echo checksums; if command -v openssl >/dev/null 2>&1; "
    "then exec xargs -0 -r openssl dgst -sha256 -r; else exec xargs -0 -r sha256sum; fi"
)
_CHUNK = 128 * 1024  # OpenSSH takes requests up to 255 KiB; paramiko's own are 32 KiB
_BATCH_BYTES, _BATCH_FILES = 128 << 20, 250
_SLOWEST = 5 << 20  # bytes a second at which a machine may take checksums before we give up
_LONG = 3600.0  # seconds, where we do not know how large files are
_FILE_MODE, _FOLDER_MODE = 0o640, 0o750


class SftpStore(FileStore):
    def __init__(
        self,
        root: str,
        *,
        host: str,
        port: int = 22,
        user: str,
        key_file: Path,
        known_hosts: Path,
        timeout_seconds: float = 60,
        channels: int = 4,
    ) -> None:
        self.root = root.rstrip("/") or "/"
        login = Login(host, port, user, key_file, known_hosts, timeout_seconds)
        self._name = f"SftpStore({login}:{self.root})"
        self._connection = Connection(login, self._name)
        self._channels = channels
        self._folders: set[str] = set()
        self._may_execute: bool | None = None

    def __repr__(self) -> str:
        return self._name

    # What every store does.

    def exists(self, path: str) -> bool:
        with self._connection.sftp(path) as sftp:
            place = self._place(path)
            return self._is_there(sftp, place) and stat.S_ISREG(sftp.stat(place).st_mode or 0)

    def size(self, path: str) -> int:
        with self._connection.sftp(path) as sftp:
            return sftp.stat(self._place(path)).st_size or 0

    def list(self, folder: str) -> Sequence[FileInfo]:
        return [
            FileInfo(f"{folder}/{name}", entry.st_size or 0, entry.st_mtime or 0)
            for name, entry in self._entries(folder)
            if stat.S_ISREG(entry.st_mode or 0) and not is_part(name)
        ]

    def folders(self, folder: str) -> Sequence[str]:
        return [name for name, entry in self._entries(folder) if stat.S_ISDIR(entry.st_mode or 0)]

    def open(self, path: str) -> BinaryIO:
        with self._connection.sftp(path) as sftp:
            sftp.stat(self._place(path))
            local = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
            try:
                sftp.getfo(self._place(path), local)
            except BaseException:
                local.close()
                raise
            local.seek(0)
            return local

    def rename(self, old: str, new: str) -> None:
        with self._connection.sftp(old) as sftp:
            self._make_folder(sftp, str(PurePosixPath(self._place(new)).parent))
            sftp.posix_rename(self._place(old), self._place(new))

    def remove(self, path: str) -> None:
        self._remove(self._place(path))

    def checksum(self, path: str) -> str:
        found = self.checksums([path])
        if path not in found:
            raise not_there(f"{path} in {self!r}")
        return found[path]

    def checksums(self, paths: Sequence[str]) -> Mapping[str, str]:
        places = {self._place(path): path for path in paths}
        return {places[place]: digest for place, digest in self._sha256(list(places)).items()}

    def sweep(self, prefix: str) -> None:
        place = PurePosixPath(checked_path(prefix))
        with self._connection.sftp(prefix) as sftp:
            for name, _ in self._entries(str(place.parent)):
                if is_part(name) and name.startswith(f".{place.name}"):
                    sftp.remove(self._place(f"{place.parent}/{name}"))

    def ping(self) -> None:
        with self._connection.sftp(self.root) as sftp:
            self._make_folder(sftp, self.root)
            sftp.listdir(self.root)

    def close(self) -> None:
        self._connection.close()

    # Many files at once.

    def send(self, files: Sequence[Outgoing], sent: Sent) -> None:
        """While one batch is verified and put in place, the next one travels."""
        before: Future[None] | None = None
        batch: Sequence[Outgoing] = ()
        with ThreadPoolExecutor(self._channels) as uploads, ThreadPoolExecutor(1) as finishing:
            for after in [*_batches(files), ()]:
                parts = dict(zip(after, uploads.map(self._upload, after), strict=True))
                if before is not None:
                    before.result()
                    sent(batch)
                before, batch = None, after
                if parts:
                    before = finishing.submit(self._put_in_place, parts, uploads)

    def _upload(self, file: Outgoing) -> str:
        """Its name over there until it is verified."""
        place = PurePosixPath(self._place(file.path))
        part = str(place.with_name(sending_name(place.name, file.sha256)))
        self._write(file.local, part)
        return part

    def _put_in_place(self, parts: Mapping[Outgoing, str], uploads: ThreadPoolExecutor) -> None:
        there = self._sha256(list(parts.values()), sum(file.size for file in parts))
        wrong = [file for file, part in parts.items() if there.get(part) != file.sha256]

        def switch(file: Outgoing) -> None:
            place = self._place(file.path)
            with self._connection.sftp(file.path) as sftp:
                sftp.posix_rename(parts[file], place)
                size = sftp.stat(place).st_size
            if size != file.size:
                raise corrupt([file.path], repr(self))

        for _ in uploads.map(switch, [file for file in parts if file not in wrong]):
            pass
        if wrong:
            for file in wrong:
                self._remove(parts[file])
            raise corrupt([file.path for file in wrong], repr(self))

    def put(self, local: Path, path: str) -> None:
        place = PurePosixPath(self._place(path))
        part = str(place.with_name(part_name(place.name)))
        try:
            self._write(local, part)
            with self._connection.sftp(path) as sftp:
                sftp.posix_rename(part, str(place))
        except MnaasError:
            with contextlib.suppress(MnaasError):
                self._remove(part)
            raise

    def _write(self, local: Path, place: str) -> None:
        with self._connection.sftp(place) as sftp, local.open("rb") as source:
            self._make_folder(sftp, str(PurePosixPath(place).parent))
            with sftp.open(place, "wb", 0) as target:
                target.set_pipelined(True)
                target.MAX_REQUEST_SIZE = _CHUNK
                while data := source.read(_CHUNK):
                    target.write(data)
                target.chmod(_FILE_MODE)

    # Checksums over there.

    def _sha256(self, places: Sequence[str], size: int | None = None) -> dict[str, str]:
        """Those of the files that are there; `size` is how large they are together."""
        found: dict[str, str] = {}
        for start in range(0, len(places), _BATCH_FILES):
            found |= self._sha256_of_some(places[start : start + _BATCH_FILES], size)
        return found

    def _sha256_of_some(self, places: Sequence[str], size: int | None) -> dict[str, str]:
        if self._may_execute is not False:
            found = self._by_command(places, _LONG if size is None else size / _SLOWEST)
            self._may_execute = found is not None
            if found is not None:
                return found
            log.info("%r executes no commands: checksums are taken by reading back", self)
        return self._by_reading_back(places)

    def _by_command(self, places: Sequence[str], seconds: float) -> dict[str, str] | None:
        """What the remote command printed; None when there are no commands for us."""
        printed = self._connection.execute(_CHECKSUMS, places, seconds)
        head, _, sums = (printed or "").partition("\n")
        return _sums(sums) if head.strip() == "checksums" else None

    def _by_reading_back(self, places: Sequence[str]) -> dict[str, str]:
        def read_back(place: str) -> str:
            digest = hashlib.sha256()
            with self._connection.sftp(place) as sftp:
                try:
                    source = sftp.open(place, "rb")
                except FileNotFoundError:
                    return ""
                with source:
                    source.prefetch(max_concurrent_requests=64)
                    while data := source.read(_CHUNK):
                        digest.update(data)
            return digest.hexdigest()

        with ThreadPoolExecutor(self._channels) as readers:
            found = dict(zip(places, readers.map(read_back, places), strict=True))
        return {place: digest for place, digest in found.items() if digest}

    # The connection.

    def _place(self, path: str) -> str:
        return f"{self.root}/{checked_path(path)}"

    def _entries(self, folder: str) -> Sequence[tuple[str, paramiko.SFTPAttributes]]:
        place = self.root if folder == "." else self._place(folder)
        with self._connection.sftp(folder) as sftp:
            try:
                entries = sftp.listdir_attr(place)
            except FileNotFoundError:
                return []
        return sorted(((entry.filename, entry) for entry in entries), key=lambda pair: pair[0])

    def _remove(self, place: str) -> None:
        with self._connection.sftp(place) as sftp, contextlib.suppress(FileNotFoundError):
            sftp.remove(place)

    def _make_folder(self, sftp: paramiko.SFTPClient, folder: str) -> None:
        if folder in self._folders or folder in ("", "/"):
            return
        if not self._is_there(sftp, folder):
            self._make_folder(sftp, str(PurePosixPath(folder).parent))
            try:
                sftp.mkdir(folder, _FOLDER_MODE)
            except OSError:
                if not self._is_there(sftp, folder):  # or another thread has made it
                    raise OSError(f"the folder {folder} cannot be made") from None
        self._folders.add(folder)

    def _is_there(self, sftp: paramiko.SFTPClient, place: str) -> bool:
        try:
            sftp.stat(place)
        except FileNotFoundError:
            return False
        return True


def _sums(printed: str) -> dict[str, str]:
    """Lines of a sum, a blank, a blank or *, and a name."""
    found = {}
    for line in printed.splitlines():
        digest, _, name = line.partition(" ")
        if len(digest) == 64:
            found[name[1:]] = digest
    return found


def _batches(files: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
    batch: list[Outgoing] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.size
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
