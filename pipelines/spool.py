"""Mails on their way: kept durably until they are taken, each sent once.

Under `spool/<name>.json` a mail waits, under `spool/sent/` it is remembered. "sending" is written
right before the mail is handed over. Killed in that window, it is handed over once more with the
same Message-ID, and never a third time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from targets.errors import MailError, MarkerError
from targets.locks import Locks
from targets.store.base import FileStore

if TYPE_CHECKING:
    from email.message import EmailMessage

    from targets.mailer import Mailer

log = logging.getLogger("luigi-interface.mnaas")

QUEUED, SENDING, SENDING_AGAIN, SENT = "queued", "sending", "sending again", "sent"


@dataclass(frozen=True)
class Spooled:
    name: str
    sender: str
    recipients: Sequence[str]
    mail: str
    urgent: bool = False
    state: str = QUEUED
    problem: str = ""
    refused: dict[str, str] = field(default_factory=dict)


class Spool:
    def __init__(self, store: FileStore, mailer: Mailer, locks: Locks) -> None:
        self._store = store
        self._mailer = mailer
        self._locks = locks

    def put(self, name: str, mail: EmailMessage, *, urgent: bool = False) -> None:
        """Keep a mail to be sent; one that is known under this name already is left alone."""
        if self.knows(name):
            return
        recipients = [
            address.strip()
            for header in ("To", "Cc")
            for address in str(mail.get(header, "")).split(",")
            if address.strip()
        ]
        text = mail.as_bytes().decode("ascii", errors="surrogateescape")
        self._write(Spooled(name, str(mail["From"]), recipients, text, urgent))

    def knows(self, name: str) -> bool:
        """Whether it waits or was sent."""
        return self._store.exists(f"spool/{name}.json") or self.was_sent(name)

    def was_sent(self, name: str) -> bool:
        return self._store.exists(f"spool/sent/{name}.json")

    def waiting(self) -> Iterator[Spooled]:
        for info in self._store.list("spool"):
            yield self._read(info.path)

    def deliver(self) -> None:
        """Send what waits, unless somebody else is at it; what stays says why in `problem`."""
        lock = self._locks.try_hold("mail", "delivery of mails")
        if lock is None:
            return
        try:
            for spooled in list(self.waiting()):
                self._send(spooled)
        finally:
            lock.release()

    def _send(self, spooled: Spooled) -> None:
        if spooled.state == SENDING_AGAIN:
            return self._finish(spooled)
        begun = SENDING_AGAIN if spooled.state == SENDING else SENDING

        def before_data() -> None:
            self._write(replace(spooled, state=begun))

        mail = spooled.mail.encode("ascii", errors="surrogateescape")
        try:
            delivery = self._mailer.send(mail, spooled.sender, spooled.recipients, before_data)
        except MailError as error:
            state = begun if error.may_have_arrived else spooled.state
            return self._keep(replace(spooled, state=state, problem=error.message))
        for recipient, words in {**delivery.never, **delivery.later}.items():
            log.warning("%s does not take mail for %s: %s", spooled.name, recipient, words)
        refused = {**spooled.refused, **delivery.never}
        if delivery.later:
            problem = "; ".join(f"{who}: {words}" for who, words in delivery.later.items())
            waiting = replace(spooled, recipients=list(delivery.later), refused=refused)
            return self._keep(replace(waiting, state=QUEUED, problem=problem))
        done = replace(spooled, refused=refused)
        if len(delivery.never) == len(set(spooled.recipients)):
            problem = "; ".join(f"{who}: {words}" for who, words in delivery.never.items())
            return self._keep(replace(done, state=QUEUED, problem=problem))
        return self._finish(done)

    def _keep(self, spooled: Spooled) -> None:
        log.warning("%s is kept in the spool: %s", spooled.name, spooled.problem)
        self._write(spooled)

    def _finish(self, spooled: Spooled) -> None:
        self._write(replace(spooled, state=SENT, problem=""))
        self._store.rename(f"spool/{spooled.name}.json", f"spool/sent/{spooled.name}.json")

    def _write(self, spooled: Spooled) -> None:
        path = f"spool/{spooled.name}.json"
        self._store.sweep(path)  # one process at a time writes this name: killed ones left these
        self._store.write(path, json.dumps(asdict(spooled)).encode())

    def _read(self, path: str) -> Spooled:
        try:
            return Spooled(**json.loads(self._store.read(path)))
        except (ValueError, TypeError) as error:
            raise MarkerError(
                f"the spooled mail {PurePosixPath(path).name} cannot be read: {error}.",
                f"Move {path} away from {self._store!r}; its ticket is in `mnaas incidents`.",
            ) from error
