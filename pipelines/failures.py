"""A failed night in words, for whoever has to be told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TextIO

LOG_FILE = "MNAAS_LOG_FILE"  # in the environment: where the run that wants to be found logs

# Where `mnaas run` hears of failures: a file that it shares with the process that it forks.
heard: list[TextIO] = []


@dataclass(frozen=True)
class Failure:
    """What a ticket says about one failed night."""

    date: str
    step: str
    kind: str
    error: str
    resume: str
    run_id: str = ""
    attempts: int = 1
    marker: str = ""
    host: str = ""
    at: str = ""
    log: str = ""
    log_tail: str = ""


DIED = "Died"  # the kind of a failure that another process has to tell


def let_hear(failure: Failure) -> None:
    """Tell who started us of a failure of ours; a dead run was somebody else's."""
    if failure.kind == DIED:
        return
    for listener in heard:
        listener.write(json.dumps([failure.kind, failure.step, failure.error]) + "\n")
        listener.flush()


def last_heard(listener: TextIO) -> tuple[str, str, str] | None:
    """Kind, step and error of the last failure, if there was one."""
    listener.seek(0)
    lines = listener.read().splitlines()
    if not lines:
        return None
    kind, step, error = json.loads(lines[-1])
    return kind, step, error
