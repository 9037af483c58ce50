"""What Luigi reports, written into the ledger and told to people: under `luigi` and `mnaas run`."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator

import luigi

from pipelines import clock, settings, wiring
from pipelines.delivery import Delivery
from pipelines.failures import DIED, Failure
from pipelines.night import RUN_BEGAN, Entry
from pipelines.redaction import redacted
from pipelines.step import Step
from pipelines.stored import StoredNight, run_key_of
from targets.errors import MnaasError

log = logging.getLogger("luigi-interface.mnaas")


def listen() -> None:
    """Register once; Luigi keeps handlers by class."""
    for event, kind, handler in (
        (RUN_BEGAN, Entry, _run_began),
        (luigi.Event.START, Step, _step_began),
        (luigi.Event.SUCCESS, Step, _step_done),
        (luigi.Event.FAILURE, Step, _step_failed),
        (luigi.Event.PROCESS_FAILURE, Step, _process_failed),
        (luigi.Event.BROKEN_TASK, Entry, _entry_broken),
        (luigi.Event.DEPENDENCY_MISSING, Entry, _entry_broken),
        (luigi.Event.DEPENDENCY_MISSING, Delivery, _delivery_missing),
        (luigi.Event.DEPENDENCY_PRESENT, Entry, _night_done),
        (luigi.Event.SUCCESS, Entry, _night_done),
    ):
        kind.event_handler(event)(handler)


def report_dead_runs(pipeline: type[Entry], ours: str = "") -> None:
    """A run that was begun and never ended left no word: say it for it.

    `ours` is the run key whose lock this process has.
    """
    locks, name = wiring.locks(), pipeline.get_task_family()
    for run_key in pipeline.unfinished():
        stored = StoredNight(wiring.state(), name, run_key)
        night = stored.read()
        if night is None or not night.running:
            continue
        if run_key != ours and locks.holder(f"run/{name}/{run_key}"):
            continue
        wiring.ledger().run_ended(night.run_id, "died", clock.local_now())
        day, _, variant = run_key.partition("@")
        failure = Failure(
            date=day,
            step="(the whole process)",
            kind=DIED,
            error=f"run {night.run_id} was begun and never ended: it was killed, or the machine "
            "went down.",
            resume=night.resume,
            run_id=night.run_id,
        )
        report(name, variant, failure)
        stored.ended()  # only now: killed before it, the next run tells it


def recover_done(pipeline: type[Entry]) -> None:
    """A night that got done and was killed before it could say so leaves its episode here."""
    if not wiring.state_has("incidents/open"):
        return
    from pipelines.notices import Incidents

    incidents, name = Incidents(), pipeline.get_task_family()
    for incident in incidents.all_open():
        for day, failure in incident.failures.items() if incident.pipeline == name else ():
            run_key = run_key_of(day, incident.variant)
            night = StoredNight(wiring.state(), name, run_key).read()
            if night and pipeline.done_since(failure.at, day, incident.variant, night):
                incidents.resolved(name, incident.variant, day)


def report(pipeline: str, variant: str, failure: Failure) -> None:
    from pipelines.notices import Incidents

    with never_in_the_way():
        Incidents().report(pipeline, variant, failure)


@contextlib.contextmanager
def never_in_the_way() -> Iterator[None]:
    """Notices fail with a warning: a night is worth more than the mail about it."""
    try:
        yield
    except (MnaasError, OSError) as error:
        log.warning("a notice could not be made: %s", error)


def _run_began(entry: Entry) -> None:
    with never_in_the_way():
        report_dead_runs(type(entry), entry.run_key)
        recover_done(type(entry))
    wiring.ledger().run_began(
        entry.run_id, entry.task_family, entry.run_key, socket.gethostname(), clock.local_now()
    )


def _step_began(step: Step) -> None:
    wiring.ledger().step_began(step.run_id, step.folder(), clock.local_now())


def _step_done(step: Step) -> None:
    with never_in_the_way():
        record = step.marker.read()
        wiring.ledger().step_ended(
            step.run_id,
            step.folder(),
            "done",
            clock.local_now(),
            attempts=record.attempts,
            rows=record.evidence.rows,
            error="",
        )


def _step_failed(step: Step, error: BaseException) -> None:
    _fail(step, type(error).__name__, _in_words(error))


def _process_failed(step: Step, message: str) -> None:
    _fail(step, "ProcessFailure", message)


def _fail(step: Step, kind: str, message: str) -> None:
    now = clock.local_now()
    words = redacted(message)
    wiring.ledger().step_ended(
        step.run_id, step.folder(), "failed", now, attempts=step.attempt, rows=0, error=words
    )
    wiring.ledger().run_ended(step.run_id, "failed", now)
    failure = Failure(
        date=str(step.date),
        step=type(step).__name__,
        kind=kind,
        error=words,
        resume=step.resume,
        run_id=step.run_id,
        attempts=step.attempt,
        marker=str(step.marker),
    )
    report(step.pipeline(), step.variant, failure)


def _entry_broken(entry: Entry, error: BaseException | None = None) -> None:
    """complete() or requires() raised; Luigi passes the error on only for requires()."""
    trouble = error or entry.trouble
    words = _in_words(trouble) if trouble else "the night could not be scheduled"
    kind = type(trouble).__name__ if trouble else "SchedulingError"
    _entry_failed(entry, Failure(str(entry.date), "(scheduling)", kind, words, entry.resume()))


def _delivery_missing(delivery: Delivery) -> None:
    error = delivery.why()
    pipeline, variant = delivery.pipeline, delivery.variant
    failure = Failure(
        str(delivery.date), "(missing input)", "MissingInputError", error, delivery.resume
    )
    wiring.ledger().run_ended(delivery.run_id, "failed", clock.local_now())
    report(pipeline, variant, failure)


def _entry_failed(entry: Entry, failure: Failure) -> None:
    with settings.only_what_is_asked_for(), never_in_the_way():
        wiring.ledger().run_ended(entry.run_id, "failed", clock.local_now())
        report(entry.task_family, entry.variant(), failure)


def _night_done(entry: Entry) -> None:
    wiring.ledger().run_ended(entry.run_id, "done", clock.local_now())
    if wiring.state_has("incidents/open", "incidents/unsent", "spool"):
        from pipelines.notices import Incidents

        with never_in_the_way():
            Incidents().resolved(entry.task_family, entry.variant(), str(entry.date))


def _in_words(error: BaseException) -> str:
    return str(error) if isinstance(error, MnaasError) else f"{type(error).__name__}: {error}"
