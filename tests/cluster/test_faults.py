"""Servers that die, stall, refuse or answer late: nothing is lost or doubled, nothing waits."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from targets.errors import DeadlineError, LostConnectionError, StatementError
from targets.warehouse.base import Statement, Totals, no_audit
from targets.warehouse.hiveserver2 import HiveServer2Warehouse
from targets.warehouse.versions import path_of
from tests.cluster.conftest import MakePlace, MakeSite, Undisturbed
from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.servers.hive import Hive
from tests.cluster.servers.impala import Impala
from tests.cluster.sites import ClusterSite
from tests.cluster.stack import Place, slowly
from tests.contracts.warehouse import SALES, TABLES, values
from tests.ports import free_port
from tests.proxy import Proxy
from tests.site import Outcome, says

pytestmark = pytest.mark.cluster

DAYS = ["2021-04-01", "2021-04-02"]


def rows_of(number: int, days: list[str] = DAYS) -> Statement:
    """`number` rows a day, each with that number."""
    return values(*(f"({number}, 'a', {number}, '{day}')" for day in days for _ in range(number)))


def counts(warehouse: HiveServer2Warehouse) -> dict[str, int]:
    return dict(warehouse.row_counts(SALES, DAYS))


@pytest.fixture(params=["hive", "spark"])
def place(request: pytest.FixtureRequest, place_on: MakePlace) -> Place:
    return place_on(request.param, TABLES)


@pytest.fixture
def on_hive(place_on: MakePlace) -> Place:
    return place_on("hive", TABLES)


@pytest.fixture
def warehouse(place: Place) -> Iterator[HiveServer2Warehouse]:
    made = place.warehouse()
    yield made
    made.close()


def in_a_process_that_dies(work: Callable[[], Any]) -> None:
    """Run something in a child that ends in the middle of it, as by SIGKILL."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_killed_before_the_switch_nothing_has_changed(place: Place) -> None:
    warehouse = place.warehouse()
    warehouse.overwrite(SALES, DAYS, rows_of(1), "before", no_audit)

    def die(_written: Mapping[str, Totals]) -> None:
        os._exit(9)

    in_a_process_that_dies(lambda: place.warehouse().overwrite(SALES, DAYS, rows_of(2), "v", die))
    assert counts(warehouse) == dict.fromkeys(DAYS, 1)
    shadows = f"SHOW TABLES IN {warehouse.database}"
    warehouse.sweep(SALES)  # a statement of the dead one might still run: too young
    assert any("sales__v" in row for row in warehouse.session.rows("tables", shadows))
    sweeper = place.warehouse(orphan_seconds=0)
    sweeper.sweep(SALES)
    sweeper.close()
    assert not any("sales__v" in row for row in warehouse.session.rows("tables", shadows))
    assert not place.store().folder_exists(path_of(f"{place.folder}/sales.versions/v"))
    assert counts(warehouse) == dict.fromkeys(DAYS, 1)
    warehouse.close()


def test_killed_between_two_switches_the_rerun_finishes_them(place: Place) -> None:
    warehouse = place.warehouse()
    warehouse.overwrite(SALES, DAYS, rows_of(1), "before", no_audit)

    def die(_value: str) -> None:
        os._exit(9)

    in_a_process_that_dies(
        lambda: place.warehouse().overwrite(SALES, DAYS, rows_of(2), "v1", no_audit, switched=die)
    )
    assert sorted(counts(warehouse).values()) == [1, 2]
    warehouse.overwrite(SALES, DAYS, rows_of(2), "v2", no_audit)
    assert counts(warehouse) == dict.fromkeys(DAYS, 2)
    sweeper = place.warehouse(orphan_seconds=0, keep_versions_days=0)
    time.sleep(0.01)
    for _ in range(2):  # the first settles what the dead one left, the second removes the rest
        sweeper.sweep(SALES)
    sweeper.close()
    versions = place.store().folders(path_of(f"{place.folder}/sales.versions"))
    assert list(versions) == ["v2"]
    assert counts(warehouse) == dict.fromkeys(DAYS, 2)
    warehouse.close()


def test_superseded_directories_stay_so_many_days_and_current_ones_for_ever(
    place: Place, warehouse: HiveServer2Warehouse
) -> None:
    for number in (1, 2, 3):
        warehouse.overwrite(SALES, DAYS, rows_of(number), f"v{number}", no_audit)
    base = f"{place.folder}/sales.versions"
    assert warehouse.remarks.superseded[f"sales {DAYS[0]}"] == f"{base}/v2/day={DAYS[0]}"
    warehouse.sweep(SALES)
    assert len(place.store().folders(path_of(base))) == 3
    # Somebody goes back by hand: what a partition points at is not removed.
    back = warehouse.pointing(SALES, DAYS[0], f"{base}/v1/day={DAYS[0]}")
    warehouse.session.run("back", back)
    sweeper = place.warehouse(keep_versions_days=0)
    sweeper.sweep(SALES)
    sweeper.close()
    assert counts(warehouse) == {DAYS[0]: 1, DAYS[1]: 3}
    assert not place.store().folder_exists(path_of(f"{base}/v2"))
    assert place.store().folders(path_of(f"{base}/v1")) == [f"day={DAYS[0]}"]


def test_a_reader_never_sees_a_listed_partition_empty_or_doubled(place: Place) -> None:
    writer = place.warehouse()
    writer.overwrite(SALES, DAYS, rows_of(3), "before", no_audit)
    over = threading.Event()
    seen: list[dict[str, int]] = []

    def poll() -> None:
        reader = place.warehouse()
        while not over.is_set():
            seen.append(counts(reader))
        reader.close()

    thread = threading.Thread(target=poll)
    thread.start()
    for number in (4, 5, 6):
        writer.overwrite(SALES, DAYS, rows_of(number), f"v{number}", no_audit)
    over.set()
    thread.join()
    writer.close()
    assert len(seen) > 5
    for found in seen:
        assert sorted(found) == DAYS
        assert set(found.values()) <= {3, 4, 5, 6}


def test_a_stalled_connection_ends_at_the_deadline(place: Place) -> None:
    with Proxy(place.port) as proxy:
        access = place.access(port=proxy.port, timeout_seconds=2)
        warehouse = place.warehouse(access, deadline_seconds=3)
        warehouse.ping()
        proxy.stall_after(0)
        started = time.monotonic()
        with pytest.raises(DeadlineError, match="did not answer") as caught:
            warehouse.ping()
        assert time.monotonic() - started < 10
        assert f"{place.engine.name} at 127.0.0.1:{proxy.port}" in str(caught.value)
        warehouse.close()


def days_in(place: Place, version: str) -> list[str]:
    folders = place.store().folders(path_of(version))
    return [name.removeprefix("day=") for name in folders if name.startswith("day=")]


def test_a_statement_that_outlives_its_client_changes_nothing(place: Place) -> None:
    """Attempt 1 is cut off and goes on at the server, and ends after attempt 2's switch."""
    # Spark keeps its first answer for 5 s, and works on two rows at a time.
    reads = slowly(rows_of(9), {"hive": 200, "spark": 800}[place.engine.name])
    with Proxy(place.port) as proxy:
        access = place.access(port=proxy.port, timeout_seconds=8)
        first = place.warehouse(access, deadline_seconds=30)
        with pytest.raises(DeadlineError):  # it says that it is at work, and is cut off
            first.overwrite(SALES, DAYS, reads, "run-1", no_audit, lambda *_: proxy.stall_after(0))
        second = place.warehouse()
        second.overwrite(SALES, DAYS, rows_of(2), "run-2", no_audit)
        late = f"{place.folder}/sales.versions/run-1"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and days_in(place, late) != DAYS:
            time.sleep(0.5)
        assert days_in(place, late) == DAYS  # it did end, and wrote
        assert counts(second) == dict.fromkeys(DAYS, 2)
        second.close()


def test_several_servers_are_tried_in_order(on_hive: Place) -> None:
    gone = f"127.0.0.1:{free_port()}"
    warehouse = on_hive.warehouse(on_hive.access(hosts=[gone, f"127.0.0.1:{on_hive.port}"]))
    warehouse.ping()
    warehouse.close()
    nobody = on_hive.warehouse(on_hive.access(hosts=[gone]))
    with pytest.raises(LostConnectionError, match=rf"hive does not answer: {gone}") as caught:
        nobody.ping()
    assert "[hiveserver2] hosts" in str(caught.value)


def test_another_login_than_the_server_wants_is_named(on_hive: Place) -> None:
    plain = on_hive.warehouse(on_hive.access(auth="NOSASL", timeout_seconds=2))
    with pytest.raises(LostConnectionError, match="does not answer") as caught:
        plain.ping()
    assert "auth = NOSASL (a server that wants NONE" in str(caught.value)


def a_night_and(site: ClusterSite, step: str, happens: Callable[[], None]) -> Outcome:
    """A night that tries again for a while, and what happens while one of its steps is running."""
    site.configure("retry", first_wait_seconds=3, longest_wait_seconds=6, attempts=8)
    with site.start(*site.night_command()) as process:
        assert process.stdout and says(process, f"running   CustomerAggr.{step}(")
        happens()
        output = process.stdout.read()
    return Outcome(process.returncode, output)


def test_hive_killed_and_started_again_in_the_middle_of_a_step(
    site_on: MakeSite, undisturbed: Undisturbed, hive: Hive
) -> None:
    def restarted() -> None:
        time.sleep(0.8)
        hive.server.stop()
        hive.start()

    site = site_on("hive")
    output = a_night_and(site, "PublishPartitions", restarted).expect(0).output
    assert "the connection to hive at" in output or "does not answer" in output
    assert site.state()["tables"] == undisturbed("hive", "CustomerAggr")["tables"]


def test_the_namenode_restarted_in_the_middle_of_a_night(
    site_on: MakeSite, undisturbed: Undisturbed, hdfs: Hdfs
) -> None:
    def restarted() -> None:
        hdfs.namenode.stop()
        hdfs.start_namenode()
        hdfs.wait_until_ready()

    site = site_on("hive")
    if a_night_and(site, "LoadStaging", restarted).code:  # a marker could not be read meanwhile
        site.night().expect(0)
    assert site.state()["tables"] == undisturbed("hive", "CustomerAggr")["tables"]


def test_without_a_datanode_nothing_is_published(site_on: MakeSite, hdfs: Hdfs) -> None:
    site = site_on("hive")
    site.configure("retry", attempts=2)
    site.configure("namenode", timeout_seconds=5)
    before = site.final()
    hdfs.datanode.stop()
    try:
        outcome = site.night()
        assert outcome.code in (30, 35), outcome.output
        assert "Traceback" not in outcome.output
    finally:
        hdfs.start_datanode()
        hdfs.wait_until_ready()
    assert site.final() == before
    site.night().expect(0)


def refusing(words: str, at: int) -> Callable[[str], str | None]:
    """Refuse the n-th REFRESH of a partition of the final table."""
    seen = []

    def refuse(statement: str) -> str | None:
        if statement.startswith("REFRESH") and "partition_date=" in statement:
            seen.append(statement)
            return words if len(seen) == at else None
        return None

    return refuse


@pytest.fixture
def with_impala(site_on: MakeSite, impala: Impala) -> Iterator[ClusterSite]:
    yield site_on("hive+impala")
    impala.refuse = lambda _statement: None


def test_a_refused_refresh_is_fatal_and_the_rerun_finishes(
    with_impala: ClusterSite, impala: Impala
) -> None:
    site = with_impala
    impala.refuse = refusing("CatalogException: the catalogue is not ready", at=2)
    output = site.night().expect(30).output
    assert "refresh of table_statistics_customer_aggr: CatalogException" in output
    assert "Traceback" not in output
    before = len(impala.seen)
    site.night().expect(0)
    refreshed = [
        statement
        for statement in impala.seen[before:]
        if statement.startswith("REFRESH") and "partition_date=" in statement
    ]
    assert len(refreshed) == 4  # each switched partition by its name
    fresh = site.place.with_impala(impala.port)
    counted = "SELECT COUNT(*) FROM " + fresh.spell(fresh.table("table_statistics_customer_aggr"))
    reads = {"table_statistics_customer_aggr": None}
    [(rows,)] = fresh.query(Statement("rows", counted, reads))
    assert fresh.remarks.warnings == []
    fresh.close()
    assert rows == len(site.final())


def test_when_impala_is_down_reading_falls_back_and_nothing_is_switched(
    with_impala: ClusterSite, impala: Impala
) -> None:
    site = with_impala
    before = site.final()
    impala.stop()
    try:
        output = site.night().expect(30).output
        assert "impala does not answer" in output
        created = next(m for path, m in site.markers().items() if "CreateFile" in path)
        assert "was asked of Hive, for Impala failed" in created["evidence"]["warnings"][0]
        assert site.final() == before
    finally:
        impala.start()
    site.night().expect(0)
    assert site.final() != before


def test_impala_without_a_refresh_would_be_noticed(place_on: MakePlace, impala: Impala) -> None:
    place = place_on("hive", TABLES)
    shown = place.with_impala(impala.port)
    shown.overwrite(SALES, DAYS, rows_of(1), "v1", no_audit)
    hidden = place.warehouse()
    hidden.overwrite(SALES, DAYS, rows_of(2), "v2", no_audit)  # nobody tells Impala
    hidden.close()
    select = Statement("rows", f"SELECT COUNT(*) FROM {shown.spell(SALES)}", {"sales": None})
    shown._impala.refresh_all(SALES)  # a table's REFRESH never counts
    with pytest.raises(StatementError, match="stale metadata"):
        shown._impala.query(select)
    shown._impala.refresh(SALES, DAYS)
    assert shown._impala.query(select) == [(4,)]
    shown.close()
