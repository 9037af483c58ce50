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

COMMAND = f"luigi --module pipelines CustomerAggr --date {LAST_DAY} --local-scheduler"


def show_night() -> int:
    """Run CustomerAggr; a line a step, and what to try next."""
    before = set(_records())
    click.echo(f"\n$ {COMMAND}")
    luigi = str(Path(sys.executable).with_name("luigi"))
    started = time.monotonic()
    code = subprocess.run([luigi, *COMMAND.split()[1:]], check=False).returncode
    seconds = time.monotonic() - started
    click.echo(f"\nCustomerAggr {LAST_DAY}: exit code {code}, {seconds:.1f} s")
    for path, record in _records().items():
        verb = "skipped" if path in before else "ran"
        evidence = record.evidence
        partitions = f"{len(evidence.partitions)} partitions" if evidence.partitions else ""
        click.echo(f"  {record.step[3:]:<22}{verb:<9}{evidence.rows:>8,} rows  {partitions}")
    _say_what_next()
    return code


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
    click.echo(f"\nLook at   {state}/markers (what was done), {tables} (the tables)")
    click.echo("Try next, from here:")
    binary = Path(sys.executable).parent
    if binary.is_relative_to(Path.cwd()):
        binary = binary.relative_to(Path.cwd())
    night = f"CustomerAggr --date {LAST_DAY}"
    for purpose, command in (
        ("a rerun", COMMAND),
        ("a plan", f"mnaas plan {night}"),
        ("a rewind", f"mnaas rewind {night} --from PublishPartitions"),
    ):
        click.echo(f"  {purpose:<9} {binary}/{command}")
