"""Forget that steps are done, so that the next run does them again."""

from __future__ import annotations

from pipelines import wiring
from pipelines.night import Entry
from pipelines.step import Step
from targets import marker
from targets.errors import LockTimeoutError


def would_forget(entry: Entry, first: type[Step]) -> list[str]:
    """The markers of this night for that step and those after it."""
    markers = wiring.markers()
    return marker.would_forget(markers, entry.task_family, entry.run_key, first.folder())


def rewind(entry: Entry, first: type[Step], forget_list: bool = False) -> list[str]:
    """Forget them, holding the night so that no run works on it meanwhile."""
    locks = wiring.locks()
    lock = locks.try_hold(entry.lock_name(), f"rewind of {entry.task_family} {entry.run_key}")
    if lock is None:
        raise LockTimeoutError(
            f"{entry.task_family} {entry.run_key} is running: {locks.holder(entry.lock_name())}.",
            "Nothing was forgotten. Rewind when it has ended.",
        )
    try:
        if forget_list:
            entry.stored().remove()
        return marker.forget(wiring.markers(), entry.task_family, entry.run_key, first.folder())
    finally:
        lock.release()
