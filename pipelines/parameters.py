"""The types of parameters that Luigi does not have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import luigi
from luigi.parameter import ParameterVisibility

from pipelines import configuration

ADDRESS = re.compile(r"[^@\s,<>]+@[^@\s,<>]+\Z")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])\Z")


class PathParameter(luigi.Parameter):
    """A path; a relative one counts from the parent of the config folder."""

    def parse(self, value: str) -> Path:
        return configuration.path(value)


class CountParameter(luigi.IntParameter):
    """A whole number, 0 or more."""

    def parse(self, value: str) -> int:
        number = int(value)
        if number < 0:
            raise ValueError("it must be 0 or more")
        return number


class SecondsParameter(luigi.FloatParameter):
    """A time in seconds, 0 or more."""

    def parse(self, value: str) -> float:
        number = float(value)
        if not 0 <= number < 1e9:
            raise ValueError("it must be seconds, 0 or more")
        return number


class SecretParameter(luigi.Parameter):
    """Never printed: neither in a task, nor in a problem, nor in a log or mail."""

    def __init__(self, **options: Any) -> None:
        super().__init__(significant=False, visibility=ParameterVisibility.PRIVATE, **options)


class AddressesParameter(luigi.Parameter):
    """Mail addresses with commas between; nothing means nobody."""

    def parse(self, value: str) -> tuple[str, ...]:
        addresses = tuple(part.strip() for part in value.split(",") if part.strip())
        for address in addresses:
            if not ADDRESS.match(address):
                raise ValueError(f"{address!r} is not a mail address")
        return addresses


class BusinessDate(luigi.DateParameter):
    def parse(self, value: str) -> Any:
        try:
            return super().parse(value)
        except ValueError:
            raise SystemExit(f"UsageError: --date {value!r} is not a date (YYYY-MM-DD).") from None


class BusinessMonth(luigi.Parameter):
    """A month, or nothing."""

    def parse(self, value: str) -> str:
        if value and not _MONTH.match(value):
            raise SystemExit(f"UsageError: --month {value!r} is not a month (YYYY-MM).")
        return value
