"""What a session asks of a driver, and what the drivers of HiveServer2's protocol share."""

from __future__ import annotations

import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from targets.warehouse.base import Row

BATCH = 10_000
_LOGIN = re.compile(
    r"^kerberos|Kerberos|GSS|Bad status|Error validating|Could not start SASL|Unsupported mechanism"
)
# TOperationState of the protocol; each driver has its own generated copy.
_GOING_ON, _FINISHED = (0, 1, 7), 2
_STATES = {3: "cancelled", 4: "closed", 5: "failed", 6: "in an unknown state"}


@dataclass(frozen=True)
class Access:
    """Where an engine's servers are, tried in order, and who we are there."""

    hosts: Sequence[str]
    port: int
    user: str
    section: str = "hiveserver2"  # where it is configured, for who has to mend it
    auth: str = "NONE"
    password: str = field(default="", repr=False)
    service: str = "hive"
    tls: bool = False
    ca_file: str = ""
    timeout_seconds: float = 60
    settings: Mapping[str, str] = field(default_factory=dict)

    def places(self) -> Iterator[tuple[str, int]]:
        for host in self.hosts:
            name, _, port = host.partition(":")
            yield name, int(port or self.port)


class ServerSaidError(Exception):
    """What a server answered in place of a result; drivers raise it, sessions translate it."""

    def __init__(self, message: str, state: str | None = None, code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.state = state or ""
        self.code = code or 0


class TimedOutError(Exception):
    """The socket's timeout, in seconds; drivers raise it."""


class NotTakenError(Exception):
    """The server did not take our login; drivers raise it."""


class Driver(ABC):
    """One connection of one driver, that runs one statement at a time.

    Its errors: ServerSaidError, TimedOutError, NotTakenError; anything else is a lost connection.
    """

    @abstractmethod
    def open(self, host: str, port: int, access: Access) -> None: ...

    @abstractmethod
    def start(self, sql: str, timeout_seconds: float) -> None: ...

    @abstractmethod
    def finished(self, timeout_seconds: float) -> bool:
        """Whether the statement is done; the server may take some seconds to say no."""

    @abstractmethod
    def fetch(self, rows: int, timeout_seconds: float) -> Sequence[Row]:
        """The next rows; none when there are no more."""

    @abstractmethod
    def cancel(self) -> None: ...

    @abstractmethod
    def finish(self) -> None:
        """Give back what the server holds for the statement."""

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def abandon(self) -> None:
        """Close the socket of a server that does not answer, without a farewell."""


def is_finished(answer: Any) -> bool:
    """What the answer to GetOperationStatus means."""
    if answer.operationState == _FINISHED:
        return True
    if answer.operationState in _GOING_ON:
        return False
    state = _STATES.get(answer.operationState, "in an unknown state")
    message = answer.errorMessage or f"the statement is {state}"
    raise ServerSaidError(message, answer.sqlState, answer.errorCode)


@contextlib.contextmanager
def thrift_errors(seconds: float) -> Iterator[None]:
    """Thrift's errors, and those of a login, become ours."""
    from thrift.transport.TTransport import TTransportException

    try:
        yield
    except ServerSaidError:
        raise
    except TimeoutError as error:
        raise TimedOutError(f"{seconds:.0f}") from error
    except Exception as error:
        if isinstance(error, TTransportException) and (
            error.type == TTransportException.TIMED_OUT or "timed out" in str(error)
        ):
            raise TimedOutError(f"{seconds:.0f}") from error
        if is_login_error(error):
            raise NotTakenError(str(error)) from error
        raise


def is_login_error(error: Exception) -> bool:
    """Whether it is one of the many ways in which SASL and Kerberos say no."""
    return bool(_LOGIN.search(f"{type(error).__module__} {error}"))
