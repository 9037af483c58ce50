"""A real SMTP server in the test process, on a free loopback port."""

from __future__ import annotations

import email
import email.message
import ssl
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.ports import free_port


@dataclass
class Inbox:
    """What the server took, and how it is told to answer."""

    mails: list[email.message.Message] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    refuse_data: str = ""

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.refuse_data:
            return self.refuse_data
        self.mails.append(email.message_from_bytes(envelope.content))
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"

    def ids(self) -> list[str]:
        return [str(mail["Message-ID"]).split("@")[0].rpartition(".")[2] for mail in self.mails]


class SmtpServer:
    def __init__(self, *, password: str = "", context: ssl.SSLContext | None = None) -> None:
        self.inbox = Inbox()
        self._password = password
        options: dict[str, Any] = {}
        if password:
            options.update(
                authenticator=self._authenticate, auth_required=True, auth_require_tls=bool(context)
            )
        if context:
            options.update(tls_context=context, require_starttls=True)
        self._controller = Controller(self.inbox, hostname="127.0.0.1", port=free_port(), **options)

    def __enter__(self) -> SmtpServer:
        self._controller.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._controller.stop()

    @property
    def port(self) -> int:
        port: int = self._controller.port
        return port

    def _authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any
    ) -> AuthResult:
        right = isinstance(data, LoginPassword) and data.password.decode() == self._password
        return AuthResult(success=right, handled=right or False)
