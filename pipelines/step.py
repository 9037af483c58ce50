"""Step: one link of a pipeline, done when its marker is there.

An author writes `work`, which is idempotent as a whole, and where useful `verify`, `writes` and
`sweep`. Nobody overrides `run`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import luigi

from pipelines import clock, settings, wiring
from pipelines.partition_list import in_words
from pipelines.progress import Progress
from pipelines.stored import run_key_of
from targets.errors import AuditError, TransientError
from targets.marker import Evidence, Marker, Record, forget
from targets.schema import Table
from targets.warehouse.base import Statement, Warehouse

if TYPE_CHECKING:
    import tenacity

log = logging.getLogger("luigi-interface.mnaas")


AnyStep = TypeVar("AnyStep", bound="Step")


class Step(luigi.Task):
    # Entries are what people run. As tasks of the command line, the steps of five pipelines would
    # cost each `luigi` 25 ms: it builds a parser of all their parameters, nine times.
    _visible_in_registry = False

    date = luigi.DateParameter(description="the business date")
    variant = luigi.Parameter(default="", description="what sets this run apart on its date")
    asked = luigi.Parameter(description="digest of what the night works on")
    dates = luigi.ListParameter(significant=False, default=(), description="the night's list")
    run_id = luigi.Parameter(significant=False, default="", description="the run's id")
    insisted = luigi.DictParameter(
        significant=False,
        default=dict[str, Any](),
        description="what the operator insists on in this run",
    )
    resume = luigi.Parameter(significant=False, default="", description="how to resume the night")
    attempt = 0

    after: ClassVar[type[Step] | None] = None
    alone_with: ClassVar[tuple[str, ...]] = ()  # what else nobody touches while it works
    legacy_flag: ClassVar[int | None] = None  # its number in the legacy job, where it had one

    # What an author writes.

    def work(self) -> Evidence:
        """Do the step. Called again as a whole after a passing error; `attempt` counts."""
        raise NotImplementedError

    def verify(self, evidence: Evidence) -> None:
        """Look once more at what `work` left; raise AuditError when it is not as said."""

    def writes(self) -> Sequence[Table]:
        """The tables that `work` changes; nobody else changes them meanwhile."""
        return ()

    def select(self, dates: Sequence[str]) -> Statement | None:
        """The SELECT that `work` runs for these dates, where it is one."""

    def outlook(self) -> str:
        """What it would do, for a site that leaves it out."""
        return ""

    def sweep(self) -> None:
        """Remove what killed runs of this step left."""

    def locked(self) -> list[str]:
        """The locks that it holds while it works."""
        return [*self.alone_with, *(f"table/{table.name}" for table in self.writes())]

    # Who it is.

    @classmethod
    def pipeline(cls) -> str:
        return str(cls.get_task_namespace())

    @classmethod
    def chain(cls) -> list[type[Step]]:
        """The steps up to this one, in order."""
        return [*(cls.after.chain() if cls.after else ()), cls]

    @classmethod
    def folder(cls) -> str:
        """Its name in the marker store: 02-LoadStaging."""
        return f"{len(cls.chain()):02d}-{cls.__name__}"

    @cached_property
    def run_key(self) -> str:
        return run_key_of(self.date, self.variant)

    @cached_property
    def digest(self) -> str:
        before = self.before().digest if self.after else ""
        asked = [self.pipeline(), self.folder(), self.run_key, self.asked, before]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]

    @property
    def marker(self) -> Marker:
        return Marker(wiring.markers(), self.pipeline(), self.folder(), self.run_key, self.digest)

    def before(self) -> Step:
        """The step that this one follows."""
        assert self.after is not None
        return self.sibling(self.after)

    def sibling(self, kind: type[AnyStep]) -> AnyStep:
        """Another step of the same night."""
        return kind(
            date=self.date,
            variant=self.variant,
            asked=self.asked,
            dates=self.dates,
            run_id=self.run_id,
            insisted=self.insisted,
            resume=self.resume,
        )

    def evidence_of(self, kind: type[Step]) -> Evidence:
        return self.sibling(kind).marker.read().evidence

    # What Luigi asks.

    def requires(self) -> Step | list[Step]:
        return self.before() if self.after else []

    def output(self) -> luigi.Target | list[luigi.Target]:
        return self.marker

    def on_failure(self, exception: BaseException) -> Any:
        """What the visualiser shows: our own errors without their traceback."""
        from targets.errors import MnaasError

        if isinstance(exception, MnaasError):
            return f"{type(exception).__name__}: {exception}"
        return super().on_failure(exception)

    def run(self) -> None:
        started = clock.local_now()
        with (
            Progress(self) as self.progress,
            wiring.locks().hold(
                self.locked(),
                f"{self.pipeline()} {self.run_key} {type(self).__name__}",
                settings.section(settings.state).lock_wait_seconds,
                self.progress.say,
            ),
        ):
            if self.complete():
                self.progress.say("done meanwhile by another run")
                return
            self._check_predecessor()
            self._sweep()
            forget(wiring.markers(), self.pipeline(), self.run_key, self.folder())
            evidence = self._work_with_retries()
            self.marker.write(self._record(started, evidence))
        self._report(evidence)

    # How it does so.

    @cached_property
    def warehouse(self) -> Warehouse:
        return wiring.warehouse()

    @property
    def version(self) -> str:
        """The name under which this attempt writes aside."""
        return f"{self.run_id}-{self.attempt}"

    def _check_predecessor(self) -> None:
        if self.after and not self.before().marker.exists():
            raise AuditError(
                f"{self.before().marker} is gone: {self.after.__name__} has to be done again.",
                "Somebody has rewound this night. Rerun it.",
            )

    def _sweep(self) -> None:
        wiring.markers().sweep(f"{self.pipeline()}/{self.folder()}/{self.run_key}.")
        self.warehouse.sweep_scratch()
        for table in self.writes():
            self.warehouse.sweep(table)
        self.sweep()

    def _work_with_retries(self) -> Evidence:
        for attempt in _retrying(self._say_retry):
            with attempt:
                self.attempt = attempt.retry_state.attempt_number
                try:
                    evidence = self.work()
                    self.verify(evidence)
                    evidence = self._with_remarks(evidence)
                finally:
                    self.warehouse.close()
        return evidence

    def _with_remarks(self, evidence: Evidence) -> Evidence:
        """What the warehouse has to say, beside what the step says itself."""
        remarks = self.warehouse.remarks
        if remarks.superseded:
            details = {**evidence.details, "superseded": dict(remarks.superseded)}
            evidence = replace(evidence, details=details)
        return evidence.with_warnings(remarks.warnings)

    def _say_retry(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait = state.next_action.sleep if state.next_action else 0
        self.progress.say(
            f"attempt {state.attempt_number} failed, next in {wait:.0f} s: "
            f"{str(error).splitlines()[0]}"
        )

    def _record(self, started: str, evidence: Evidence) -> Record:
        from importlib.metadata import version

        return Record(
            pipeline=self.pipeline(),
            step=self.folder(),
            run_key=self.run_key,
            parameters=self.to_str_params(only_significant=True),
            inputs={"dates": in_words(self.dates)},
            run_id=self.run_id,
            host=socket.gethostname(),
            version=version("mnaas-pipelines"),
            started=started,
            ended=clock.local_now(),
            attempts=self.attempt,
            evidence=evidence,
        )

    def _report(self, evidence: Evidence) -> None:
        for warning in evidence.warnings:
            log.warning("%s: %s", self.get_task_family(), warning)
        self.progress.finish(f"{evidence.rows} rows")
        log.info("%s: done, %s rows", self.get_task_family(), evidence.rows)


def _retrying(before_sleep: Any) -> Iterator[Any]:
    import tenacity

    asked = settings.section(settings.retry)
    return iter(
        tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            wait=tenacity.wait_exponential(
                multiplier=asked.first_wait_seconds, max=asked.longest_wait_seconds
            )
            + tenacity.wait_random(0, asked.first_wait_seconds),
            stop=tenacity.stop_after_attempt(asked.attempts)
            | tenacity.stop_after_delay(asked.deadline_seconds),
            before_sleep=before_sleep,
            reraise=True,
        )
    )
