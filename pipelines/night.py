"""The entry of a pipeline: one night, what it works on, and that nobody else works on it.

The list of a night belongs to the night: read once, stored before the first step, and kept while
the night is unfinished, whatever happens to the file that it came from.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, cast

import luigi
from luigi.interface import PidLockAlreadyTakenExit

from pipelines import clock, configuration, settings, wiring
from pipelines.delivery import Delivery
from pipelines.parameters import BusinessDate
from pipelines.partition_list import digest_of, in_words
from pipelines.step import Step
from pipelines.stored import Night, StoredNight, run_key_of
from targets.errors import MnaasError
from targets.locks import Lock
from targets.marker import markers_of

log = logging.getLogger("luigi-interface.mnaas")

RUN_BEGAN = "event.mnaas.run.began"
_held: list[Lock] = []  # to the end of the process; children forked by Luigi share them


class AlreadyRunning(PidLockAlreadyTakenExit):
    """Another process has this night: Luigi ends with [retcode] already_running."""


class Entry(luigi.WrapperTask):
    """A pipeline under its operators' name; what it requires is its last step."""

    last_step: ClassVar[type[Step]]

    date = BusinessDate(description="the business date, YYYY-MM-DD; there is no default")
    stored_only = luigi.BoolParameter(
        default=False,
        significant=False,
        description="finish the night with the list that it was begun with",
    )
    trouble = cast("BaseException | None", None)  # annotated, it would be a parameter to mypy

    def variant(self) -> str:
        """What sets this run apart from others of its date."""
        return ""

    def current_dates(self) -> Sequence[str] | None:
        """What the night is asked to work on now; None when that has not been delivered."""
        raise NotImplementedError

    def delivery(self) -> Delivery:
        """The external task to wait for when `current_dates` are not there."""
        raise NotImplementedError

    def list_file(self) -> Path | None:
        """The file that `current_dates` come from, where they come from one."""
        return None

    def insisted(self) -> Mapping[str, Any]:
        """What the operator insists on in this run, for the steps."""
        return {}

    def resume(self) -> str:
        """The command that goes on with this night."""
        own = (
            f" --{name.replace('_', '-')} {value}"
            for name, parameter in self.get_params()
            if name != "date" and parameter.significant and (value := getattr(self, name))
        )
        return f"mnaas run {self.task_family} --date {self.date}{''.join(own)}"

    def delivered(self, kind: type[Delivery], **what: str) -> Delivery:
        """An external task of this night."""
        return kind(
            **what,
            pipeline=self.task_family,
            date=self.date,
            variant=self.variant(),
            run_id=self.run_id,
            resume=self.resume(),
        )

    @property
    def run_key(self) -> str:
        return run_key_of(self.date, self.variant())

    @classmethod
    def last(cls) -> type[Step]:
        """The step that ends a night here; a site may leave out some behind it."""
        return cls.last_step

    @classmethod
    def why_left_out(cls) -> str:
        """Why the steps behind the last one are left out here."""
        return ""

    @classmethod
    def checks(cls) -> Mapping[str, Callable[[], str | None]]:
        """What else could stop a night: questions that raise an error, by what they ask."""
        return {}

    @classmethod
    def steps(cls) -> list[type[Step]]:
        """All of them, also those that are left out here."""
        return cls.last_step.chain()

    def step(self, kind: type[Step], night: Night) -> Step:
        return kind(
            date=self.date,
            variant=self.variant(),
            asked=digest_of(night.dates),
            dates=night.dates,
            run_id=night.run_id,
            insisted=self.insisted(),
            resume=self.resume(),
        )

    def requires(self) -> luigi.Task:
        return self._required

    @cached_property
    def _required(self) -> luigi.Task:
        try:
            return self._begun()
        except Exception as error:
            self.trouble = error
            raise

    def _begun(self) -> luigi.Task:
        settings.check()
        self._take_run_lock()
        self._say_hello()
        self.trigger_event(RUN_BEGAN, self)
        stored, night = self.stored().read(), self.planned_night()
        if night is None:
            return self.delivery()
        if stored and set(stored.dates) < set(night.dates) and not self.is_done(stored):
            log.warning(
                "%s %s is unfinished: works on its stored list (%s) united with the current one",
                self.task_family,
                self.run_key,
                in_words(stored.dates),
            )
        log.info("partitions     %s", in_words(night.dates))
        if left_out := [kind.__name__ for kind in self.steps()[len(self.last().chain()) :]]:
            log.info("left out       %s: %s", ", ".join(left_out), self.why_left_out())
        self.stored().write(night)
        atexit.register(self._end)
        return self.step(self.last(), night)

    def _end(self) -> None:
        """At the process's end in order: a run that leaves this out has died."""
        try:
            self.stored().ended()
        except MnaasError as error:
            log.warning("the end of the run was not noted: %s", error)

    @cached_property
    def run_id(self) -> str:
        return clock.new_run_id()

    def planned_night(self) -> Night | None:
        """What a run would work on now: touches nothing."""
        stored, current = self.stored().read(), self.current_dates()
        if stored is not None and self.stored_only:
            return self._night(stored.dates)
        if stored is None or self.is_done(stored):
            if current is None:
                return self._night(stored.dates) if stored else None
            return self._night(current)
        united = dict.fromkeys([*stored.dates, *(current or ())])
        return self._night(united)

    def _night(self, dates: Iterable[str]) -> Night:
        return Night(tuple(dates), self.run_id, self.resume())

    def already_done(self) -> bool:
        """Whether a run would find nothing to do."""
        night = self.planned_night()
        return night is not None and self.is_done(night)

    def is_done(self, night: Night) -> bool:
        return self.step(self.last(), night).marker.exists()

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
        log.info("configuration  %s", ", ".join(str(path) for path in configuration.origin.files))
        log.info("engine         %s, database %s", asked.engine, asked.database)
        log.info("business date  %s (%s %s)", self.date, self.task_family, self.run_key)
        log.info("run id         %s", self.run_id)

    @classmethod
    def done_since(cls, moment: str, day: str, variant: str, night: Night) -> bool:
        """Whether that night's last marker is there and younger than a moment."""
        last = cls.last()(
            date=date.fromisoformat(day), variant=variant, asked=digest_of(night.dates)
        ).marker
        if not last.exists():
            return False
        return datetime.fromisoformat(last.read().ended) >= datetime.fromisoformat(moment)

    @classmethod
    def unfinished(cls) -> list[str]:
        """The run keys of nights that were begun and are not done: two listings, oldest first."""
        begun = wiring.state().list(f"nights/{cls.get_task_family()}")
        done = cls.done_keys()
        return [key for info in begun if (key := PurePosixPath(info.path).stem) not in done]

    @classmethod
    def done_keys(cls) -> set[str]:
        """The run keys that were done at all, with whatever list: one listing."""
        last = cls.last()
        listed = markers_of(wiring.markers(), last.pipeline(), last.folder())
        return {marker.run_key for marker in listed}

    @classmethod
    def bulk_complete(cls, parameter_tuples: Sequence[Any]) -> list[Any]:
        """Those that were done at all, with whatever list: one listing for a whole year."""
        done = cls.done_keys()
        return [asked for asked in parameter_tuples if _as_entry(cls, asked).run_key in done]


def _as_entry(kind: type[Entry], asked: Any) -> Entry:
    if isinstance(asked, dict):
        return kind(**asked)
    return kind(*asked) if isinstance(asked, (list, tuple)) else kind(asked)
