"""Commands about tables: how they are, and what they were before."""

from __future__ import annotations

import sys

import click

from operations.entries import pipeline_named
from operations.printing import print_table
from pipelines.night import Entry
from targets.errors import ConfigError
from targets.warehouse.hiveserver2 import HiveServer2Warehouse


@click.command("tables")
@click.option("--create", is_flag=True, help="Create what is missing, with the DDL that it shows.")
def tables_command(create: bool) -> None:
    """Compare each declared table with what the warehouse has. Never alters, never drops.

    Exits with 1 when one is missing or differs.

    Example: mnaas tables --create
    """
    from operations.tables import MISSING, compare

    warehouse = _on_cluster("makes each table as it is first written: nothing to compare")
    try:
        found = list(compare(warehouse))
        print_table(
            ["table", "state", "location"],
            [[each.table.name, each.state, each.location] for each in found],
        )
        missing = [each.table for each in found if each.state == MISSING]
        for table in missing:
            click.echo(f"\n{warehouse.creation(table)};")
        if create:
            for table in missing:
                warehouse.create(table)
                click.echo(f"created {warehouse.spell(table)}")
        elif missing:
            click.echo(f"\n{len(missing)} missing; to create them as shown: mnaas tables --create")
    finally:
        warehouse.close()
    differing = [each for each in found if each.state not in ("ok", MISSING)]
    sys.exit(1 if differing or (missing and not create) else 0)


@click.command("versions")
@click.argument("pipeline", metavar="NAME", callback=pipeline_named)
@click.option("--table", "only", default="", help="Only of this table.")
def versions_command(pipeline: type[Entry], only: str) -> None:
    """List the directories that a pipeline's partitions pointed at before, and how to go back.

    Example: mnaas versions CustomerAggr --table table_statistics_customer_aggr
    """
    from operations.tables import kept_versions

    warehouse = _on_cluster("replaces files and keeps none of before")
    if only:
        warehouse.table(only)  # or an error with the near spelling
    kept = list(kept_versions(warehouse, pipeline, only))
    if not kept:
        click.echo("none are kept")
        return
    print_table(
        ["table", "partition", "replaced by", "on", "state", "directory"],
        [
            [each.table, each.partition, each.version, each.written, each.state, each.location]
            for each in kept
        ],
    )
    last = kept[-1]
    table = warehouse.table(last.table)
    change = warehouse.pointing(table, last.partition, last.location)
    click.echo(f"\nto go back, for one of them:\n  {change}")


def _on_cluster(otherwise: str) -> HiveServer2Warehouse:
    from pipelines import settings, wiring

    warehouse = wiring.cluster()
    if warehouse is None:
        engine = settings.section(settings.warehouse).engine
        raise ConfigError(
            f"[warehouse] engine = {engine}: this engine {otherwise}.",
            "The command is for engine = hive, hive+impala or spark.",
        )
    return warehouse
