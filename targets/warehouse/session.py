"""A session with a server that speaks HiveServer2's protocol: statements, each with a deadline.

The drivers have no deadline of their own, so a statement is started and asked for until it is done;
the socket's timeout ends what does not answer at all. After such an end the session is thrown away.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Iterator, Sequence

from targets.errors import (
    DeadlineError,
    FailedJobError,
    LoginError,
    LostConnectionError,
    MissingPartitionError,
    MissingTableError,
    MnaasError,
    StatementError,
    first_line,
)
from targets.warehouse.base import Progress, Row, no_progress
from targets.warehouse.driver import (
    BATCH,
    Access,
    Driver,
    NotTakenError,
    ServerSaidError,
    TimedOutError,
)

log = logging.getLogger("luigi-interface.mnaas")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.25
# So long a server may keep its answer to whether a statement is done; without it, no cancel.
_LONGEST_POLL = 6
_STACK = re.compile(r"\s*\n\s*(at |== |\*|'|Caused by:)")
_WRAPPINGS = re.compile(
    r"^(Error while (compiling statement|processing statement)|Error running query|FAILED"
    r"|\[[A-Z_.]+\]|(SemanticException|Execution Error, return code \d+ from [\w.$]+)"
    r"|([a-z]\w*\.)+[A-Z]\w*(Exception|Error))(?=[:. ]):?\.?\s*"
)
# What a server says of itself rather than of the statement.
_LOST = re.compile(r"Invalid (Session|Operation)Handle|session .* (closed|expired)", re.IGNORECASE)
_NO_TABLE = re.compile(r"Could not resolve table reference|Table does not exist")  # Impala's words
_PASSING = re.compile(r"[Mm]eta ?store|Connection refused|timed out|SafeMode|[Rr]etriable")
_REFUSED = re.compile(
    r"AlreadyExists|InvalidOperation|NoSuchObject|AccessControl|Permission denied|not authorized"
    r"|Authorization|HiveAccessControl",
)


class Session:
    def __init__(
        self, engine: str, driver: type[Driver], access: Access, deadline_seconds: float
    ) -> None:
        self.engine = engine
        self.access = access
        self._new_driver = driver
        self._deadline_seconds = deadline_seconds
        self._driver: Driver | None = None
        self._server = ""

    def run(self, name: str, sql: str, progress: Progress = no_progress) -> None:
        """A statement that gives no rows (asking for some would be an error on both drivers)."""
        with self._running(name, sql, progress):
            pass

    def rows(self, name: str, sql: str) -> list[Row]:
        return [row for batch in self.batches(name, sql) for row in batch]

    def batches(
        self, name: str, sql: str, progress: Progress = no_progress
    ) -> Iterator[Sequence[Row]]:
        with self._running(name, sql, progress) as (driver, deadline):
            while batch := driver.fetch(BATCH, deadline.left()):
                yield batch

    def close(self) -> None:
        if self._driver is not None:
            with contextlib.suppress(Exception):  # it may be gone; we are done with it anyway
                self._driver.close()
            self._driver = None

    def _abandon(self) -> None:
        if self._driver is not None:
            with contextlib.suppress(Exception):
                self._driver.abandon()
            self._driver = None

    @contextlib.contextmanager
    def _running(
        self, name: str, sql: str, progress: Progress
    ) -> Iterator[tuple[Driver, _Deadline]]:
        deadline = _Deadline(self._deadline_seconds)
        driver = self._connected()
        with self._errors(name, sql):
            _start(driver, sql, deadline)
            self._wait(driver, deadline, name, progress)
            yield driver, deadline
            driver.finish()

    def _wait(self, driver: Driver, deadline: _Deadline, name: str, progress: Progress) -> None:
        pause = _FIRST_PAUSE
        patience = self.access.timeout_seconds
        while not driver.finished(min(patience, deadline.left() + _LONGEST_POLL)):
            if deadline.over:
                with contextlib.suppress(Exception):
                    driver.cancel()
                raise DeadlineError(
                    f"{name} was stopped after {self._deadline_seconds:.0f} s "
                    f"({self.engine} at {self._server}).",
                    "Rerun; [warehouse] deadline_seconds says how long a statement may take.",
                )
            if deadline.passed > 1:
                progress(0, f"{name}: {deadline.passed:.0f} s on {self.engine}")
            time.sleep(min(pause, deadline.left()))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _connected(self) -> Driver:
        if self._driver is None:
            problems, asked = [], self.access
            for host, port in asked.places():
                driver = self._new_driver()
                try:
                    driver.open(host, port, asked)
                except NotTakenError as error:
                    raise self._login_refused(f"{host}:{port}", error) from error
                except TimedOutError:
                    problems.append(
                        f"{host}:{port} did not answer in {asked.timeout_seconds:.0f} s"
                    )
                except Exception as error:
                    problems.append(f"{host}:{port}: {first_line(error)}")
                else:
                    self._driver, self._server = driver, f"{host}:{port}"
                    return driver
            raise LostConnectionError(
                f"{self.engine} does not answer: {'; '.join(problems)}.",
                f"Check [{self.access.section}] hosts and {self._login()}; then rerun.",
            )
        return self._driver

    def _login(self) -> str:
        if self.access.auth == "NOSASL":
            return "auth = NOSASL (a server that wants NONE, LDAP or KERBEROS never answers that)"
        return f"auth = {self.access.auth}"

    def _login_refused(self, server: str, error: Exception) -> LoginError:
        asked = self.access
        if asked.auth == "KERBEROS":
            return LoginError(
                f"{self.engine} at {server} does not take the ticket for the principal "
                f"{asked.user or 'of the ticket cache'}: {first_line(error)}",
                "It is missing or has expired: kinit -kt <keytab> <principal>, then rerun.",
            )
        return LoginError(
            f"{self.engine} at {server} refused {asked.user!r} with auth = {asked.auth}: "
            f"{first_line(error)}",
            f"Check auth, user and password in [{self.access.section}].",
        )

    @contextlib.contextmanager
    def _errors(self, name: str, sql: str) -> Iterator[None]:
        try:
            yield
        except ServerSaidError as error:
            if "\n" in error.message:
                log.debug("%s: %s", name, error.message)
            raise self._named(name, sql, error) from error
        except MnaasError:
            self.close()
            raise
        except TimedOutError as error:
            self._abandon()
            raise DeadlineError(
                f"{name}: {self.engine} at {self._server} did not answer in {error} s.",
                f"Look at that server, and rerun. The statement: {shortened(sql)}",
            ) from error
        except GeneratorExit:
            self.close()
            raise
        except Exception as error:
            self._abandon()
            raise LostConnectionError(
                f"{name}: the connection to {self.engine} at {self._server} is gone: "
                f"{first_line(error)}",
                f"Look at that server, and rerun. The statement: {shortened(sql)}",
            ) from error

    def _named(self, name: str, sql: str, said: ServerSaidError) -> MnaasError:
        kind = kind_of(said)
        if kind is LostConnectionError:
            self.close()
        remedy = f"The statement: {shortened(sql)}"
        if kind is MissingTableError:
            remedy = f"See what is missing with: mnaas tables. {remedy}"
        marks = " ".join(str(mark) for mark in (said.state, said.code) if mark)
        where = f"{self.engine} at {self._server}{', ' if marks else ''}{marks}"
        return kind(f"{name}: {plain(said.message)} ({where})", remedy)


def _start(driver: Driver, sql: str, deadline: _Deadline) -> None:
    try:
        driver.start(sql, deadline.left())
    except ServerSaidError as error:
        error.state = error.state or "42000"  # what cannot be started is wrong as it is
        raise


def kind_of(said: ServerSaidError) -> type[MnaasError]:
    """Which of our errors a server's answer is."""
    if _LOST.search(said.message):
        return LostConnectionError
    if said.state in ("42S02", "42P01") or said.code == 10001 or _NO_TABLE.search(said.message):
        return MissingTableError
    if said.state == "428FT" or said.code == 10006:
        return MissingPartitionError
    began = not said.state or said.state.startswith("08")
    if _PASSING.search(said.message) or (began and not _REFUSED.search(said.message)):
        return FailedJobError
    return StatementError


def plain(message: str) -> str:
    """What the server said without its wrappings and without its stack trace, on one line."""
    text = _STACK.split(message.strip(), maxsplit=1)[0]
    while (shorter := _WRAPPINGS.sub("", text)) != text:
        text = shorter
    return " ".join(text.split())[:300]


def shortened(sql: str) -> str:
    return " ".join(sql.split())[:200]


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._started = time.monotonic()
        self._seconds = seconds

    @property
    def passed(self) -> float:
        return time.monotonic() - self._started

    @property
    def over(self) -> bool:
        return self.passed >= self._seconds

    def left(self) -> float:
        """Never nothing: a socket without a timeout would wait for ever."""
        return max(0.05, self._seconds - self.passed)
