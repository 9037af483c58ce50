"""Forget that steps are done, so that the next run does them again."""

from __future__ import annotations

from pipelines import wiring
from pipelines.night import Entry
from pipelines.step import Step
from targets.errors import LockTimeoutError
from targets.marker import forget, markers_of


def would_forget(entry: Entry, first: type[Step]) -> list[str]:
    """The markers of this night for that step and those after it."""
    return [
        marker.path
        for marker in markers_of(wiring.markers(), entry.task_family)
        if marker.run_key == entry.run_key and marker.step >= first.folder()
    ]


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
        return forget(wiring.markers(), entry.task_family, entry.run_key, first.folder())
    finally:
        lock.release()
