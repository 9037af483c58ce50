"""The last nights of each pipeline and variant, a cell a night."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import PurePosixPath

from pipelines import wiring
from pipelines.incident import episode_name
from pipelines.night import Entry
from pipelines.stored import run_key_of

CELLS = {"done": "D", "failed": "F", "running": "R", "missing": "."}


@dataclass(frozen=True)
class Row:
    name: str
    nights: dict[str, str]  # date: done, failed, running or missing

    def cells(self) -> str:
        return "".join(CELLS[state] for state in self.nights.values())


def calendar(kinds: Iterable[type[Entry]], last: date, count: int) -> list[Row]:
    """Two listings a pipeline, however many nights."""
    days = [str(last - timedelta(days=number)) for number in reversed(range(count))]
    return [row for kind in kinds for row in _rows(kind, days)]


def _rows(kind: type[Entry], days: list[str]) -> list[Row]:
    name = kind.get_task_family()
    done = kind.done_keys()
    begun = {PurePosixPath(info.path).stem for info in wiring.state().list(f"nights/{name}")}
    usual = kind(date=date.fromisoformat(days[-1])).variant()
    shown = {key.partition("@")[2] for key in done | begun if key[:10] in days}
    return [
        Row(
            episode_name(name, variant),
            {day: _state(name, run_key_of(day, variant), done, begun) for day in days},
        )
        for variant in sorted(shown | {usual})
    ]


def _state(pipeline: str, run_key: str, done: set[str], begun: set[str]) -> str:
    if run_key in begun and wiring.locks().holder(f"run/{pipeline}/{run_key}"):
        return "running"
    if run_key in done:
        return "done"
    return "failed" if run_key in begun else "missing"
