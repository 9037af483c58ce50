"""Incidents: people are told once and clearly that a night fails, and once that it is over.

One episode at a time for each pipeline and variant: further dates join it, and it closes when all
of them are done. The episode's file is written first and its mails follow from it, so that a kill
in between loses none: the next run spools what is missing.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pipelines import clock, settings, wiring
from pipelines.failures import LOG_FILE, Failure, let_hear
from pipelines.incident import Incident, episode_name
from pipelines.redaction import redacted
from pipelines.spool import Spooled
from targets.errors import ConfigError, MarkerError

log = logging.getLogger("luigi-interface.mnaas")


class Incidents:
    def __init__(self) -> None:
        self._store = wiring.state()
        self._asked = settings.section(settings.notices)

    def report(self, pipeline: str, variant: str, failure: Failure) -> None:
        """A night failed: open an episode, or join the one that is open."""
        let_hear(replace(failure, error=redacted(failure.error)))
        if not self._asked.enabled:
            return
        failure = _completed(failure, self._asked.log_lines)
        with self._alone():
            incident = self.open_for(pipeline, variant)
            if incident is None:
                incident = self._opened(pipeline, variant, failure)
            self._save(replace(incident, failures={**incident.failures, failure.date: failure}))
        self.catch_up()

    def resolved(self, pipeline: str, variant: str, date: str) -> None:
        """A night is done: it leaves its episode, which closes when it was the last."""
        incident = self.open_for(pipeline, variant)
        if incident and date in incident.failures:
            with self._alone():
                self._recover(pipeline, variant, date)
        self.catch_up()

    def close(self, identity: str) -> Incident:
        with self._alone():
            for incident in self.all_open():
                if incident.id == identity:
                    closed = self._closed(incident, "closed by hand")
                    break
            else:
                known = ", ".join(incident.id for incident in self.all_open()) or "none"
                raise ConfigError(f"no episode {identity} is open.", f"Open are: {known}")
        self.catch_up()
        return closed

    def open_for(self, pipeline: str, variant: str) -> Incident | None:
        path = f"incidents/open/{episode_name(pipeline, variant)}.json"
        return self._read(path) if self._store.exists(path) else None

    def all_open(self) -> list[Incident]:
        return [self._read(info.path) for info in self._store.list("incidents/open")]

    def all_closed(self) -> list[Incident]:
        return [self._read(info.path) for info in self._store.list("incidents/closed")]

    def catch_up(self) -> list[Spooled]:
        """Spool what is missing, remind when it is time, and send; what could not be sent."""
        with self._alone():
            for incident in self.all_open():
                if self._store.exists(f"incidents/unsent/{incident.id}.json"):
                    self._store.remove(f"incidents/open/{incident.name}.json")
                    continue  # killed while it was being closed
                self._call_command(self._remind(incident))
            for info in self._store.list("incidents/unsent"):
                self._spool_all(self._read(info.path))
                self._store.rename(info.path, info.path.replace("unsent", "closed"))
        spool = wiring.spool()
        spool.deliver()
        left = [spooled for spooled in spool.waiting() if spooled.problem]
        self._alert([spooled for spooled in left if spooled.urgent])
        return left

    # How an episode goes on.

    def _opened(self, pipeline: str, variant: str, failure: Failure) -> Incident:
        identity = f"{pipeline}-{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(2)}"
        first_reminder = time.time() + 3600 * self._hours(0)
        return Incident(
            identity, pipeline, variant, clock.local_now(), failure, next_reminder=first_reminder
        )

    def _recover(self, pipeline: str, variant: str, date: str) -> None:
        incident = self.open_for(pipeline, variant)
        if incident is None or date not in incident.failures:
            return
        left = {day: failure for day, failure in incident.failures.items() if day != date}
        recovered = replace(incident, failures=left, recovered=[*incident.recovered, date])
        if left:
            self._save(recovered)
        else:
            self._closed(recovered, "every night of it is done")

    def _closed(self, incident: Incident, how: str) -> Incident:
        closed = replace(incident, closed=clock.local_now(), how=how)
        self._write(f"incidents/unsent/{incident.id}.json", closed)
        self._store.sweep(f"incidents/open/{incident.name}.json")
        self._store.remove(f"incidents/open/{incident.name}.json")
        log.info("episode %s is over: %s", incident.id, how)
        return closed

    def _remind(self, incident: Incident) -> Incident:
        if time.time() >= incident.next_reminder:
            number = incident.reminders + 1
            due = time.time() + 3600 * self._hours(number)
            incident = replace(incident, reminders=number, next_reminder=due)
            self._save(incident)
        self._spool_all(incident)
        return incident

    def _hours(self, number: int) -> float:
        """How long after the last mail the next reminder comes."""
        hours: Sequence[float] = self._asked.reminder_hours
        return hours[min(number, len(hours) - 1)] if hours else 24 * 365 * 100

    def _spool_all(self, incident: Incident) -> None:
        from pipelines.letters import letter

        spool = wiring.spool()
        for kind in incident.mails():
            name = f"{incident.id}.{kind}"
            if not spool.knows(name) and (mail := letter(incident, kind, name)):
                spool.put(name, mail, urgent=kind == "ticket")

    def _call_command(self, incident: Incident) -> None:
        if not self._asked.command or incident.command_called:
            return
        from pipelines.letters import call_with, letter

        self._save(replace(incident, command_called=True))
        if mail := letter(incident, "ticket", f"{incident.id}.ticket", always=True):
            call_with(self._asked.command, mail.get_content())

    def _alert(self, undelivered: Sequence[Spooled]) -> None:
        """What a person or a monitor finds when even the mail is down."""
        if undelivered:
            text = "\n\n".join(f"{spooled.problem}\n{spooled.mail}" for spooled in undelivered)
            self._store.write("ALERT", text.encode(errors="surrogateescape"))
        elif self._store.exists("ALERT"):
            self._store.remove("ALERT")

    # Files.

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with wiring.locks().hold(["incidents"], "the notices", 120, log.warning):
            yield

    def _save(self, incident: Incident) -> None:
        self._write(f"incidents/open/{incident.name}.json", incident)

    def _write(self, path: str, incident: Incident) -> None:
        self._store.sweep(path)
        self._store.write(path, json.dumps(asdict(incident), indent=1).encode())

    def _read(self, path: str) -> Incident:
        try:
            content: dict[str, Any] = json.loads(self._store.read(path))
            content["first"] = Failure(**content["first"])
            failures = content["failures"].items()
            content["failures"] = {day: Failure(**failure) for day, failure in failures}
            return Incident(**content)
        except (ValueError, TypeError, KeyError) as error:
            raise MarkerError(
                f"the episode {path} cannot be read: {error}.",
                f"Move it away from {self._store!r}; a night that still fails opens a new one.",
            ) from error


def _completed(failure: Failure, log_lines: int) -> Failure:
    file = os.environ.get(LOG_FILE, "")
    return replace(
        failure,
        error=redacted(failure.error),
        host=socket.gethostname(),
        at=clock.local_now(),
        log=file,
        log_tail=redacted(tail(Path(file), log_lines)) if file else "",
    )


def tail(file: Path, lines: int) -> str:
    try:
        with file.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 64_000))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:]) if lines else ""
