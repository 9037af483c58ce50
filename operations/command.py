"""The `mnaas` command: what would run and why, back to a step and forward again."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click

from operations.entries import night_options, step_named
from pipelines.night import Entry
from targets.errors import MnaasError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mnaas-pipelines")
def mnaas() -> None:
    """Operate the nightly pipelines.

    A night is a pipeline and its business date. Its steps leave markers when they are done, so a
    rerun skips them; `plan` shows what a run would do, `rewind` makes it do more.

    To run a night: luigi --module pipelines CustomerAggr --date 2021-04-30
    """


@mnaas.command("plan")
@night_options
@click.option("--verbose", is_flag=True, help="Also the partitions, and the SQL that would run.")
@click.option("--json", "as_json", is_flag=True, help="For a machine to read.")
def plan_command(entry: Entry, verbose: bool, as_json: bool) -> None:
    """Show each step of a night: DONE, RUN or BLOCKED, and why. Touches nothing.

    Example: mnaas plan CustomerAggr --date 2021-04-30 --verbose
    """
    from operations.plan import plan

    planned = plan(entry)
    if as_json:
        click.echo(json.dumps(asdict(planned), indent=1))
        return
    click.echo(planned.night)
    _print_table(
        ["step", "flag", "state", "reason"],
        [[step.step, str(step.legacy_flag), step.state, step.reason] for step in planned.steps],
    )
    if verbose:
        click.echo(f"\npartitions: {', '.join(planned.dates) or 'none'}")
        for step in planned.steps:
            if step.sql:
                click.echo(f"\n-- {step.step}\n{step.sql}")


@mnaas.command("rewind")
@night_options
@click.option("--from", "first", required=True, metavar="STEP", help="The first step to forget.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rewind_command(entry: Entry, first: str, yes: bool) -> None:
    """Forget that a step and those after it are done; the next run does them again.

    Example: mnaas rewind CustomerAggr --date 2021-04-30 --from PublishPartitions
    """
    from operations.rewind import rewind, would_forget

    step = step_named(entry, first)
    markers = would_forget(entry, step)
    if not markers:
        click.echo(f"{entry.task_family} {entry.run_key}: nothing is done from {first} on.")
        return
    click.echo("\n".join(f"forget  {path}" for path in markers))
    if yes or click.confirm("Forget these?"):
        gone = rewind(entry, step)
        click.echo(f"{len(gone)} forgotten. The next run of this night starts at {first}.")
    else:
        click.echo("Nothing was forgotten.")


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in colours on a terminal, plain aligned text in a pipe."""
    if sys.stdout.isatty():
        import rich.console
        import rich.table

        table = rich.table.Table(*heads, box=None, header_style="bold")
        for row in rows:
            table.add_row(*row)
        rich.console.Console().print(table)
        return
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def main() -> None:
    try:
        mnaas()
    except MnaasError as error:
        sys.exit(f"{type(error).__name__}: {error}")
