"""The mails of an episode, from templates; the same episode gives the same mail, byte for byte."""

from __future__ import annotations

import logging
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from importlib.resources import files
from typing import Any

from pipelines import configuration, settings
from pipelines.failures import Failure
from pipelines.incident import Incident
from targets.errors import ConfigError

log = logging.getLogger("luigi-interface.mnaas")

# Lines as they are, where they are ASCII: a person may read the file of a mail.
_POLICY = SMTP.clone(max_line_length=990)

TEMPLATES = ("ticket.txt", "reminder.txt", "recovery.txt")


def letter(incident: Incident, kind: str, name: str, always: bool = False) -> EmailMessage | None:
    """The mail of that kind; None when nobody is to get it."""
    asked = settings.section(settings.notices)
    to, cc = _recipients(asked, kind)
    if not to and not cc and not always:
        return None
    template = {"team": "ticket"}.get(kind, kind.partition("-")[0])
    written = incident.closed if kind == "recovery" else incident.opened
    mail = addressed(_subject(incident, kind), to, cc, written, name)
    if kind not in ("ticket", "team"):
        first = [_message_id(f"{incident.id}.{one}") for one in ("ticket", "team")]
        mail["In-Reply-To"] = mail["References"] = " ".join(first)
    mail.set_content(rendered(f"{template}.txt", _values(incident, kind)))
    return mail


def addressed(
    subject: str, to: Sequence[str], cc: Sequence[str], written: str, name: str
) -> EmailMessage:
    """A mail without its content; its name, which nothing else has, gives its Message-ID."""
    mail = EmailMessage(policy=_POLICY)
    mail["Subject"] = subject
    mail["From"] = settings.section(settings.mail).sender
    if to:
        mail["To"] = ", ".join(to)
    if cc:
        mail["Cc"] = ", ".join(cc)
    mail["Date"] = format_datetime(datetime.fromisoformat(written))
    mail["Message-ID"] = _message_id(name)
    return mail


def _message_id(name: str) -> str:
    return f"<{name}@{settings.section(settings.mail).sender.partition('@')[2]}>"


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """A template of the site, or else ours, with every name that it uses defined."""
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=template.endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        return environment.from_string(_source(template)).render(values)
    except jinja2.TemplateError as error:
        raise ConfigError(
            f"the mail template {template} cannot be rendered: {error}.",
            "Mend it in the folder that [notices] templates names; see it with: "
            "mnaas notify --preview",
        ) from error


def call_with(command: str, text: str) -> None:
    try:
        subprocess.run(shlex.split(command), input=text, text=True, timeout=60, check=True)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        log.warning("[notices] command did not take the ticket: %s", error)


def _recipients(asked: settings.notices, kind: str) -> tuple[list[str], list[str]]:
    tickets, team = list(asked.ticket_recipients), list(asked.team_recipients)
    if kind == "ticket":
        return tickets, []
    if kind == "team":
        return team, list(asked.cc) if team else []
    return tickets + team, list(asked.cc)


def _subject(incident: Incident, kind: str) -> str:
    if kind == "recovery":
        return f"[mnaas] {incident.name} recovered"
    again = " still" if kind.startswith("reminder") else ""
    return f"[mnaas] {incident.name}{again} failing: {incident.first.step} {incident.first.date}"


def _values(incident: Incident, kind: str) -> dict[str, Any]:
    asked = settings.section(settings.notices)
    failure = list(incident.failures.values())[-1] if incident.failures else incident.first
    return {
        "category": asked.category,
        "sub_category": asked.sub_category,
        "item": asked.item,
        "priority": asked.priority,
        "summary": f"{incident.name} failed in {incident.first.step}",
        "pipeline": incident.name,
        "episode": incident.id,
        "opened": incident.opened,
        "closed": incident.closed,
        "how": incident.how,
        "dates": sorted({*incident.failures, *incident.recovered}),
        "failure": failure if kind.startswith("reminder") else incident.first,
        "number": kind.partition("-")[2],
    }


def sample_values(kind: str = "ticket") -> dict[str, Any]:
    """What a template would get, with values to look at."""
    failure = Failure(
        date="2021-04-30",
        step="PublishPartitions",
        kind="AuditError",
        error="table_statistics_customer_aggr 2021-04-28: written 71 rows, expected 72.\n"
        "  Nothing was switched. Rerun.",
        resume="mnaas run CustomerAggr --date 2021-04-30",
        run_id="20210501T021003-0a1b2c",
        attempts=4,
        marker="CustomerAggr/03-PublishPartitions/2021-04-30.0123456789ab.json",
        host="edge-node-1",
        at="2021-05-01 02:14:07+00:00",
        log="var/log/CustomerAggr/2021-04-30.20210501T021003-4711.log",
        log_tail="2021-05-01 02:14:07 INFO: attempt 3 failed, next in 8 s",
    )
    incident = Incident(
        id="CustomerAggr-20210501T021407-3f2a",
        pipeline="CustomerAggr",
        variant="",
        opened="2021-05-01 02:14:07+00:00",
        first=failure,
        failures={failure.date: failure},
        closed="2021-05-01 02:40:12+00:00",
        how="every night of it is done",
    )
    return _values(incident, kind)


def _source(template: str) -> str:
    folder = settings.section(settings.notices).templates
    if folder:
        own = configuration.path(folder) / template
        if own.is_file():
            return own.read_text()
    return (files("pipelines") / "templates" / "email" / template).read_text()
