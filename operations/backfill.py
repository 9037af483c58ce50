"""A range of nights, oldest first, none left out silently."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from operations.run import Ended, run
from pipelines.night import Entry
from targets.errors import ConfigError


def days_between(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def backfill(
    kind: type[Entry], days: list[date], own: dict[str, Any], keep_going: bool
) -> Iterator[tuple[date, list[Ended] | None]]:
    """Each day with how its night ended; None when it is skipped because it is done."""
    _insist_on_lists_of_their_own(kind(date=days[0], **own))
    for day in days:
        entry = kind(date=day, **own)
        if entry.already_done():
            yield day, None
            continue
        ended = run(entry)
        yield day, ended
        if ended[-1].code and not keep_going:
            return


def _insist_on_lists_of_their_own(entry: Entry) -> None:
    """One list for all days would do the same work again and again, and each day nothing else."""
    another = type(entry)(**{**entry.param_kwargs, "date": entry.date + timedelta(days=1)})
    listed = entry.list_file()
    if listed is not None and listed == another.list_file():
        raise ConfigError(
            f"every day of {entry.task_family} would work on the same list, {listed}.",
            "Put {date} into its path in the configuration, or give --month where it has one.",
        )
