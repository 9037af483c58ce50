"""Lists of dates: read from a file that another process writes, or all days of a month."""

from __future__ import annotations

import calendar
import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path

from targets.errors import PartitionListError

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z|\d{8}\Z", re.ASCII)


def parse_list(text: str, name: str) -> list[str]:
    """The dates, each once and in their order; any line that is not one refuses the whole list."""
    dates = []
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.strip()
        if not entry or "WARN" in entry:
            continue
        parsed = _parse_date(entry)
        if parsed is None:
            raise PartitionListError(
                f"{name} line {number}: {entry[:40]!r} is not a date (YYYY-MM-DD). "
                "Nothing was changed.",
                "Mend the line and rerun.",
            )
        dates.append(parsed)
    return list(dict.fromkeys(dates))


def read_list(path: Path) -> list[str] | None:
    """The list in that file; None when there is no file."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise PartitionListError(
            f"{path} cannot be read: {error}. Nothing was changed.",
            "It must be a text file with one date a line.",
        ) from error
    return parse_list(text, str(path))


def days_of(month: str, until: date) -> list[str]:
    """Every day of a month `YYYY-MM`, none after `until`."""
    year, number = (int(part) for part in month.split("-"))
    days = (date(year, number, day) for day in range(1, calendar.monthrange(year, number)[1] + 1))
    return [day.isoformat() for day in days if day <= until]


def digest_of(dates: Iterable[str]) -> str:
    """Twelve digits that change when the set of dates does."""
    return hashlib.sha256("\n".join(sorted(dates)).encode()).hexdigest()[:12]


def in_words(dates: Iterable[str]) -> str:
    """Dates with runs of days shortened; months as they are."""
    listed = sorted(dates)
    spans = listed if any(len(entry) < 10 for entry in listed) else _spans(listed)
    return ", ".join(spans) or "none"


def _spans(dates: list[str]) -> Iterator[str]:
    """Runs of days that follow one another: 2021-04-01..2021-04-30."""
    ordinals = [date.fromisoformat(day).toordinal() for day in dates]
    start = 0
    for here in range(len(dates)):
        if here + 1 == len(dates) or ordinals[here + 1] != ordinals[here] + 1:
            yield dates[here] if start == here else f"{dates[start]}..{dates[here]}"
            start = here + 1


def _parse_date(entry: str) -> str | None:
    if not _DATE.match(entry):
        return None
    try:
        return datetime.strptime(entry.replace("-", ""), "%Y%m%d").date().isoformat()
    except ValueError:
        return None
