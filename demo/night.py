"""Nights as an operator would run them, and what they leave to look at."""

from __future__ import annotations

import email
import email.policy
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path

import click

from demo.data import LAST_DAY
from operations.entries import PIPELINES as entries
from pipelines import configuration, settings
from pipelines.edge_node import edge_node
from pipelines.night import Entry
from targets.marker import Record
from targets.store.local import make_folder

ORDER = (
    "CustomerAggr",
    "TrafficAdhocAggr",
    "CustomerBackupFiles",
    "CustomerInvoiceSummaryEstimated",
    "MissingCustomerFiles",
)
LUIGI = "luigi --module pipelines {} --date {} --local-scheduler"
MONTH = f"mnaas run CustomerAggr --date {LAST_DAY} --month 2021-04"


def show_nights() -> int:
    """A night of all five; a night that fails, is told and resumed; what to try next."""
    codes = [_show_night(entries[name](date=LAST_DAY)) for name in ORDER]
    _show_report()
    codes.append(_show_failure())
    _say_what_next()
    return max(codes)


def _show_night(entry: Entry) -> int:
    before = set(_records(entry))
    command = LUIGI.format(entry.task_family, LAST_DAY)
    started = time.monotonic()
    code, log = _quietly(command)
    seconds = time.monotonic() - started
    click.echo(f"\n$ {command}")
    click.echo(f"exit code {code}, {seconds:.1f} s, log in {_short(log)}")
    for path, record in _records(entry).items():
        verb = "skipped" if path in before else "ran"
        evidence = record.evidence
        count = len(evidence.partitions)
        partitions = f"{count} partition{'s' * (count > 1)}" if count else ""
        line = f"  {record.step[3:]:<22}{verb:<9}{evidence.rows:>8,} rows  {partitions}"
        click.echo(line.rstrip())
    return code


def _show_report() -> None:
    """The mail that the last of them sent, as a mail client without colours shows it."""
    reports = [path for path in _mails() if path.name.startswith("MissingCustomerFiles-")]
    for path in reports[:1]:
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        body = mail.get_body(("plain",))
        click.echo(f"\nits mail, {_short(path)}, as plain text:")
        text = str(body.get_content() if body else "")
        for row in text.splitlines()[5:-2]:
            click.echo(f"  {row}".rstrip())


def _show_failure() -> int:
    """A month rebuilt, which would drop a partition and may not: ticket, resume, recovery."""
    seen = set(_mails())
    code, _ = _quietly(f"{MONTH} --max-drops 0")
    click.echo(f"\n$ {MONTH} --max-drops 0")
    if code == 0:
        click.echo("exit code 0: the month was rebuilt already")
        return 0
    click.echo(f"exit code {code}, and a ticket, of which these are some lines:")
    [ticket] = [path for path in _mails() if path not in seen and ".ticket." in path.name]
    shown = ("Failed step", "Business date", "Error", " ", "Resume with")
    for line in ticket.read_text().partition("\n\n")[2].partition("\n\n")[0].splitlines():
        if line.startswith(shown):
            click.echo(f"  {line}")
    code, _ = _quietly(MONTH)
    click.echo(f"\n$ {MONTH}\nexit code {code}: three steps skipped, one done, and this mail:")
    [recovery] = [path for path in _mails() if path not in seen and ".recovery." in path.name]
    click.echo(f"  {recovery.read_text().splitlines()[0]}")
    return code


def _quietly(command: str) -> tuple[int, Path]:
    """Run a command of this environment with its output in a file."""
    log = configuration.path("var/log/demo.log")
    make_folder(log.parent)
    name, *arguments = command.split()
    with log.open("w") as out:
        program = [str(Path(sys.executable).with_name(name)), *arguments]
        done = subprocess.run(program, check=False, stdout=out, stderr=out)
    return done.returncode, log


def _mails() -> list[Path]:
    return sorted(settings.section(settings.mail).folder.glob("*.eml"))


def _short(path: Path) -> Path:
    """The path as seen from here, where it is below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _records(entry: Entry) -> dict[str, Record]:
    """The records of the night's markers, by their paths, in the order of the steps."""
    night = entry.stored().read()
    if night is None:
        return {}
    markers = [entry.step(kind, night).marker for kind in entry.steps()]
    return {marker.path: marker.read() for marker in markers if marker.exists()}


def _say_what_next() -> None:
    state = settings.section(settings.state).root
    tables = settings.section(settings.warehouse).root
    mails = settings.section(settings.mail).folder
    far = configuration.path(settings.section(edge_node).folder)
    on_cluster = settings.section(settings.warehouse).engine != "duckdb"
    here = [(state / "markers", "what was done, with its evidence"), (tables, "the tables")]
    click.echo("\nLook at")
    for path, words in (
        *([] if on_cluster else here),
        (far, "the backup files, where they were copied to"),
        (mails, "the mails that would have been sent"),
    ):
        click.echo(f"  {_short(path)!s:<18} {words}")
    if on_cluster:
        click.echo("The servers stop now. To look around on them: make cluster")
        return
    click.echo("Try next")
    binary = _short(Path(sys.executable).parent)
    night = f"CustomerAggr --date {LAST_DAY}"
    for purpose, command in (
        ("a rerun", LUIGI.format("CustomerAggr", LAST_DAY)),
        ("a plan", f"mnaas plan {night}"),
        ("a rewind", f"mnaas rewind {night} --from PublishPartitions"),
        ("history", "mnaas history --steps"),
        ("a month", f"mnaas calendar --until {LAST_DAY}"),
        ("backups", "mnaas backup status"),
    ):
        click.echo(f"  {purpose:<9} {binary}/{command}")
