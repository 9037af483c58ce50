"""The SFTP store against a real OpenSSH server."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from targets.errors import (
    DeadlineError,
    LostConnectionError,
    MissingInputError,
    MnaasError,
    StoreError,
    TransientError,
)
from targets.store.base import FileStore
from targets.store.sftp import SftpStore
from targets.store.ssh import named
from tests.contracts.store import StoreContract, outgoing
from tests.ports import free_port
from tests.proxy import Proxy
from tests.sshd import Sshd


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("sshd") / "server") as server:
        yield server


@pytest.fixture(scope="module")
def sftp_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("sshd") / "only", only_sftp=True) as server:
        yield server


class TestSftpStore(StoreContract):
    @pytest.fixture
    def store(self, sshd: Sshd, root: Path) -> Iterator[FileStore]:
        store = sshd.store(root)
        yield store
        store.close()

    def test_checksums_are_taken_by_one_command_over_there(
        self, store: SftpStore, tmp_path: Path
    ) -> None:
        store.send([outgoing(tmp_path, "a")], lambda _: None)
        assert store._may_execute


class TestWhereNothingMayBeExecuted(StoreContract):
    @pytest.fixture
    def store(self, sftp_only: Sshd, root: Path) -> Iterator[FileStore]:
        store = sftp_only.store(root)
        yield store
        store.close()

    def test_checksums_are_taken_by_reading_back(self, store: SftpStore, tmp_path: Path) -> None:
        store.send([outgoing(tmp_path, "a")], lambda _: None)
        assert store._may_execute is False


def test_many_large_and_small_files_travel_on_one_connection(sshd: Sshd, tmp_path: Path) -> None:
    def logins() -> int:
        return (sshd.folder / "log").read_text().count("Accepted publickey")

    before = logins()
    store = sshd.store(tmp_path / "root", channels=8)
    files = [outgoing(tmp_path, f"f/{number}") for number in range(600)]
    store.send(files, lambda _: None)
    assert len(store.list("f")) == 600
    store.close()
    assert logins() == before + 1


def test_an_unknown_host_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    nothing = tmp_path / "known_hosts"
    nothing.write_text("")
    with pytest.raises(StoreError, match="does not know") as error:
        sshd.store(tmp_path, known_hosts=nothing).ping()
    assert not isinstance(error.value, TransientError)


def test_another_machines_host_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    with Sshd(tmp_path / "other") as other:
        keys = tmp_path / "known_hosts"
        theirs = other.known_hosts.read_text().split(" ", 1)[1]
        keys.write_text(f"[127.0.0.1]:{sshd.port} {theirs}")
        with pytest.raises(StoreError, match="shows another host key than"):
            sshd.store(tmp_path, known_hosts=keys).ping()


def test_a_refused_login_says_what_to_check(sshd: Sshd, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="refuses the login") as error:
        sshd.store(tmp_path, key_file=sshd.folder / "other_key").ping()
    assert "authorized_keys" in error.value.remedy


def test_a_server_that_is_down_is_a_passing_error(sshd: Sshd, tmp_path: Path) -> None:
    with pytest.raises(LostConnectionError):
        sshd.store(tmp_path, port=free_port()).ping()


def test_a_server_that_stops_answering_ends_at_the_deadline(sshd: Sshd, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * 30_000_000)
    with Proxy(sshd.port) as proxy:
        keys = tmp_path / "known_hosts"
        key = sshd.known_hosts.read_text().split(" ", 1)[1]
        keys.write_text(f"[127.0.0.1]:{proxy.port} {key}")
        store = sshd.store(tmp_path / "root", port=proxy.port, known_hosts=keys, timeout_seconds=1)
        store.ping()
        proxy.stall_after(3_000_000)
        started = time.monotonic()
        with pytest.raises((DeadlineError, LostConnectionError)):
            store.put(large, "large")
        assert time.monotonic() - started < 15
    assert not (tmp_path / "root/large").exists()


def test_a_server_killed_in_the_middle_leaves_nothing_half_done_in_place(
    tmp_path: Path,
) -> None:
    with Sshd(tmp_path / "server") as server:
        store = server.store(tmp_path / "root")
        store.ping()
        files = [outgoing(tmp_path, f"f/{number}") for number in range(2000)]
        threading.Timer(0.3, server.kill).start()
        told: list[str] = []

        def cut() -> None:
            time.sleep(0.3)
            client = store._connection._client
            transport = client and client.get_transport()
            if transport:
                transport.close()

        threading.Thread(target=cut).start()
        with pytest.raises(MnaasError):
            store.send(files, lambda sent: told.extend(file.path for file in sent))
        store.close()
    for path in (tmp_path / "root").rglob("*"):
        if path.is_file() and not path.name.endswith(".part"):
            assert path.read_text() == f"content of f/{path.name}"
    assert all((tmp_path / "root" / path).exists() for path in told)


def test_what_may_not_be_written_is_named(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file in its place")
    store = sshd.store(tmp_path / "root")
    with pytest.raises(StoreError, match="cannot be made"):
        store.write("f/a", b"")
    store.close()


def test_every_error_of_the_driver_is_one_of_ours() -> None:
    module = paramiko.ssh_exception
    key = paramiko.RSAKey.generate(1024)
    special: dict[str, tuple[object, ...]] = {
        "BadAuthenticationType": ("words", ["publickey"]),
        "BadHostKeyException": ("host", key, key),
        "ChannelException": (1, "words"),
        "NoValidConnectionsError": ({("127.0.0.1", 22): OSError("words")},),
        "ProxyCommandFailure": ("command", "words"),
    }
    kinds = [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Exception)
    ]
    assert len(kinds) > 8
    for kind in [*kinds, OSError, EOFError, TimeoutError, PermissionError, FileNotFoundError]:
        error = kind(*special.get(kind.__name__, ("words",)))
        ours = named(error, "a file", "a server")
        assert isinstance(ours, MnaasError)
        assert ours.remedy


def test_a_missing_file_is_missing_and_not_a_lost_connection() -> None:
    assert isinstance(named(FileNotFoundError("x"), "f", "s"), MissingInputError)
