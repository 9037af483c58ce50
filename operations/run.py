"""What cron calls: one night from its preflight to its exit code.

Luigi's crash leaves this process to tell people.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from operations.logs import new_log_file
from operations.luigi_process import exit_code, run_luigi
from operations.luigid import luigid_answers
from pipelines import clock, configuration, failures, settings, wiring
from pipelines.events import report
from pipelines.failures import DIED, Failure, last_heard
from pipelines.night import Entry
from pipelines.stored import StoredNight
from targets.errors import MnaasError


@dataclass(frozen=True)
class Ended:
    """How a night ended: its exit code, what failed last, and where it is written."""

    name: str
    code: int
    seconds: float
    log: Path
    failure: tuple[str, str, str] | None
    resume: str

    def words(self) -> str:
        if self.code == 0:
            return f"{self.name}: done in {self.seconds:.1f} s, log {self.log}"
        if self.code == exit_code("already_running"):
            return f"{self.name}: is running already. Nothing was done (exit code {self.code})."
        what = f" in {self.failure[1]}:\n{self.failure[2]}" if self.failure else "."
        return (
            f"{self.name}: failed with exit code {self.code}{what}\n"
            f"  log     {self.log}\n  resume  {self.resume}"
        )


def run(entry: Entry) -> list[Ended]:
    """Earlier nights that were begun and never done, oldest first; then this one."""
    try:
        settings.check()
    except MnaasError as error:
        with settings.only_what_is_asked_for():
            _report(entry, (type(error).__name__, "(configuration)", str(error)))
        raise
    return [*_finish_earlier(entry), _night(entry, _arguments(entry))]


def _finish_earlier(entry: Entry) -> list[Ended]:
    days = settings.section(settings.run).finish_earlier_nights
    oldest = str(entry.date - timedelta(days=days or 36500))
    ended = []
    for run_key in entry.unfinished():
        night = StoredNight(wiring.state(), entry.task_family, run_key).read()
        if night is None or not oldest <= run_key[:10] < str(entry.date):
            continue
        if not days:
            print(f"unfinished: {entry.task_family} {run_key}; finish it: {night.resume}")
            continue
        arguments = [*shlex.split(night.resume)[2:], "--stored-only"]
        earlier = type(entry)(**_parsed(type(entry), arguments))
        ended.append(_night(earlier, arguments))
    return ended


def _parsed(kind: type[Entry], arguments: Sequence[str]) -> dict[str, object]:
    """The parameters that a resume command spells."""
    known = dict(kind.get_params())
    pairs = zip(arguments[1:-1:2], arguments[2:-1:2], strict=True)
    given = {flag[2:].replace("-", "_"): value for flag, value in pairs}
    parsed = {name: known[name].parse(value) for name, value in given.items()}
    return {**parsed, "stored_only": True}


def _arguments(entry: Entry) -> list[str]:
    """What the resume command says, and what the operator insists on this time."""
    insisted = []
    for name, value in entry.insisted().items():
        flag = f"--{name.replace('_', '-')}"
        insisted += [flag] if value is True else [flag, str(value)]
    return [*shlex.split(entry.resume())[2:], *insisted]


def _night(entry: Entry, arguments: Sequence[str]) -> Ended:
    name = f"{entry.task_family} {entry.run_key}"
    started = time.monotonic()
    file = Path(os.devnull)
    failure: tuple[str, str, str] | None
    with tempfile.TemporaryFile("w+") as heard:
        try:
            file = new_log_file(entry.task_family, entry.run_key)
            os.environ[failures.LOG_FILE] = str(file)
            _preflight(entry)
        except MnaasError as error:
            file.write_text(f"{type(error).__name__}: {error}\n")
            failure = (type(error).__name__, "(preflight)", str(error))
            _report(entry, failure)
            code = exit_code("scheduling_error")
        else:
            code = _scheduled_until_it_ends(entry, arguments, file, heard)
            failure = last_heard(heard)
            if failure is None and _is_failure(code):
                failure = _unheard(entry, code)
    if code == exit_code("task_failed") and failure and failure[0] == "MissingInputError":
        code = exit_code("missing_data")
    return Ended(name, code, time.monotonic() - started, file, failure, entry.resume())


def _preflight(entry: Entry) -> None:
    """What would stop the night, before its first step; a night that is done has none."""
    settings.check()
    if not entry.already_done():
        from operations.check import check, refuse

        refuse(check([type(entry)]))


def _is_failure(code: int) -> bool:
    return code not in (0, exit_code("already_running"))


def _scheduled_until_it_ends(
    entry: Entry, arguments: Sequence[str], file: Path, heard: TextIO
) -> int:
    """Schedule again, a bounded number of times, what ended incomplete although nothing failed."""
    asked = settings.section(settings.run)
    again = {exit_code("not_run"), exit_code("unhandled_exception")}
    code = 0
    for attempt in range(asked.reschedules + 1):
        if attempt:
            time.sleep(asked.reschedule_wait_seconds)
        code = run_luigi(["--module", "pipelines", *arguments, *_scheduler()], file, heard)
        if code == exit_code("already_running") and not wiring.locks().holder(entry.lock_name()):
            continue  # luigid has not yet noticed that the last worker is gone
        if code not in again or last_heard(heard):
            break
    return code


def _scheduler() -> list[str]:
    asked = settings.section(settings.run).scheduler
    if asked == "central" or (asked == "auto" and luigid_answers()):
        return []
    if asked == "auto":
        host, port = configuration.scheduler_place()
        _say(f"luigid does not answer at {host}:{port}: running without it")
    return ["--local-scheduler"]


def _say(words: str) -> None:
    with Path(os.environ[failures.LOG_FILE]).open("a") as stream:
        stream.write(f"{words}\n")
    if sys.stderr.isatty():
        print(words, file=sys.stderr)


def _unheard(entry: Entry, code: int) -> tuple[str, str, str]:
    """Nobody has said why: the process was killed, or ended before its first step."""
    how = f"was ended by signal {code - 128}" if code > 128 else f"ended with exit code {code}"
    return report_death(entry, f"luigi {how}")


def report_death(entry: Entry, how: str) -> tuple[str, str, str]:
    """Say that a run died, unless it goes on or got done in spite of it."""
    failure = (DIED, "(the whole process)", f"{how}.")
    try:
        if wiring.locks().holder(entry.lock_name()) or entry.already_done():
            return failure
    except MnaasError:
        pass  # it cannot be told whether it is done: then it is not
    night = entry.stored().read()
    _report(entry, failure)
    if night is not None and night.running:
        wiring.ledger().run_ended(night.run_id, "died", clock.local_now())
        entry.stored().ended()
    return failure


def _report(entry: Entry, failure: tuple[str, str, str]) -> None:
    kind, step, error = failure
    told = Failure(str(entry.date), step, kind, error, entry.resume())
    report(entry.task_family, entry.variant(), told)
