"""The `mnaas` command."""

from __future__ import annotations

import sys

import click

from operations.backup_commands import backup_command
from operations.night_commands import backfill_command, plan_command, rewind_command, run_command
from operations.table_commands import tables_command, versions_command
from operations.watch_commands import COMMANDS
from targets.errors import ConfigError, MnaasError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="mnaas-pipelines")
def mnaas() -> None:
    """Operate the nightly pipelines.

    A night is a pipeline and its business date. Each of its steps leaves a marker when its data is
    verified in place, so a rerun skips what is done and a failed night resumes where it stopped.

    \b
    When a night failed:
      mnaas incidents                                   what fails, since when
      mnaas plan CustomerAggr --date 2021-04-30         what a rerun would do, and why
      mnaas run CustomerAggr --date 2021-04-30          go on where it stopped

    \b
    Every day:
      mnaas run CustomerAggr --date yesterday           what cron calls
      mnaas calendar                                    the last 30 nights of all pipelines
      mnaas history --last 10                           how the last runs went

    Exit codes of run: 0 done, 10 running already, 20 an input is missing, 30 a step failed,
    35 configuration or list, 25 and 40 interrupted; 128+n ended by a signal.
    """


for command in (
    run_command,
    plan_command,
    rewind_command,
    backfill_command,
    *COMMANDS,
    backup_command,
    tables_command,
    versions_command,
):
    mnaas.add_command(command)


def main() -> None:
    try:
        mnaas()
    except ConfigError as error:
        sys.exit(_told(error, 35))
    except MnaasError as error:
        sys.exit(_told(error, 1))


def _told(error: MnaasError, code: int) -> int:
    click.echo(f"{type(error).__name__}: {error}", err=True)
    return code
