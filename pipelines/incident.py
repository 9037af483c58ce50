"""One failure episode of a pipeline, as it is kept in its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipelines.failures import Failure


def episode_name(pipeline: str, variant: str) -> str:
    """What names the one episode that a pipeline and variant can have open."""
    return f"{pipeline}@{variant}" if variant else pipeline


@dataclass(frozen=True)
class Incident:
    id: str
    pipeline: str
    variant: str
    opened: str
    first: Failure
    failures: dict[str, Failure] = field(default_factory=dict)
    recovered: Sequence[str] = ()
    reminders: int = 0
    next_reminder: float = 0
    command_called: bool = False
    closed: str = ""
    how: str = ""

    @property
    def name(self) -> str:
        return episode_name(self.pipeline, self.variant)

    def mails(self) -> list[str]:
        """The kinds of mail that this episode has asked for so far."""
        reminders = [f"reminder-{number}" for number in range(1, self.reminders + 1)]
        return ["ticket", "team", *reminders, *(["recovery"] if self.closed else [])]
