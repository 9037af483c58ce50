"""The entry of a pipeline: one night, what it works on, and that nobody else works on it.

The list of a night belongs to the night: read once, stored before the first step, and kept while
the night is unfinished, whatever happens to the file that it came from.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

import luigi
from luigi.interface import PidLockAlreadyTakenExit

from pipelines import clock, settings, wiring
from pipelines.partition_list import digest_of, in_words
from pipelines.step import Step
from targets.errors import MarkerError
from targets.locks import Lock
from targets.marker import markers_of
from targets.store.base import FileStore

log = logging.getLogger("luigi-interface.mnaas")

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])\Z")
_held: list[Lock] = []  # to the end of the process; children forked by Luigi share them


class AlreadyRunning(PidLockAlreadyTakenExit):
    """Another process has this night: Luigi ends with [retcode] already_running."""


@dataclass(frozen=True)
class Night:
    dates: tuple[str, ...]
    run_id: str


class StoredNight:
    """A night as it was begun, in the state folder."""

    def __init__(self, store: FileStore, pipeline: str, run_key: str) -> None:
        self._store = store
        self._path = f"nights/{pipeline}/{run_key}.json"

    def read(self) -> Night | None:
        if not self._store.exists(self._path):
            return None
        try:
            content = json.loads(self._store.read(self._path))
            return Night(tuple(content["dates"]), content["run_id"])
        except (ValueError, TypeError, KeyError) as error:
            raise MarkerError(
                f"{self._path} in {self._store!r} cannot be read: {error!r}.",
                "It holds the list of an unfinished night. Move it away and rerun: the night then "
                "works on the current list alone.",
            ) from error

    def write(self, night: Night) -> None:
        self._store.sweep(self._path)
        self._store.write(self._path, json.dumps(asdict(night)).encode())


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


class Entry(luigi.WrapperTask):
    """A pipeline under its operators' name; what it requires is its last step."""

    last_step: ClassVar[type[Step]]

    date = BusinessDate(description="the business date, YYYY-MM-DD; there is no default")
    max_drops = luigi.OptionalIntParameter(
        default=None,
        significant=False,
        description="drop up to so many partitions, whatever the configuration allows",
    )

    def variant(self) -> str:
        """What sets this run apart from others of its date."""
        return ""

    def current_dates(self) -> Sequence[str] | None:
        """What the night is asked to work on now; None when that has not been delivered."""
        raise NotImplementedError

    def delivery(self) -> luigi.Task:
        """The external task to wait for when there is nothing to work on."""
        raise NotImplementedError

    @property
    def run_key(self) -> str:
        return f"{self.date}@{self.variant()}" if self.variant() else str(self.date)

    @classmethod
    def steps(cls) -> list[type[Step]]:
        return cls.last_step.chain()

    def step(self, kind: type[Step], night: Night) -> Step:
        return kind(
            date=self.date,
            variant=self.variant(),
            asked=digest_of(night.dates),
            dates=night.dates,
            run_id=night.run_id,
            max_drops=self.max_drops,
        )

    def requires(self) -> luigi.Task:
        return self._required

    @cached_property
    def _required(self) -> luigi.Task:
        settings.check()
        self._take_run_lock()
        self._say_hello()
        night = self.planned_night()
        if night is None:
            return self.delivery()
        log.info("partitions     %s", in_words(night.dates))
        self.stored().write(night)
        return self.step(self.last_step, night)

    @cached_property
    def run_id(self) -> str:
        return clock.new_run_id()

    def planned_night(self) -> Night | None:
        """What a run would work on now: touches nothing."""
        stored, current = self.stored().read(), self.current_dates()
        if stored is None or self.is_done(stored):
            if current is None:
                return Night(stored.dates, self.run_id) if stored else None
            return Night(tuple(current), self.run_id)
        united = dict.fromkeys([*stored.dates, *(current or ())])
        if current is not None and set(current) != set(stored.dates):
            log.warning(
                "%s %s is unfinished: works on its stored list (%s) united with the current one",
                self.task_family,
                self.run_key,
                in_words(stored.dates),
            )
        return Night(tuple(united), self.run_id)

    def is_done(self, night: Night) -> bool:
        return self.step(self.last_step, night).marker.exists()

    def stored(self) -> StoredNight:
        return StoredNight(wiring.state(), self.task_family, self.run_key)

    def lock_name(self) -> str:
        return f"run/{self.task_family}/{self.run_key}"

    def _take_run_lock(self) -> None:
        locks = wiring.locks()
        lock = locks.try_hold(self.lock_name(), f"{self.task_family} {self.run_key}")
        if lock is None:
            holder = locks.holder(self.lock_name())
            log.warning("already running: %s. Nothing was done.", holder)
            raise AlreadyRunning
        _held.append(lock)

    def _say_hello(self) -> None:
        asked = settings.section(settings.warehouse)
        log.info("configuration  %s", ", ".join(str(path) for path in settings.origin.files))
        log.info("engine         %s, database %s", asked.engine, asked.database)
        log.info("business date  %s (%s %s)", self.date, self.task_family, self.run_key)
        log.info("run id         %s", self.run_id)

    @classmethod
    def bulk_complete(cls, parameter_tuples: Sequence[Any]) -> list[Any]:
        """Those that were done at all, with whatever list: one listing for a whole year."""
        last = cls.last_step
        done = {
            marker.run_key
            for marker in markers_of(wiring.markers(), last.pipeline(), last.folder())
        }
        return [asked for asked in parameter_tuples if _as_entry(cls, asked).run_key in done]


def _as_entry(kind: type[Entry], asked: Any) -> Entry:
    if isinstance(asked, dict):
        return kind(**asked)
    return kind(*asked) if isinstance(asked, (list, tuple)) else kind(asked)
