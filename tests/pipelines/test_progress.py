"""A bar where a person looks on and the work is long; elsewhere none."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

SCRIPT = """
import sys, time, luigi
from pipelines.progress import Progress

class Work(luigi.Task):
    pass

with Progress(Work()) as progress:
    for number in range(int(sys.argv[1])):
        time.sleep(0.1)
        progress(number / 20, "copying")
"""


def run(rounds: int, terminal: bool) -> str:
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(rounds)]
    if not terminal:
        return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True).stderr
    ours, theirs = pty.openpty()
    subprocess.run(command, stderr=theirs, check=True)
    os.close(theirs)
    os.set_blocking(ours, False)
    try:
        return os.read(ours, 65536).decode()
    except OSError:  # nothing was written
        return ""
    finally:
        os.close(ours)


def test_long_work_on_a_terminal_shows_a_bar() -> None:
    shown = run(15, terminal=True)
    assert "copying" in shown
    assert "━" in shown


def test_short_work_shows_none() -> None:
    assert run(3, terminal=True) == ""


def test_in_cron_there_is_none() -> None:
    assert run(15, terminal=False) == ""
