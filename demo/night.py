"""Run a night as an operator would, and show what happened."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import click

from demo.data import LAST_DAY
from pipelines import CustomerAggr, settings
from targets.marker import Record
from targets.store.local import make_folder

COMMAND = f"luigi --module pipelines CustomerAggr --date {LAST_DAY} --local-scheduler"


def show_night() -> int:
    """Run CustomerAggr; a line a step, and what to try next."""
    before = set(_records())
    luigi = str(Path(sys.executable).with_name("luigi"))
    log = settings.path("var/log/demo.log")
    make_folder(log.parent)
    started = time.monotonic()
    with log.open("w") as out:
        command = [luigi, *COMMAND.split()[1:]]
        code = subprocess.run(command, check=False, stdout=out, stderr=out).returncode
    seconds = time.monotonic() - started
    click.echo(f"\n$ {COMMAND}")
    click.echo(f"CustomerAggr {LAST_DAY}: exit code {code}, {seconds:.1f} s, log in {_short(log)}")
    for path, record in _records().items():
        verb = "skipped" if path in before else "ran"
        evidence = record.evidence
        partitions = f"{len(evidence.partitions)} partitions" if evidence.partitions else ""
        line = f"  {record.step[3:]:<22}{verb:<9}{evidence.rows:>8,} rows  {partitions}"
        click.echo(line.rstrip())
    _say_what_next()
    return code


def _short(path: Path) -> Path:
    """The path as seen from here, where it is below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _records() -> dict[str, Record]:
    """The records of the night's markers, by their paths, in the order of the steps."""
    entry = CustomerAggr(date=LAST_DAY)
    night = entry.stored().read()
    if night is None:
        return {}
    markers = [entry.step(kind, night).marker for kind in entry.steps()]
    return {marker.path: marker.read() for marker in markers if marker.exists()}


def _say_what_next() -> None:
    state = settings.section(settings.state).root
    tables = settings.section(settings.warehouse).root
    click.echo("\nLook at")
    click.echo(f"  {_short(state / 'markers')}  what was done, with its evidence")
    click.echo(f"  {_short(tables)}      the tables, as Parquet")
    click.echo("Try next")
    binary = _short(Path(sys.executable).parent)
    night = f"CustomerAggr --date {LAST_DAY}"
    for purpose, command in (
        ("a rerun", COMMAND),
        ("a plan", f"mnaas plan {night}"),
        ("a rewind", f"mnaas rewind {night} --from PublishPartitions"),
    ):
        click.echo(f"  {purpose:<9} {binary}/{command}")
