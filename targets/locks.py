"""Locks between processes of one machine, freed by the kernel however their holder ends.

`Locks` is the whole interface, so that one across machines (ZooKeeper) can stand in its place.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from targets.errors import LockTimeoutError, StoreError


class Locks(Protocol):
    def try_hold(self, name: str, holder: str) -> Lock | None:
        """The lock, or None when somebody else has it. It is kept until released or exit."""

    def hold(
        self, names: Iterable[str], holder: str, wait_seconds: float, on_wait: Callable[[str], None]
    ) -> contextlib.AbstractContextManager[None]:
        """Hold all of them; `on_wait` hears who has the one that is waited for."""

    def holder(self, name: str) -> str:
        """Who holds it now, in words; empty when nobody does."""


class Lock:
    """An open, locked file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        os.close(self._descriptor)


class FileLocks:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def try_hold(self, name: str, holder: str) -> Lock | None:
        descriptor = open_lock_file(self._path(name))
        for _ in range(5):  # somebody who only asks for the holder has it for microseconds
            if try_flock(descriptor, fcntl.LOCK_EX):
                break
            time.sleep(0.002)
        else:
            os.close(descriptor)
            return None
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        with contextlib.suppress(OSError):  # on a full disk the lock still holds, without a name
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps([holder, os.getpid(), since]).encode(), 0)
        return Lock(descriptor)

    @contextlib.contextmanager
    def hold(
        self, names: Iterable[str], holder: str, wait_seconds: float, on_wait: Callable[[str], None]
    ) -> Iterator[None]:
        deadline = time.monotonic() + wait_seconds
        with contextlib.ExitStack() as held:
            for name in sorted(set(names)):  # always in one order: nobody waits in a circle
                lock = self._wait_for(name, holder, deadline, on_wait)
                held.callback(lock.release)
            yield

    def _wait_for(
        self, name: str, holder: str, deadline: float, on_wait: Callable[[str], None]
    ) -> Lock:
        told = ""
        while (lock := self.try_hold(name, holder)) is None:
            other = self._written_holder(name)
            if time.monotonic() >= deadline:
                raise LockTimeoutError(
                    f"{name} is still held by {other}.",
                    "Rerun when that has ended; [state] lock_wait_seconds says how long to wait.",
                )
            if other != told:
                on_wait(f"waiting for {name}, held by {other}")
                told = other
            time.sleep(0.05)
        return lock

    def holder(self, name: str) -> str:
        path = self._path(name)
        if not path.exists():
            return ""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return "" if try_flock(descriptor, fcntl.LOCK_SH) else self._written_holder(name)
        finally:
            os.close(descriptor)

    def _written_holder(self, name: str) -> str:
        try:
            who, pid, since = json.loads(self._path(name).read_text())
        except (OSError, ValueError):
            return "another process"  # it has the lock and has not yet written its name
        return f"{who} (pid {pid}, since {since})"

    def _path(self, name: str) -> Path:
        return self.folder / f"{name.replace('/', '--')}.lock"


class SwitchLock:
    """Readers of a table share it; whoever switches its files has it alone for milliseconds.

    Two files: the door, which a switch closes first so that a stream of readers cannot starve it,
    and the room, which it then waits to find empty.
    """

    def __init__(self, folder: Path, table: str, wait_seconds: float) -> None:
        self._door = folder / f"{table}.door.lock"
        self._room = folder / f"{table}.room.lock"
        self._wait_seconds = wait_seconds

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        with contextlib.ExitStack() as inside:
            with self._flock(self._door, fcntl.LOCK_SH):
                inside.enter_context(self._flock(self._room, fcntl.LOCK_SH))
            yield

    @contextlib.contextmanager
    def switching(self) -> Iterator[None]:
        with self._flock(self._door, fcntl.LOCK_EX), self._flock(self._room, fcntl.LOCK_EX):
            yield

    @contextlib.contextmanager
    def _flock(self, path: Path, kind: int) -> Iterator[None]:
        descriptor = open_lock_file(path)
        try:
            deadline = time.monotonic() + self._wait_seconds
            pause = 0.0005
            while not try_flock(descriptor, kind):
                if time.monotonic() >= deadline:
                    raise LockTimeoutError(
                        f"{path.name} was not free within {self._wait_seconds:.0f} s.",
                        "A query that reads the table is still running; rerun when it has ended.",
                    )
                time.sleep(pause)
                pause = min(pause * 2, 0.02)
            yield
        finally:
            os.close(descriptor)


def open_lock_file(path: Path) -> int:
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    except OSError as error:
        raise StoreError(
            f"{path}: the lock cannot be taken: {error.strerror}.",
            "The folder must exist and be writable for the user who runs the pipelines.",
        ) from error


def try_flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
