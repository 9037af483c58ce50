from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from targets.errors import LockTimeoutError, StoreError
from targets.locks import FileLocks, SwitchLock


def test_a_lock_has_one_holder_and_names_it(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)
    assert locks.holder("run/a") == ""
    lock = locks.try_hold("run/a", "night one")
    assert lock
    assert locks.try_hold("run/a", "night two") is None
    assert locks.holder("run/a").startswith(f"night one (pid {os.getpid()}, since 2")
    lock.release()
    assert locks.holder("run/a") == ""
    again = locks.try_hold("run/a", "night two")
    assert again
    again.release()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from targets.locks import FileLocks\n"
        "held = FileLocks(Path(sys.argv[1])).try_hold('a', 'x'); print('held', flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        assert FileLocks(tmp_path).try_hold("a", "y") is None
        process.kill()
    lock = FileLocks(tmp_path).try_hold("a", "y")
    assert lock
    lock.release()


def test_waiting_says_for_whom_and_ends(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)
    lock = locks.try_hold("table/b", "the other night")
    assert lock
    heard: list[str] = []
    with (
        pytest.raises(LockTimeoutError, match="table/b is still held by the other night"),
        locks.hold(["table/a", "table/b"], "me", 0.2, heard.append),
    ):
        pass
    assert len(heard) == 1
    assert heard[0].startswith("waiting for table/b, held by the other night (pid")
    assert locks.holder("table/a") == ""
    lock.release()


def test_a_switch_gets_its_turn_among_many_readers(tmp_path: Path) -> None:
    stop = threading.Event()

    def read_all_the_time() -> None:
        lock = SwitchLock(tmp_path, "t", 30)
        while not stop.is_set():
            with lock.reading():
                time.sleep(0.003)

    readers = [threading.Thread(target=read_all_the_time) for _ in range(6)]
    for reader in readers:
        reader.start()
    try:
        started = time.monotonic()
        for _ in range(5):
            with SwitchLock(tmp_path, "t", 10).switching():
                pass
        assert time.monotonic() - started < 5
    finally:
        stop.set()
        for reader in readers:
            reader.join()


def test_a_switch_waits_for_a_reader_and_not_for_ever(tmp_path: Path) -> None:
    with (
        SwitchLock(tmp_path, "t", 1).reading(),
        pytest.raises(LockTimeoutError),
        SwitchLock(tmp_path, "t", 0.1).switching(),
    ):
        pass


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="the lock cannot be taken"):
        FileLocks(tmp_path / "file").try_hold("a", "x")
