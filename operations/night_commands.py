"""Commands about one night or a range of them: run, plan, rewind, backfill."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import date
from typing import Any

import click

from operations.entries import day_named, night_options, own_options, step_named
from operations.printing import print_table
from pipelines.night import Entry


@click.command("run")
@night_options
@click.option(
    "--from",
    "first",
    metavar="STEP",
    help="Forget this step (or legacy flag) and those after it first.",
)
def run_command(entry: Entry, first: str | None) -> None:
    """Run a night: what cron calls.

    Checks first what would stop it, finishes earlier nights that were begun and never done, skips
    the steps that are done. One log file a run; says nothing when all is well and nobody looks on.
    STEP is a name, or a flag of the legacy job's status file.

    Example: mnaas run CustomerAggr --date yesterday
    """
    from operations.luigi_process import exit_code
    from operations.rewind import rewind
    from operations.run import run

    if first:
        rewind(entry, step_named(entry, first))
    if sys.stderr.isatty():
        click.echo(f"{entry.task_family}, business date {entry.date}", err=True)
    ended = run(entry)
    quiet = (0, exit_code("already_running"))
    for night in ended:
        if sys.stderr.isatty() or night.code not in quiet:
            click.echo(night.words(), err=True)
    sys.exit(max(night.code for night in ended))


@click.command("plan")
@night_options
@click.option("--verbose", is_flag=True, help="Also the partitions, and the SQL that would run.")
@click.option("--json", "as_json", is_flag=True, help="For a machine to read.")
@click.option(
    "--engine",
    type=click.Choice(["hive", "spark"]),
    help="With --verbose: every statement that this engine would be sent.",
)
def plan_command(entry: Entry, verbose: bool, as_json: bool, engine: str | None) -> None:
    """Show each step of a night: DONE, RUN or BLOCKED, and why. Touches nothing.

    Example: mnaas plan CustomerAggr --date 2021-04-30 --verbose
    """
    from operations.plan import plan

    planned = plan(entry, engine or "")
    if as_json:
        click.echo(json.dumps(asdict(planned), indent=1))
        return
    click.echo(planned.night)
    print_table(
        ["step", "flag", "state", "reason"],
        [
            [step.step, str(step.legacy_flag or ""), step.state, step.reason]
            for step in planned.steps
        ],
    )
    if verbose:
        click.echo(f"\npartitions: {', '.join(planned.dates) or 'none'}")
        for step in planned.steps:
            if step.sql:
                click.echo(f"\n-- {step.step}\n{step.sql}")


@click.command("rewind")
@night_options
@click.option(
    "--from",
    "first",
    required=True,
    metavar="STEP",
    help="The first step to forget, or its legacy flag.",
)
@click.option("--forget-list", is_flag=True, help="Also the list that the night was begun with.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rewind_command(entry: Entry, first: str, forget_list: bool, yes: bool) -> None:
    """Forget that a step and those after it are done; the next run does them again.

    An unfinished night keeps the dates that it was begun with, also when its list is replaced.
    Where that list was wrong, --forget-list lets the next run work on the current one alone.
    STEP is a name, or a flag of the legacy job's status file: the first step with it or a higher
    one, and every step after it.

    Example: mnaas rewind CustomerAggr --date 2021-04-30 --from PublishPartitions
    """
    from operations.rewind import rewind, would_forget

    step = step_named(entry, first)
    markers = would_forget(entry, step)
    if not markers and not forget_list:
        click.echo(f"{entry.task_family} {entry.run_key}: nothing is done from {step.__name__} on.")
        return
    listed = [f"the list of {entry.run_key}"] if forget_list else []
    click.echo("\n".join(f"forget  {name}" for name in [*markers, *listed]))
    if yes or click.confirm("Forget these?"):
        gone = [*rewind(entry, step, forget_list), *listed]
        click.echo(f"{len(gone)} forgotten. The next run of this night starts at {step.__name__}.")
    else:
        click.echo("Nothing was forgotten.")


@click.command("backfill")
@own_options
@click.option("--from", "first", callback=day_named, required=True, help="The first date.")
@click.option("--to", "last", callback=day_named, required=True, help="The last date.")
@click.option("--keep-going", is_flag=True, help="Go on after a night that failed.")
def backfill_command(
    kind: type[Entry], own: dict[str, Any], first: date, last: date, keep_going: bool
) -> None:
    """Run a range of nights, oldest first; stops at the first that fails.

    Each day needs a list of its own: {date} in its path, or --month.

    Example: mnaas backfill CustomerAggr --from 2021-04-01 --to 2021-04-30 --keep-going
    """
    from operations.backfill import backfill, days_between

    days = days_between(first, last)
    if not days:
        raise click.BadParameter(f"--to {last} is before --from {first}.")
    worst = 0
    left = list(days)
    for day, ended in backfill(kind, days, own, keep_going):
        left.remove(day)
        if ended is None:
            click.echo(f"{day}  skipped, it is done")
        for night in ended or ():
            worst = max(worst, night.code)
            click.echo(f"{day}  {night.words()}")
    for day in left:
        click.echo(f"{day}  not begun")
    sys.exit(worst)
