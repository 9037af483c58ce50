"""Ways for a mail to leave: by SMTP, or into a folder where a person can look at it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from targets.errors import MailError
from targets.store.local import LocalStore, errors_named, make_folder

if TYPE_CHECKING:
    import smtplib


@dataclass(frozen=True)
class Delivery:
    """Whom the server did not take: for now, or for ever, with its words."""

    later: Mapping[str, str]
    never: Mapping[str, str]


class Mailer(Protocol):
    def send(
        self, mail: bytes, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Delivery:
        """Hand over one mail; `before_data` is called when from here on it may have arrived.

        MailError means that it has not been taken.
        """

    def ping(self) -> None:
        """An error when no mail could leave now."""


class FolderMailer:
    """Each mail becomes a file, named by its Message-ID: sent twice it is still one."""

    def __init__(self, folder: Path) -> None:
        self._store = LocalStore(folder)

    def send(
        self,
        mail: bytes,
        sender: str,  # noqa: ARG002
        recipients: Sequence[str],  # noqa: ARG002
        before_data: Callable[[], None],
    ) -> Delivery:
        found = re.search(rb"^Message-ID: <([^@>]+)", mail, re.MULTILINE)
        name = found[1].decode() if found else "mail"
        before_data()
        self._store.sweep(f"{name}.eml")
        self._store.write(f"{name}.eml", mail)
        return Delivery({}, {})

    def ping(self) -> None:
        with errors_named(str(self._store.root)):
            make_folder(self._store.root)


class SmtpMailer:
    def __init__(
        self,
        host: str,
        port: int,
        *,
        security: str = "none",
        user: str = "",
        password: str = "",
        ca_file: str = "",
        timeout_seconds: float = 20,
    ) -> None:
        self._host = host
        self._port = port
        self._security = security
        self._user = user
        self._password = password
        self._ca_file = ca_file
        self._timeout_seconds = timeout_seconds

    def ping(self) -> None:
        import smtplib

        try:
            self._connect().quit()
        except (OSError, smtplib.SMTPException) as error:
            raise self._error(error) from error

    def send(
        self, mail: bytes, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Delivery:
        import smtplib

        started = False
        try:
            connection = self._connect()
            try:
                delivery = self._envelope(connection, sender, recipients)
                if len(delivery.later) + len(delivery.never) < len(set(recipients)):
                    before_data()
                    started = True
                    code, words = connection.data(mail)
                    if code != 250:
                        raise MailError(f"{self._place()} refused the mail: {code} {_text(words)}.")
            finally:
                connection.close()
        except (OSError, smtplib.SMTPException) as error:
            raise self._error(error, may_have_arrived=started) from error
        return delivery

    def _connect(self) -> smtplib.SMTP:
        import smtplib
        import ssl

        context = ssl.create_default_context(cafile=self._ca_file or None)
        if self._security == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=self._timeout_seconds, context=context
            )
        else:
            connection = smtplib.SMTP(self._host, self._port, timeout=self._timeout_seconds)
        try:
            connection.ehlo_or_helo_if_needed()
            if self._security == "starttls":
                connection.starttls(context=context)
                connection.ehlo()
            if self._user:
                connection.login(self._user, self._password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _envelope(
        self, connection: smtplib.SMTP, sender: str, recipients: Sequence[str]
    ) -> Delivery:
        code, words = connection.mail(sender)
        if code != 250:
            raise MailError(f"{self._place()} refused the sender {sender}: {code} {_text(words)}.")
        later: dict[str, str] = {}
        never: dict[str, str] = {}
        for recipient in dict.fromkeys(recipients):
            code, words = connection.rcpt(recipient)
            if code not in (250, 251):
                (later if 400 <= code < 500 else never)[recipient] = f"{code} {_text(words)}"
        return Delivery(later, never)

    def _error(self, error: Exception, may_have_arrived: bool = False) -> MailError:
        words = " ".join(str(error).split()) or type(error).__name__
        return MailError(
            f"no mail could be sent by {self._place()}: {words}.",
            "Look at [mail]; the mail is kept and goes out with the next run, or now with: "
            "mnaas incidents flush",
            may_have_arrived=may_have_arrived,
        )

    def _place(self) -> str:
        return f"{self._host}:{self._port}"


def _text(words: bytes) -> str:
    return words.decode(errors="replace").replace("\n", " ")
