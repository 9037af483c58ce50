"""A file store on another machine, over SFTP: one connection, several files in flight.

paramiko's SFTP channel deadlocks when two threads write pipelined files on it: each thread has a
channel of its own. A checksum is taken there by one remote command for many files; where the
account may only use SFTP, by reading back.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import queue
import socket
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from targets.errors import (
    DeadlineError,
    LostConnectionError,
    MissingInputError,
    MnaasError,
    StoreError,
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
_FIRST_CIPHER = "aes128-gcm@openssh.com"  # three times as quick here as paramiko's first choice
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
        self._host = host
        self._port = port
        self._user = user
        self._key_file = key_file
        self._known_hosts = known_hosts
        self._timeout_seconds = timeout_seconds
        self._channels = channels
        self._client: paramiko.SSHClient | None = None
        self._idle: queue.SimpleQueue[paramiko.SFTPClient] = queue.SimpleQueue()
        self._folders: set[str] = set()
        self._may_execute: bool | None = None

    def __repr__(self) -> str:
        return f"SftpStore({self._user}@{self._host}:{self._port}:{self.root})"

    # What every store does.

    def exists(self, path: str) -> bool:
        with self._sftp(path) as sftp:
            place = self._place(path)
            return self._is_there(sftp, place) and stat.S_ISREG(sftp.stat(place).st_mode or 0)

    def size(self, path: str) -> int:
        with self._sftp(path) as sftp:
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
        with self._sftp(path) as sftp:
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
        with self._sftp(old) as sftp:
            self._make_folder(sftp, str(PurePosixPath(self._place(new)).parent))
            sftp.posix_rename(self._place(old), self._place(new))

    def remove(self, path: str) -> None:
        with self._sftp(path) as sftp, contextlib.suppress(FileNotFoundError):
            sftp.remove(self._place(path))

    def checksum(self, path: str) -> str:
        found = self.checksums([path])
        if path not in found:
            raise _not_there(f"{path} in {self!r}")
        return found[path]

    def checksums(self, paths: Sequence[str]) -> Mapping[str, str]:
        places = {self._place(path): path for path in paths}
        return {places[place]: digest for place, digest in self._sha256(list(places)).items()}

    @contextlib.contextmanager
    def writing(self, path: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="mnaas-") as folder:
            local = Path(folder) / "file"
            local.touch()
            yield local
            self._put(local, path)

    @contextlib.contextmanager
    def reading(self, path: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="mnaas-") as folder:
            local = Path(folder) / "file"
            self.get(path, local)
            yield local

    def sweep(self, prefix: str) -> None:
        place = PurePosixPath(checked_path(prefix))
        with self._sftp(prefix) as sftp:
            for name, _ in self._entries(str(place.parent)):
                if is_part(name) and name.startswith(f".{place.name}"):
                    sftp.remove(self._place(f"{place.parent}/{name}"))

    def ping(self) -> None:
        with self._sftp(self.root) as sftp:
            self._make_folder(sftp, self.root)
            sftp.listdir(self.root)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client, self._idle = None, queue.SimpleQueue()

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
        there = self._sha256(list(parts.values()))
        wrong = [file for file, part in parts.items() if there.get(part) != file.sha256]

        def switch(file: Outgoing) -> None:
            place = self._place(file.path)
            with self._sftp(file.path) as sftp:
                sftp.posix_rename(parts[file], place)
                size = sftp.stat(place).st_size
            if size != file.size:
                raise corrupt([file.path], repr(self))

        for _ in uploads.map(switch, [file for file in parts if file not in wrong]):
            pass
        if wrong:
            for file in wrong:
                with self._sftp(file.path) as sftp, contextlib.suppress(FileNotFoundError):
                    sftp.remove(parts[file])
            raise corrupt([file.path for file in wrong], repr(self))

    def _put(self, local: Path, path: str) -> None:
        place = PurePosixPath(self._place(path))
        part = str(place.with_name(part_name(place.name)))
        try:
            self._write(local, part)
            with self._sftp(path) as sftp:
                sftp.posix_rename(part, str(place))
        except MnaasError:
            with contextlib.suppress(MnaasError), self._sftp(path) as sftp:
                sftp.remove(part)
            raise

    def _write(self, local: Path, place: str) -> None:
        with self._sftp(place) as sftp, local.open("rb") as source:
            self._make_folder(sftp, str(PurePosixPath(place).parent))
            with sftp.open(place, "wb", 0) as target:
                target.set_pipelined(True)
                target.MAX_REQUEST_SIZE = _CHUNK
                while data := source.read(_CHUNK):
                    target.write(data)
                target.chmod(_FILE_MODE)

    # Checksums over there.

    def _sha256(self, places: Sequence[str]) -> dict[str, str]:
        if self._may_execute is None:
            self._may_execute = self._by_command([]) is not None
            if not self._may_execute:
                log.info("%r executes no commands: checksums are taken by reading back", self)
        if self._may_execute:
            found = self._by_command(places)
            if found is not None:
                return found
        return self._by_reading_back(places)

    def _by_command(self, places: Sequence[str]) -> dict[str, str] | None:
        """What the remote command printed; None when there are no commands for us."""
        with self._errors("the checksum command"):
            channel = self._transport().open_session(timeout=self._timeout_seconds)
            with contextlib.closing(channel):
                channel.settimeout(self._timeout_seconds)
                try:
                    channel.exec_command(_CHECKSUMS)
                    channel.sendall("".join(f"{place}\0" for place in places).encode())
                    channel.shutdown_write()
                except (OSError, EOFError) as error:
                    if isinstance(error, TimeoutError):
                        raise
                    return None
                printed = channel.makefile("rb").read().decode(errors="replace")
        head, _, sums = printed.partition("\n")
        return _sums(sums) if head.strip() == "checksums" else None

    def _by_reading_back(self, places: Sequence[str]) -> dict[str, str]:
        def read_back(place: str) -> str:
            digest = hashlib.sha256()
            with self._sftp(place) as sftp:
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
        with self._sftp(folder) as sftp:
            try:
                entries = sftp.listdir_attr(place)
            except FileNotFoundError:
                return []
        return sorted(((entry.filename, entry) for entry in entries), key=lambda pair: pair[0])

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

    @contextlib.contextmanager
    def _sftp(self, what: str) -> Iterator[paramiko.SFTPClient]:
        """A channel of one's own, taken from the idle ones or opened."""
        with self._errors(what):
            try:
                sftp = self._idle.get_nowait()
            except queue.Empty:
                sftp = self._open_sftp()
            yield sftp
            self._idle.put(sftp)  # not after an error: its answers could be mixed up

    def _open_sftp(self) -> paramiko.SFTPClient:
        import paramiko

        sftp = paramiko.SFTPClient.from_transport(self._transport())
        if sftp is None:
            raise LostConnectionError(f"{self!r} opens no channel.", "Rerun.")
        channel = sftp.get_channel()
        if channel is not None:
            channel.settimeout(self._timeout_seconds)
        return sftp

    def _transport(self) -> paramiko.Transport:
        if self._client is None:
            self._client = self._connected()
        transport = self._client.get_transport()
        if transport is None or not transport.is_active():
            self.close()
            raise LostConnectionError(f"{self!r} has closed the connection.", "Rerun.")
        return transport

    def _connected(self) -> paramiko.SSHClient:
        import paramiko

        def with_quick_cipher(sock: socket.socket, **options: object) -> paramiko.Transport:
            transport = paramiko.Transport(sock, **options)  # type: ignore[arg-type]
            security = transport.get_security_options()
            security.ciphers = sorted(security.ciphers, key=lambda cipher: cipher != _FIRST_CIPHER)
            return transport

        client = paramiko.SSHClient()
        client.load_host_keys(str(self._known_hosts))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            client.connect(
                self._host,
                self._port,
                self._user,
                key_filename=str(self._key_file),
                allow_agent=False,
                look_for_keys=False,
                timeout=self._timeout_seconds,
                banner_timeout=self._timeout_seconds,
                auth_timeout=self._timeout_seconds,
                channel_timeout=self._timeout_seconds,
                transport_factory=with_quick_cipher,  # type: ignore[arg-type]
            )
            transport = client.get_transport()
            if transport is not None:
                transport.set_keepalive(15)
        except BaseException:
            client.close()
            raise
        return client

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except MnaasError:
            raise
        except Exception as error:
            raise named(error, what, repr(self), self._known_hosts) from error


def named(error: Exception, what: str, where: str, known_hosts: Path | str = "") -> MnaasError:
    """An error of paramiko, or of the system, as one of ours."""
    import paramiko

    words = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return _not_there(f"{what} in {where}")
    if isinstance(error, TimeoutError):
        return DeadlineError(f"{where} did not answer in time: {what}.", "Rerun when it does.")
    if isinstance(error, paramiko.BadHostKeyException):
        return StoreError(
            f"{where} shows another host key than {known_hosts} has.",
            "It is another machine, or it was set up anew. Ask who runs it before you change "
            "the key.",
        )
    if isinstance(error, paramiko.AuthenticationException):
        return StoreError(
            f"{where} refuses the login: {words}",
            "Check [edge_node] user and key_file, and authorized_keys over there.",
        )
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return StoreError(
            f"{where} and we have no algorithm in common: {words}",
            "An old server needs paramiko below 5: pip install 'paramiko<5'.",
        )
    if isinstance(error, paramiko.SSHException) and "not found in known_hosts" in words:
        return StoreError(
            f"{where} has a host key that {known_hosts} does not know.",
            "Compare the key with the machine's own, then add it to that file.",
        )
    lost = (paramiko.SSHException, EOFError, ConnectionError, socket.gaierror)
    if isinstance(error, (*lost, paramiko.ssh_exception.NoValidConnectionsError)):
        return LostConnectionError(f"{where}: {words}", "Rerun when it answers.")
    if isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return LostConnectionError(f"{where}: {words}", "Rerun when it answers.")
    return StoreError(
        f"{what} in {where}: {words}",
        "Check that the folder is there, has room, and that this user may write to it.",
    )


def _not_there(what: str) -> MissingInputError:
    return MissingInputError(f"{what} is not there.", "Look for who should have written it.")


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
