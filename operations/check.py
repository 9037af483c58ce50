"""Preflight: everything that would stop a night, all at once, each with its remedy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from operations.luigid import luigid_answers
from pipelines import configuration, settings, wiring
from pipelines.night import Entry
from targets.errors import ConfigError, MnaasError

_FREE_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True)
class Finding:
    what: str
    ok: bool
    words: str


def check(pipelines: list[type[Entry]]) -> list[Finding]:
    """The configuration first: when it is wrong, nothing else can be asked."""
    wrong = settings.problems()
    if wrong:
        return [Finding("configuration", False, problem) for problem in wrong]
    files = ", ".join(str(path) for path in configuration.origin.files)
    return [
        Finding("configuration", True, files),
        *_folders(),
        _asked("warehouse", _warehouse),
        _asked("statements", lambda: _statements(pipelines)),
        *(_asked(what, question) for what, question in {**_hdfs(), **_own(pipelines)}.items()),
        _asked("mail", lambda: wiring.mailer().ping()),
        _asked("templates", _templates),
        _luigid(),
    ]


def stopping(findings: list[Finding]) -> list[Finding]:
    """Those that stop a night; mail that is down does not: what it would say is spooled."""
    return [finding for finding in findings if not finding.ok and finding.what != "mail"]


def _asked(what: str, question: Callable[[], str | None]) -> Finding:
    try:
        return Finding(what, True, question() or "answers")
    except (MnaasError, OSError) as error:
        return Finding(what, False, " ".join(str(error).split()))


def _hdfs() -> dict[str, Callable[[], str | None]]:
    """The stores on HDFS, where there are any."""
    asked: dict[str, Callable[[], str | None]] = {}
    if settings.section(settings.files).store == "hdfs":
        asked["files on HDFS"] = lambda: wiring.files().ping()
    if settings.section(settings.state).markers == "hdfs":
        asked["markers on HDFS"] = lambda: wiring.markers().ping()
    return asked


def _own(pipelines: list[type[Entry]]) -> dict[str, Callable[[], str | None]]:
    """What pipelines ask besides, each question once."""
    return {what: question for each in pipelines for what, question in each.checks().items()}


def _folders() -> Iterator[Finding]:
    for name, folder in (
        ("[state] root", settings.section(settings.state).root),
        ("[files] root", settings.section(settings.files).root),
        ("[warehouse] root", settings.section(settings.warehouse).root),
        ("[log] folder", settings.section(settings.log).folder),
    ):
        yield _folder(name, folder)


def _folder(name: str, folder: Path) -> Finding:
    """It, or the folder in which it will be made, can be written and has room."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        return Finding(name, False, f"{there} is not a folder: move it away.")
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(name, False, f"{there} cannot be written by this user: chown or chmod it.")
    if folder.exists() and folder.stat().st_mode & 0o002:
        return Finding(name, False, f"everybody may write {folder}: chmod o-w {folder}")
    free = shutil.disk_usage(there).free
    if free < _FREE_BYTES:
        words = f"{there} has {free >> 20} MiB left, and 200 are needed: free some space."
        return Finding(name, False, words)
    return Finding(name, True, f"{folder}, {free >> 30} GiB free")


def _warehouse() -> str:
    warehouse = wiring.warehouse()
    try:
        warehouse.ping()
    finally:
        warehouse.close()
    return f"{warehouse.name} answers"


def _statements(pipelines: list[type[Entry]]) -> str:
    """Every SELECT of these pipelines can be rendered."""
    count = 0
    for pipeline in pipelines:
        for kind in pipeline.steps():
            step = kind(date=date(2021, 4, 30), asked="", dates=("2021-04-30",))
            count += step.select(["2021-04-30"]) is not None
    return f"{count} can be rendered"


def _templates() -> str:
    from operations.previews import previews

    return f"{len(list(previews()))} can be rendered"


def _luigid() -> Finding:
    core = ":".join(map(str, configuration.scheduler_place()))
    asked = settings.section(settings.run).scheduler
    if asked == "local":
        return Finding("luigid", True, "not used: [run] scheduler = local")
    if luigid_answers():
        return Finding("luigid", True, f"answers at {core}")
    if asked == "auto":
        return Finding("luigid", True, f"does not answer at {core}: runs do without it")
    words = f"does not answer at {core}: start it, or set [run] scheduler = auto."
    return Finding("luigid", False, words)


def refuse(findings: list[Finding]) -> None:
    """Stop with everything that is wrong at once."""
    if wrong := stopping(findings):
        raise ConfigError(
            f"{len(wrong)} problem{'s' * (len(wrong) > 1)} before the first step:\n"
            + "\n".join(f"  - {finding.what}: {finding.words}" for finding in wrong),
            "Nothing was changed. See all of it with: mnaas check",
        )
