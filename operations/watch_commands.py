"""Commands that look: check, history, incidents, notify, completion."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from datetime import date
from typing import Any

import click

from operations.entries import PIPELINES, day_named, near, night_options
from operations.printing import coloured, print_table
from pipelines.night import Entry


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="For a machine to read.")
def check_command(as_json: bool) -> None:
    """Look at everything that could stop a night: all problems at once, each with its remedy.

    Example: mnaas check
    """
    from operations.check import check

    findings = check(list(PIPELINES.values()))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        print_table(
            ["", "what", "found"],
            [[("ok" if one.ok else "PROBLEM"), one.what, one.words] for one in findings],
        )
    sys.exit(0 if all(finding.ok for finding in findings) else 1)


@click.command("history")
@click.argument("name", required=False, default="", metavar="[PIPELINE]")
@click.option("--last", default=20, show_default=True, help="How many runs.")
@click.option("--steps", is_flag=True, help="Also the steps of each run.")
@click.option("--json", "as_json", is_flag=True, help="For a machine to read.")
def history_command(name: str, last: int, steps: bool, as_json: bool) -> None:
    """Show the last runs: how they ended, how long they took, how many rows.

    Example: mnaas history CustomerAggr --last 5 --steps
    """
    import sqlite3

    from pipelines import settings, wiring

    settings.check()
    try:
        runs = wiring.ledger().runs(name, last)
    except (sqlite3.Error, OSError) as error:
        sys.exit(f"the ledger cannot be read: {error}\n  Move it away; the next run begins anew.")
    if as_json:
        click.echo(json.dumps(runs, indent=1))
        return
    rows = []
    for run in runs:
        done = sum(step["state"] == "done" for step in run["steps"])
        written = max((step["rows"] or 0 for step in run["steps"]), default=0)
        rows.append(_row(run, run["pipeline"], run["run_key"], f"{done} steps", str(written)))
        for step in run["steps"] if steps else ():
            tries = f"attempt {step['attempts']}" if step["attempts"] else ""
            rows.append(_row(step, "", f"  {step['step']}", tries, str(step["rows"] or "")))
    print_table(["started", "took", "state", "pipeline", "night", "work", "rows"], rows)


@click.command("calendar")
@click.argument("name", required=False, default="", metavar="[PIPELINE]")
@click.option("--until", callback=day_named, default="yesterday", help="The last business date.")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For a machine to read.")
def calendar_command(name: str, until: date, days: int, as_json: bool) -> None:
    """Show the last nights, a letter a night: done, failed, running or missing.

    Example: mnaas calendar CustomerAggr --until 2021-04-30
    """
    from operations.calendar import CELLS, calendar

    if name and name not in PIPELINES:
        raise click.BadParameter(f"{name!r} is not a pipeline. {near(name, PIPELINES)}")
    rows = calendar([PIPELINES[name]] if name else PIPELINES.values(), until, days)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=1))
        return
    shown = list(rows[0].nights)
    width = max(len(row.name) for row in rows)
    click.echo(f"{shown[0]} to {shown[-1]}")
    for digit in (8, 9):
        click.echo(f"{'':{width}}  {''.join(day[digit] for day in shown)}")
    for row in rows:
        click.echo(f"{row.name:{width}}  {coloured(row.cells())}")
    click.echo(", ".join(f"{cell} {state}" for state, cell in CELLS.items()))


def _row(entry: dict[str, Any], pipeline: str, night: str, work: str, rows: str) -> list[str]:
    return [entry["started"][:19], _took(entry), entry["state"], pipeline, night, work, rows]


def _took(entry: dict[str, Any]) -> str:
    from datetime import datetime

    if not entry["ended"]:
        return ""
    started, ended = (datetime.fromisoformat(entry[key]) for key in ("started", "ended"))
    return f"{(ended - started).total_seconds():.0f} s"


@click.group("incidents", invoke_without_command=True)
@click.option("--all", "closed_too", is_flag=True, help="Also those that are over.")
@click.pass_context
def incidents_command(context: click.Context, closed_too: bool) -> None:
    """Show the failure episodes; close one, or send the mails that wait.

    Example: mnaas incidents --all
    """
    if context.invoked_subcommand:
        return
    from pipelines import wiring
    from pipelines.notices import Incidents

    incidents = Incidents()
    found = [*incidents.all_open(), *(incidents.all_closed() if closed_too else [])]
    rows = [
        [
            one.id,
            "over" if one.closed else "open",
            one.opened[:19],
            ", ".join(sorted({*one.failures, *one.recovered})),
            one.first.step,
            one.first.error.splitlines()[0][:60],
        ]
        for one in found
    ]
    print_table(["episode", "state", "since", "dates", "step", "error"], rows)
    for spooled in wiring.spool().waiting():
        click.echo(f"waits to be sent: {spooled.name}  {spooled.problem}")


@incidents_command.command("close")
@click.argument("episode")
def close_command(episode: str) -> None:
    """End an episode by hand; its recovery mail goes out.

    Example: mnaas incidents close CustomerAggr-20210501T021407-3f2a
    """
    from pipelines.notices import Incidents

    click.echo(f"closed {Incidents().close(episode).id}")


@incidents_command.command("flush")
@click.option("--quiet", is_flag=True, help="Print nothing; for cron.")
def flush_command(quiet: bool) -> None:
    """Report runs that died, send reminders that are due and mails that wait.

    Exit code 1 when something still waits to be sent.

    Example: mnaas incidents flush
    """
    from pipelines.events import recover_done, report_dead_runs
    from pipelines.notices import Incidents

    for kind in PIPELINES.values():
        report_dead_runs(kind)
        recover_done(kind)
    left = Incidents().catch_up()
    if not quiet:
        for spooled in left:
            click.echo(f"still waits: {spooled.name}  {spooled.problem}")
        click.echo(f"{len(left)} left" if left else "nothing waits")
    sys.exit(1 if left else 0)


@incidents_command.command("died")
@night_options
@click.option("--from", "first", help="As given to run; not used.")
@click.option("--code", type=int, required=True, help="The exit code that the shell saw.")
def died_command(entry: Entry, first: str | None, code: int) -> None:  # noqa: ARG001
    """Report a `mnaas run` that was killed; cron/run-pipeline calls this.

    Example: mnaas incidents died CustomerAggr --date 2021-04-30 --code 137
    """
    from operations.run import report_death

    report_death(entry, f"mnaas run was ended by signal {code - 128}")


@click.command("notify")
@click.option("--preview", is_flag=True, required=True, help="Show the mails; send nothing.")
def notify_command(preview: bool) -> None:  # noqa: ARG001  there is only the preview
    """Show each mail with sample values, from the site's templates or ours.

    Example: mnaas notify --preview
    """
    from operations.previews import previews

    for template, text in previews():
        click.echo(f"== {template}\n{text}")


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the line-completion script of a shell.

    Example: mnaas completion bash > /etc/bash_completion.d/mnaas
    """
    os.environ["_MNAAS_COMPLETE"] = f"{shell}_source"
    os.execvpe(sys.argv[0], [sys.argv[0]], os.environ)  # noqa: S606  click prints it at its start


COMMANDS = [
    calendar_command,
    check_command,
    history_command,
    incidents_command,
    notify_command,
    completion_command,
]
