"""The configuration: typed sections, each key described, all problems reported together."""

from __future__ import annotations

import configparser
import contextlib
import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import luigi
from luigi.configuration import get_config

from pipelines.configuration import one_line, origin, path
from pipelines.parameters import (
    ADDRESS,
    AddressesParameter,
    CountParameter,
    PathParameter,
    SecondsParameter,
    SecretParameter,
)
from targets.errors import ConfigError


class Section(luigi.Config):
    """A section of luigi.cfg; `problems` says what the types of its keys cannot."""

    # No command-line flags: processes that Luigi starts anew would not see them, and Luigi builds
    # its parser nine times a run, which with a flag for each key took 40 ms more.
    _visible_in_registry = False

    def problems(self) -> Iterator[str]:
        yield from ()

    def secret(self) -> str:
        """Its password, where it has one."""
        return ""


class mnaas(Section):
    environment = luigi.ChoiceParameter(
        choices=["prod", "dev"], description="dev leaves out what reaches other machines"
    )
    time_zone = luigi.Parameter(description="the zone of `yesterday` and of the log's times")

    def problems(self) -> Iterator[str]:
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            yield f"[mnaas] time_zone = {self.time_zone!r} is not a zone like Europe/Paris."


class warehouse(Section):
    engine = luigi.ChoiceParameter(
        choices=["duckdb", "hive", "hive+impala", "spark"], description="the engine of the tables"
    )
    database = luigi.Parameter(description="the database that all our tables are in")
    root = PathParameter(description="the folder of the embedded engine's tables")
    memory_limit = luigi.Parameter(description="memory that one step may use")
    threads = CountParameter(description="threads that one step may use")
    deadline_seconds = SecondsParameter(description="how long one statement may take")
    keep_versions_days = SecondsParameter(
        description="how many days the directory stays that a partition pointed at before"
    )

    def problems(self) -> Iterator[str]:
        if not self.database.isidentifier() or self.database != self.database.lower():
            yield f"[warehouse] database = {self.database!r} is not a name: use a-z, 0-9 and _."
        if self.threads < 1:
            yield "[warehouse] threads = 0: at least one thread is needed."
        amount = self.memory_limit.rstrip("KMGTBkmgtbi ")
        if amount == self.memory_limit or not amount.replace(".", "", 1).isdigit():
            yield f"[warehouse] memory_limit = {self.memory_limit!r} is not an amount like 1GB."


class files(Section):
    store = luigi.ChoiceParameter(
        choices=["local", "hdfs"], description="where files that steps exchange are kept"
    )
    root = PathParameter(description="the folder of the file store, where it is local")


class state(Section):
    root = PathParameter(description="the folder of markers, locks, lists and records")
    markers = luigi.ChoiceParameter(
        choices=["local", "hdfs"], description="where the markers of done steps are kept"
    )
    lock_wait_seconds = SecondsParameter(description="how long to wait for another night's table")


class retry(Section):
    attempts = CountParameter(description="how often a step is tried")
    first_wait_seconds = SecondsParameter(description="the wait before the second attempt")
    longest_wait_seconds = SecondsParameter(description="no wait is longer than this")
    deadline_seconds = SecondsParameter(description="no attempt begins later than this")

    def problems(self) -> Iterator[str]:
        if self.attempts < 1:
            yield "[retry] attempts = 0: a step must be tried at least once."


class run(Section):
    finish_earlier_nights = CountParameter(description="days back whose nights are finished first")
    scheduler = luigi.ChoiceParameter(
        choices=["auto", "central", "local"], description="auto uses luigid when it answers"
    )
    reschedules = CountParameter(description="how often an interrupted run is scheduled again")
    reschedule_wait_seconds = SecondsParameter(description="how long to wait before that")


class log(Section):
    folder = PathParameter(description="one log file for each run")
    syslog = luigi.BoolParameter(description="send the same lines to syslog")
    syslog_socket = luigi.Parameter(description="where syslog listens")

    def problems(self) -> Iterator[str]:
        if self.syslog and not Path(self.syslog_socket).is_socket():
            yield f"[log] syslog_socket = {self.syslog_socket!r} is not a socket."


class mail(Section):
    transport = luigi.ChoiceParameter(
        choices=["folder", "smtp"], description="how mails leave: into a folder, or by SMTP"
    )
    folder = PathParameter(description="where mails go with transport = folder")
    sender = luigi.Parameter(description="the address that our mails come from")
    host = luigi.Parameter(description="the SMTP server")
    port = CountParameter(description="its port")
    security = luigi.ChoiceParameter(
        choices=["none", "starttls", "tls"], description="how the connection is secured"
    )
    ca_file = luigi.Parameter(description="certificates to trust; empty means the system's")
    user = luigi.Parameter(description="the name to log in with; empty means no login")
    password = SecretParameter(description="its password, as ${NAME} from the environment")
    password_file = luigi.Parameter(description="a file of mode 0600 with the password instead")
    timeout_seconds = SecondsParameter(description="how long to wait for the server")

    def problems(self) -> Iterator[str]:
        if not ADDRESS.match(self.sender):
            yield f"[mail] sender = {self.sender!r} is not a mail address."
        if self.transport == "smtp" and not self.host:
            yield "[mail] host is empty, and transport = smtp needs a server."
        if self.security == "none" and self.user:
            yield "[mail] user is set, and security = none would send the password in the clear."
        yield from problems_of_secret(self)

    def secret(self) -> str:
        return secret_of(self)


class notices(Section):
    enabled = luigi.BoolParameter(description="whether failures are mailed at all")
    ticket_recipients = AddressesParameter(description="the ticket system's addresses")
    team_recipients = AddressesParameter(description="the team's addresses")
    cc = AddressesParameter(description="who else gets the team's mail")
    category = luigi.Parameter(description="a field of the ticket")
    sub_category = luigi.Parameter(description="a field of the ticket")
    item = luigi.Parameter(description="a field of the ticket")
    priority = luigi.Parameter(description="a field of the ticket")
    reminder_hours = luigi.ListParameter(
        description="hours between reminders; the last one goes on being used"
    )
    log_lines = CountParameter(description="how many of the log's last lines a ticket shows")
    templates = luigi.Parameter(description="a folder with templates in place of ours")
    command = luigi.Parameter(description="called with each ticket on its standard input")

    def problems(self) -> Iterator[str]:
        if not all(isinstance(hours, (int, float)) and hours > 0 for hours in self.reminder_hours):
            yield f"[notices] reminder_hours = {list(self.reminder_hours)} must be hours above 0."
        if self.enabled and not (self.ticket_recipients or self.team_recipients):
            yield "[notices] enabled = true, and there is neither a ticket nor a team recipient."
        if self.templates and not path(self.templates).is_dir():
            yield f"[notices] templates = {self.templates!r} is not a folder."


class statements(Section):
    replace = luigi.DictParameter(description="SQL files of yours in place of ours")

    def problems(self) -> Iterator[str]:
        for name, file in self.replace.items():
            if not path(file).is_file():
                yield f"[statements] replace: {name} names {file}, which is not a file."


class HasSecret(Protocol):
    """A section with a password, in the environment or in a file."""

    @property
    def password(self) -> str: ...

    @property
    def password_file(self) -> str: ...


def secret_of(asked: HasSecret) -> str:
    if asked.password_file:
        return path(asked.password_file).read_text().strip()
    return str(asked.password)


def problems_of_secret(asked: HasSecret) -> Iterator[str]:
    name = type(asked).__name__
    if asked.password and asked.password_file:
        yield f"[{name}] password and password_file are both set: leave one of them empty."
    if not asked.password_file:
        return
    file = path(asked.password_file)
    if not file.is_file():
        yield f"[{name}] password_file {file} is not a file."
    elif file.stat().st_mode & 0o077:
        yield f"[{name}] password_file {file} can be read by others: chmod 0600 {file}"


def _with_secrets() -> list[type[Section]]:
    return [kind for kind in Section.__subclasses__() if hasattr(kind, "password")]


def secret_keys() -> tuple[str, ...]:
    """Where the secrets come from, cheaply: other keys, other secrets."""
    config = get_config()
    return tuple(
        config.get(kind.__name__, key, "", raw=True)
        for kind in _with_secrets()
        for key in ("password", "password_file")
    )


def secrets() -> list[str]:
    """What must not be printed anywhere."""
    found = []
    for kind in _with_secrets():
        with contextlib.suppress(
            OSError, ValueError, configparser.Error, luigi.parameter.ParameterException
        ):
            found.append(kind().secret())
    return [secret for secret in found if secret]


AnySection = TypeVar("AnySection", bound=Section)


_checked: list[object] = []
_only_asked_for: list[bool] = [False]


def section(kind: type[AnySection]) -> AnySection:
    """A section, after the whole configuration has been checked."""
    if _only_asked_for[-1]:
        _refuse(_problems_of(kind))
    else:
        check()
    return kind()


@contextlib.contextmanager
def only_what_is_asked_for() -> Iterator[None]:
    """Within it a section is checked alone: a wrong one elsewhere can still be told by mail."""
    _only_asked_for.append(True)
    try:
        yield
    finally:
        _only_asked_for.pop()


def check() -> None:
    """Raise one ConfigError with every problem of every section."""
    if _checked == [get_config()]:
        return
    _refuse(problems())
    _checked[:] = [get_config()]


def _refuse(found: list[str]) -> None:
    if found:
        where = ", ".join(str(file) for file in origin.files)
        raise ConfigError(
            f"{len(found)} problem{'s' * (len(found) > 1)} in the configuration ({where}):\n"
            + "\n".join(f"  - {problem}" for problem in found),
            "Mend the file and check it again with: mnaas check",
        )


def problems() -> list[str]:
    found = list(origin.problems)
    for kind in Section.__subclasses__():
        found += _problems_of(kind)
    return found + list(_strange_sections())


def _problems_of(kind: type[Section]) -> list[str]:
    return list(_problems_of_keys(kind)) or list(kind().problems())


def _problems_of_keys(kind: type[Section]) -> Iterator[str]:
    name = kind.get_task_family()
    keys = dict(kind.get_params())
    config = get_config()
    for key, parameter in keys.items():
        try:
            raw = config.get(name, key, None)
            if raw is None:
                yield f"[{name}] {key} is missing: {parameter.description}."
            else:
                parameter.normalize(parameter.parse(raw))
        except (ValueError, TypeError, configparser.Error) as error:
            text = config.get(name, key, None, raw=True)
            yield f"[{name}] {key} = {text!r}: {one_line(error)}"
    if name in config.sections():
        for key in config[name]:
            if key not in keys:
                yield f"[{name}] {key} is not a key{_near(key, keys)}"


def _strange_sections() -> Iterator[str]:
    ours = {kind.get_task_family() for kind in Section.__subclasses__()}
    luigis = {name for name, *_ in luigi.task_register.Register.get_all_params()}
    for name in get_config().sections():
        if name not in ours | luigis and difflib.get_close_matches(name, ours, n=1, cutoff=0.8):
            yield f"[{name}] is not a section{_near(name, ours)}"


def _near(name: str, names: Any) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {near[0]}?" if near else "."
