from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from pipelines.ledger import Ledger
from tests.site import Site


def fill(ledger: Ledger, run: str = "r") -> None:
    ledger.run_began(run, "P", "2021-04-30", "host", "2021-05-01 02:10:00+00:00")
    ledger.step_began(run, "01-A", "2021-05-01 02:10:01+00:00")
    ledger.step_ended(
        run, "01-A", "done", "2021-05-01 02:10:02+00:00", attempts=2, rows=7, error=""
    )
    ledger.run_ended(run, "done", "2021-05-01 02:10:03+00:00")


def test_runs_come_back_with_their_steps_newest_first(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    fill(ledger)
    ledger.run_began("later", "P", "2021-05-01", "host", "2021-05-02 02:10:00+00:00")
    later, first = ledger.runs("P", 10)
    assert (later["run_id"], later["state"], later["ended"]) == ("later", "running", None)
    assert first["state"] == "done"
    assert [(step["step"], step["attempts"], step["rows"]) for step in first["steps"]] == [
        ("01-A", 2, 7)
    ]
    assert ledger.runs("Q", 10) == []
    assert (tmp_path / "l").stat().st_mode & 0o777 == 0o640


def test_a_damaged_ledger_costs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "l").write_text("this is no database at all, not even a short one")
    fill(Ledger(tmp_path / "l"))
    assert "was not written: file is not a database" in caplog.text


def test_a_locked_ledger_costs_a_warning_and_a_second(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(Ledger(tmp_path / "l"))
    other = sqlite3.connect(tmp_path / "l", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()
    Ledger(tmp_path / "l").run_ended("r", "done", "x")
    assert time.monotonic() - started < 3
    assert "database is locked" in caplog.text
    other.close()


@pytest.mark.parametrize("damage", ["text", "folder", "missing"])
def test_a_night_does_not_need_the_ledger(site: Site, damage: str) -> None:
    path = site.root / "var/state/ledger.sqlite"
    path.parent.mkdir()
    if damage == "text":
        path.write_text("this is no database at all, not even a short one")
    elif damage == "folder":
        path.mkdir()
    site.night().expect(0)
    if damage == "missing":
        path.unlink()
        site.night("2021-04-29").expect(0)


def test_a_write_is_quick(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    fill(ledger)
    started = time.monotonic()
    for number in range(20):
        ledger.step_began("r", f"{number}", "now")
    assert (time.monotonic() - started) / 20 < 0.05
