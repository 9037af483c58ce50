"""One SSH connection: SFTP channels for several threads, and one fixed command.

paramiko's SFTP channel deadlocks when two threads write pipelined files on it: each thread has a
channel of its own.
"""

from __future__ import annotations

import contextlib
import errno
import queue
import socket
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from targets.errors import (
    DeadlineError,
    LostConnectionError,
    MissingInputError,
    MnaasError,
    StoreError,
)

if TYPE_CHECKING:
    import paramiko

_FIRST_CIPHER = "aes128-gcm@openssh.com"  # three times as quick here as paramiko's first choice


@dataclass(frozen=True)
class Login:
    host: str
    port: int
    user: str
    key_file: Path
    known_hosts: Path
    timeout_seconds: float

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


class Connection:
    """Made when it is first needed, and again after `close`."""

    def __init__(self, login: Login, name: str) -> None:
        self._login = login
        self._name = name
        self._client: paramiko.SSHClient | None = None
        self._idle: queue.SimpleQueue[paramiko.SFTPClient] = queue.SimpleQueue()
        self._connecting = threading.Lock()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client, self._idle = None, queue.SimpleQueue()

    def execute(self, command: str, given: Iterable[str], work_seconds: float) -> str | None:
        """What a command printed, given names on its standard input, NUL after each.

        It may be silent for `work_seconds` besides what any answer may take. None where nothing
        may be executed.
        """
        with self._errors(command):
            channel = self._transport().open_session(timeout=self._login.timeout_seconds)
            with contextlib.closing(channel):
                channel.settimeout(self._login.timeout_seconds + work_seconds)
                try:
                    channel.exec_command(command)
                    channel.sendall("".join(f"{name}\0" for name in given).encode())
                    channel.shutdown_write()
                except TimeoutError:
                    raise
                except (OSError, EOFError):
                    return None
                return channel.makefile("rb").read().decode(errors="replace")

    @contextlib.contextmanager
    def sftp(self, what: str) -> Iterator[paramiko.SFTPClient]:
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
            raise LostConnectionError(f"{self._name} opens no channel.", "Rerun.")
        channel = sftp.get_channel()
        if channel is not None:
            channel.settimeout(self._login.timeout_seconds)
        return sftp

    def _transport(self) -> paramiko.Transport:
        with self._connecting:  # one connection, whoever needs it first
            if self._client is None:
                self._client = self._connected()
        transport = self._client.get_transport()
        if transport is None or not transport.is_active():
            self.close()
            raise LostConnectionError(f"{self._name} has closed the connection.", "Rerun.")
        return transport

    def _connected(self) -> paramiko.SSHClient:
        import paramiko

        def with_quick_cipher(sock: socket.socket, **options: object) -> paramiko.Transport:
            transport = paramiko.Transport(sock, **options)  # type: ignore[arg-type]
            security = transport.get_security_options()
            security.ciphers = sorted(security.ciphers, key=lambda cipher: cipher != _FIRST_CIPHER)
            return transport

        client = paramiko.SSHClient()
        client.load_host_keys(str(self._login.known_hosts))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            client.connect(
                self._login.host,
                self._login.port,
                self._login.user,
                key_filename=str(self._login.key_file),
                allow_agent=False,
                look_for_keys=False,
                timeout=self._login.timeout_seconds,
                banner_timeout=self._login.timeout_seconds,
                auth_timeout=self._login.timeout_seconds,
                channel_timeout=self._login.timeout_seconds,
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
            raise named(error, what, self._name, self._login.known_hosts) from error


def named(error: Exception, what: str, where: str, known_hosts: Path | str = "") -> MnaasError:
    """An error of paramiko, or of the system, as one of ours."""
    import paramiko

    words = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return not_there(f"{what} in {where}")
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


def not_there(what: str) -> MissingInputError:
    return MissingInputError(f"{what} is not there.", "Look for who should have written it.")
