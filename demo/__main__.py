"""`python -m demo`: sample data for March and April 2021, and the night of 2021-04-30."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict

import click

from demo.copying import copy_tables
from demo.data import Size, write_tables
from demo.files import write_backup_files, write_list, write_partition_list
from demo.night import show_nights
from pipelines import configuration, settings, wiring
from pipelines.customer_aggr.settings import customer_aggr
from pipelines.traffic_adhoc_aggr.settings import traffic_adhoc_aggr
from targets.errors import MnaasError
from targets.warehouse.base import Warehouse


@click.command()
@click.option("--customers", default=Size.customers, show_default=True, help="How many customers.")
@click.option("--days", default=Size.days, show_default=True, help="Days up to 2021-04-30.")
@click.option("--rows", default=Size.rows, show_default=True, help="Rows of each large table.")
@click.option("--seed", default=Size.seed, show_default=True, help="Another seed, other values.")
@click.option("--data-only", is_flag=True, help="Make the data and run nothing.")
def main(customers: int, days: int, rows: int, seed: int, data_only: bool) -> None:
    """Make sample data where the configuration says, and run one night on it."""
    try:
        make_data(Size(customers, days, rows, seed))
    except MnaasError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    if not data_only:
        sys.exit(show_nights())


def make_data(size: Size) -> None:
    """Write everything, or nothing when it is there already."""
    root = settings.section(settings.files).root
    stamp = root / "sample-data.json"
    if stamp.exists():
        _refuse_other_size(json.loads(stamp.read_text()), size)
        click.echo(f"sample data   is there already, in {root.parent}")
        return
    started = time.monotonic()
    warehouse = wiring.embedded()
    total = 0
    for name, rows in write_tables(warehouse, size):
        total += rows
        click.echo(f"  {name:<40}{rows:>12,} rows")
    copy_to_cluster(warehouse)
    count = write_backup_files(warehouse, root / "backup", size)
    warehouse.close()
    write_lists(size.dates())
    stamp.write_text(json.dumps(asdict(size)))
    seconds = time.monotonic() - started
    click.echo(f"sample data   {total:,} rows and {count} files in {seconds:.1f} s")


def copy_to_cluster(made: Warehouse) -> None:
    """Where the tables are on a cluster: what is made here goes there."""
    cluster = wiring.cluster()
    if cluster is None:
        return
    started = time.monotonic()
    for table in cluster.tables.values():
        if cluster.describe(table) is None:
            cluster.create(table)
    partitions = {
        name: made.partitions(table) if table.partitioned_by else [""]
        for name, table in cluster.tables.items()
    }
    tables = [name for name, _ in copy_tables(made, cluster, partitions, "sample")]
    cluster.close()
    seconds = time.monotonic() - started
    click.echo(f"  {len(tables)} tables copied to {cluster.name} in {seconds:.0f} s")


def write_lists(days: list[str]) -> None:
    """The lists of dates that other processes would deliver."""
    named = settings.section(traffic_adhoc_aggr).partition_lists
    write_partition_list(configuration.path(settings.section(customer_aggr).partition_list))
    write_partition_list(configuration.path(named["daily"]))
    april = [day for day in days if day.startswith("2021-04")]
    write_list(configuration.path(named["apr21_mismatch"]), april)


def _refuse_other_size(there: dict[str, int], size: Size) -> None:
    if there != asdict(size):
        sys.exit(
            f"There is sample data of another size already: {there}.\n"
            "  Remove it first with: make clean"
        )


if __name__ == "__main__":
    main()
