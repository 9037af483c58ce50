"""Commands about the customers' backup files."""

from __future__ import annotations

import fnmatch
import json
import sys
from dataclasses import asdict
from datetime import date

import click

from operations.entries import day_named
from operations.printing import print_table

_SHOWN = 40


@click.group("backup")
def backup_command() -> None:
    """Where the customers' backup files are, and whether all places agree.

    Example: mnaas backup status
    """


@backup_command.command("status")
@click.option("--file", "pattern", help="Files of this name; * stands for anything.")
@click.option("--customer", help="Files of this customer.")
@click.option("--state", help="Files in this state.")
@click.option("--json", "as_json", is_flag=True, help="For a machine to read.")
def status_command(
    pattern: str | None, customer: str | None, state: str | None, as_json: bool
) -> None:
    """Show where each file is on its way; with a choice, each file of it.

    Example: mnaas backup status --file 'customer_0001_*'
    """
    from operations.backup import MEANING, places

    if state and state not in MEANING:
        raise click.BadParameter(f"{state!r} is no state. There are: {', '.join(MEANING)}.")
    found = [
        place
        for place in places()
        if (not pattern or fnmatch.fnmatchcase(place.file, pattern))
        and customer in (None, place.customer)
        and state in (None, place.state)
    ]
    if as_json:
        click.echo(json.dumps([asdict(place) for place in found], indent=1))
    elif pattern or customer or state:
        rows = [[p.process, p.file, p.state, p.since, p.night, p.far_path] for p in found]
        heads = ["type", "file", "state", "since", "night", "on the second edge node"]
        print_table(heads, rows[:_SHOWN])
        if len(rows) > _SHOWN:
            click.echo(f"... and {len(rows) - _SHOWN} more; --json shows all of them")
    else:
        rows = []
        for name, meaning in MEANING.items():
            here = [place for place in found if place.state == name]
            if here:
                rows.append([name, str(len(here)), str(sum(p.size for p in here)), meaning])
        print_table(["state", "files", "bytes", "which means"], rows)


@backup_command.command("audit")
@click.option("--date", callback=lambda c, p, v: v and day_named(c, p, v), help="One night only.")
@click.option("--json", "as_json", is_flag=True, help="For a machine to read.")
def audit_command(date: date | None, as_json: bool) -> None:
    """Compare the local folders, the table and the second edge node, file by file.

    Exit code 1 when they do not agree.

    Example: mnaas backup audit --date 2021-04-30
    """
    from operations.backup import audit

    count, differences = audit(str(date or ""))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in differences], indent=1))
    else:
        if differences:
            rows = [[each.night, each.file, each.words] for each in differences]
            print_table(["night", "file", "what does not agree"], rows)
        click.echo(f"{count} files compared, {len(differences)} do not agree")
    sys.exit(1 if differences else 0)
