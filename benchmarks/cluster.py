"""`make bench-cluster`: what we add to the statements themselves, on a real Hive and HDFS.

Both sides in the same run over the same kind of connection, in pairs; medians.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from benchmarks.figures import Figure, paired, timed
from targets.store.hdfs import HdfsStore
from targets.warehouse.base import Statement, no_audit
from targets.warehouse.hive import HiveWarehouse
from targets.warehouse.hiveserver2 import HiveServer2Warehouse
from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.servers.hive import Hive
from tests.cluster.stack import Place
from tests.contracts.warehouse import SALES, TABLES, values

DAYS = [f"2021-04-{day:02d}" for day in range(1, 31)]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("hdfs", "hive"):
            (root / name).mkdir()
        with Hdfs(root / "hdfs") as hdfs, Hive(root / "hive", hdfs) as hive:
            place = Place.on(HiveWarehouse, hive.port, hdfs, root / "state", TABLES)
            warehouse = place.warehouse()
            _publish(warehouse, place)
            _statements(warehouse)
            warehouse.close()
            _markers(hdfs)


def _publish(warehouse: HiveServer2Warehouse, place: Place) -> None:
    rows = values(*(f"({n}, 'a', {n}, '{day}')" for day in DAYS for n in range(3)))
    warehouse.overwrite(SALES, DAYS, rows, "first", no_audit)  # from here on all are there
    names = ", ".join(column.name for column in SALES.all_columns)
    rows = Statement("again", f"SELECT {names} FROM {warehouse.spell(SALES)}", {"sales": None})
    numbers = iter(range(1000))

    def ours() -> None:
        warehouse.overwrite(SALES, DAYS, rows, f"ours-{next(numbers)}", no_audit)

    def by_hand() -> None:
        version = f"hand_{next(numbers)}"
        _by_hand(warehouse, rows, version, f"{place.folder}/sales.versions/{version}")

    name, against = f"publish {len(DAYS)} partitions", "the bare statements by hand"
    _tell(paired(name, lambda: timed(ours), lambda: timed(by_hand), 1.3, against))


def _by_hand(warehouse: HiveServer2Warehouse, rows: Statement, version: str, place: str) -> None:
    """What a person would type: write aside, look, switch each partition, tidy up."""
    run, name = warehouse.session.run, f"{warehouse.database}.sales"
    shadow = f"{name}_{version}"
    run("by hand", f"CREATE EXTERNAL TABLE {shadow} LIKE {name} LOCATION '{place}'")
    insert = f"INSERT OVERWRITE TABLE {shadow} PARTITION (day) SELECT id, name, amount, day FROM "
    run("by hand", f"{insert}({rows.sql}) r")
    sums = "COUNT(*), SUM(id), COUNT(name), SUM(amount)"
    warehouse.session.rows("by hand", f"SELECT day, {sums} FROM {shadow} GROUP BY day")
    for day in DAYS:
        switch = f"PARTITION (day='{day}') SET LOCATION '{place}/day={day}'"
        run("by hand", f"ALTER TABLE {name} {switch}")
    run("by hand", f"DROP TABLE {shadow}")


def _statements(warehouse: HiveServer2Warehouse) -> None:
    """Ours starts a statement, asks for it, fetches; the driver's own call waits at the server."""
    from pyhive import hive

    host, port = next(warehouse.session.access.places())
    connection = hive.connect(host, port, username=warehouse.session.access.user)
    sql = f"SHOW PARTITIONS {warehouse.spell(SALES)}"

    def ours() -> None:
        for _ in range(20):
            warehouse.session.rows("bench", sql)

    def bare() -> None:
        for _ in range(20):
            cursor = connection.cursor()
            cursor.execute(sql)
            cursor.fetchall()
            cursor.close()

    name = "20 short statements"
    figure = paired(name, lambda: timed(ours), lambda: timed(bare), None, "the driver's own call")
    connection.close()
    _tell(figure)
    added = (figure.ours - (figure.other or 0)) / 20 * 1000
    click.echo(f"  {added:.1f} ms more for each (goal: below 10)")


def _markers(hdfs: Hdfs) -> None:
    store = HdfsStore("/markers", urls=[hdfs.url], user=hdfs.user)
    for number in range(365):
        store.write(f"folder/{number}.json", b"{}")
    seconds = timed(lambda: store.list("folder"))
    _tell(Figure("365 markers on HDFS in one listing", seconds))


def _tell(figure: Figure) -> None:
    click.echo(figure.line())


if __name__ == "__main__":
    main()
