"""What engines do differently, one test each, on every engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from targets.errors import AuditError, DeadlineError, MissingPartitionError, MissingTableError
from targets.schema import table
from targets.warehouse.base import Statement, Totals, no_audit
from targets.warehouse.hiveserver2 import HiveServer2Warehouse
from targets.warehouse.versions import path_of
from tests.cluster.conftest import MakePlace
from tests.cluster.stack import Place, slowly
from tests.contracts.warehouse import SALES, TABLES, values

pytestmark = pytest.mark.cluster

TEXT = table("texts", "id BIGINT, name STRING, amount DECIMAL(20,4)", "day", delimiter=";")
DAY = "2021-04-01"
ROWS = values(f"(1, 'a', 1.5, '{DAY}')", f"(2, 'b', 2.5, '{DAY}')")


@pytest.fixture(params=["hive", "spark"])
def place(request: pytest.FixtureRequest, place_on: MakePlace) -> Place:
    made: Place = place_on(request.param, {**TABLES, TEXT.name: TEXT})
    return made


@pytest.fixture
def warehouse(place: Place) -> Iterator[HiveServer2Warehouse]:
    made = place.warehouse()
    yield made
    made.close()


def rows(warehouse: HiveServer2Warehouse, of: str = "sales") -> list[tuple[Any, ...]]:
    declared = warehouse.table(of)
    sql = f"SELECT * FROM {warehouse.spell(declared)} ORDER BY day, id"
    return warehouse.query(Statement("rows", sql))


def by_hand(warehouse: HiveServer2Warehouse, sql: str) -> None:
    warehouse.session.run("by hand", sql.replace("SALES", warehouse.spell(SALES)))


def test_rows_of_a_dropped_partition_never_come_back(
    warehouse: HiveServer2Warehouse, place: Place
) -> None:
    by_hand(
        warehouse,
        f"INSERT OVERWRITE TABLE SALES PARTITION (day='{DAY}') SELECT 1 AS id, 'a' AS name, 1 AS a",
    )
    warehouse.drop_partitions(SALES, [DAY])
    by_hand(warehouse, f"ALTER TABLE SALES ADD PARTITION (day='{DAY}')")
    assert rows(warehouse) == []
    warehouse.overwrite(SALES, [DAY], ROWS, "v", no_audit)
    warehouse.drop_partitions(SALES, [DAY])
    by_hand(warehouse, f"ALTER TABLE SALES ADD PARTITION (day='{DAY}')")
    assert rows(warehouse) == []
    moved = [each for version in warehouse.versions(SALES) for each in version.superseded]
    assert all(place.store().folder_exists(path_of(each.location)) for each in moved)


def test_a_drop_that_was_killed_before_the_move_is_finished_by_the_next(
    warehouse: HiveServer2Warehouse,
) -> None:
    insert = f"INSERT OVERWRITE TABLE SALES PARTITION (day='{DAY}') SELECT 1 AS i, 'a' AS n, 1 AS a"
    by_hand(warehouse, insert)
    by_hand(warehouse, f"ALTER TABLE SALES DROP PARTITION (day='{DAY}')")  # the files stay
    warehouse.drop_partitions(SALES, [DAY])
    by_hand(warehouse, f"ALTER TABLE SALES ADD PARTITION (day='{DAY}')")
    assert rows(warehouse) == []


def test_files_that_were_left_in_a_directory_without_a_partition_are_not_published(
    warehouse: HiveServer2Warehouse,
) -> None:
    insert = f"INSERT OVERWRITE TABLE SALES PARTITION (day='{DAY}') SELECT 9 AS i, 'z' AS n, 9 AS a"
    by_hand(warehouse, insert)
    by_hand(warehouse, f"ALTER TABLE SALES DROP PARTITION (day='{DAY}')")
    warehouse.overwrite(SALES, [DAY], ROWS, "v", no_audit)
    assert [row[0] for row in rows(warehouse)] == [1, 2]


def test_zero_rows_empty_what_truncate_and_dynamic_overwrite_would_leave(
    warehouse: HiveServer2Warehouse,
) -> None:
    warehouse.overwrite(SALES, [DAY], ROWS, "v1", no_audit)
    none = Statement("none", f"SELECT * FROM ({ROWS.sql}) nobody WHERE 1 = 0")
    assert warehouse.overwrite(SALES, [DAY], none, "v2", no_audit) == {}
    assert rows(warehouse) == []
    assert warehouse.partitions(SALES) == [DAY]
    warehouse.overwrite(SALES, [DAY], ROWS, "v3", no_audit)
    assert len(rows(warehouse)) == 2


def test_hidden_folders_that_a_server_leaves_are_no_partitions_and_no_rows(
    warehouse: HiveServer2Warehouse, place: Place, tmp_path: Path
) -> None:
    warehouse.overwrite(SALES, [DAY], ROWS, "v", no_audit)
    current = warehouse.location(SALES, DAY)
    assert current
    (tmp_path / "half").write_bytes(b"half of a file")
    for name in (".hive-staging_hive_1/-ext-1/000000_0", "_temporary/0", "_SUCCESS"):
        place.store().put(tmp_path / "half", f"{path_of(current)}/{name}")
    assert len(rows(warehouse)) == 2
    assert warehouse.partitions(SALES) == [DAY]


def test_locations_are_absolute_and_end_in_run_and_attempt(
    warehouse: HiveServer2Warehouse, place: Place
) -> None:
    warehouse.overwrite(SALES, [DAY], ROWS, "20210501T021000-abc-1", no_audit)
    version = f"{place.folder}/sales.versions/20210501T021000-abc-1"
    assert warehouse.location(SALES, DAY) == f"{version}/day={DAY}"
    assert warehouse.location(SALES, "2021-04-09") is None


def test_where_many_partitions_are_is_what_each_of_them_says(
    warehouse: HiveServer2Warehouse, place: Place
) -> None:
    days = [DAY, "2021-04-02", " a b/c=50%ü'", "by hand", "empty"]
    written = [value for value in days if value not in ("by hand", "empty")]
    lines = (f"(1, 'a', 1, {warehouse.literal(day)})" for day in written)
    warehouse.overwrite(SALES, written, values(*lines), "v", no_audit)
    elsewhere = f"{place.folder}/else where"
    by_hand(
        warehouse,
        "ALTER TABLE SALES ADD PARTITION (day='empty') "
        f"PARTITION (day='by hand') LOCATION '{elsewhere}'",
    )
    found = warehouse.locations(SALES, [*days, "not there"])
    each = {day: warehouse.location(SALES, day) for day in days}
    assert found == {**each, "not there": None}
    assert found["by hand"] == elsewhere
    assert found["empty"] == f"{place.folder}/sales/day=empty"


def test_more_partitions_than_a_statement_takes_go_in_portions(
    warehouse: HiveServer2Warehouse,
) -> None:
    days = [f"d{number:04d}" for number in range(1500)]
    by_hand(warehouse, "ALTER TABLE SALES ADD PARTITION (day='d0001') PARTITION (day='d1499')")
    assert warehouse.row_counts(SALES, days) == {}
    warehouse.drop_partitions(SALES, days)
    assert warehouse.partitions(SALES) == []
    many = days[:210]
    none = Statement("none", f"SELECT * FROM ({ROWS.sql}) nobody WHERE 1 = 0")
    warehouse.overwrite(SALES, many, none, "v", no_audit)
    assert warehouse.partitions(SALES) == many
    warehouse.drop_partitions(SALES, many)
    assert warehouse.partitions(SALES) == []


AWKWARD = ["semi;colon", "new\nline", "", "\\N", "back\\slash", " blank ", 'quo"te', "tab\t", "ü"]


@pytest.mark.parametrize("declared", [SALES, TEXT], ids=["parquet", "text"])
def test_nulls_empty_strings_delimiters_and_digits_survive(
    warehouse: HiveServer2Warehouse, declared: Any
) -> None:
    written = [(n, name, Decimal("9999999999999999.9999")) for n, name in enumerate(AWKWARD)]
    spelled = [
        f"({n}, {warehouse.literal(name)}, CAST('{amount}' AS DECIMAL(20,4)), '{DAY}')"
        for n, name, amount in written
    ]
    select = values(*spelled, f"(99, CAST(NULL AS STRING), NULL, '{DAY}')")
    warehouse.overwrite(declared, [DAY], select, "v", no_audit)
    expected = [(*row, DAY) for row in [*written, (99, None, None)]]
    assert rows(warehouse, declared.name) == expected


def test_what_a_text_table_without_escapes_would_garble_is_caught_by_the_audit(
    warehouse: HiveServer2Warehouse,
) -> None:
    """As sites have them: a `;` in a value moves the columns after it."""
    plain = replace(TEXT, name="plain_texts")
    warehouse.session.run(
        "site's own",
        f"CREATE EXTERNAL TABLE {warehouse.spell(plain)} (id BIGINT, name STRING, "
        "amount DECIMAL(20,4)) PARTITIONED BY (day STRING) ROW FORMAT DELIMITED FIELDS TERMINATED "
        f"BY ';' STORED AS TEXTFILE LOCATION '{warehouse.location(SALES)!s}-plain'",
    )
    select = values(f"(1, 'a;b', 1.5, '{DAY}')")
    expected = warehouse.totals_of(select, plain)

    def audit(written: Mapping[str, Totals]) -> None:
        if written != expected:
            raise AuditError("garbled")

    with pytest.raises(AuditError):
        warehouse.overwrite(plain, [DAY], select, "v", audit)
    assert warehouse.partitions(plain) == []


def test_a_tables_purge_property_does_not_take_the_files_with_the_shadow(
    warehouse: HiveServer2Warehouse,
) -> None:
    """A table that Hive made without EXTERNAL has it, and so would its copy."""
    by_hand(warehouse, "ALTER TABLE SALES SET TBLPROPERTIES ('external.table.purge'='true')")
    warehouse.overwrite(SALES, [DAY], ROWS, "v1", no_audit)
    warehouse.overwrite(SALES, [DAY], ROWS, "v2", no_audit)
    assert len(rows(warehouse)) == 2


def test_settings_hold_for_each_statement_of_a_session(warehouse: HiveServer2Warehouse) -> None:
    asked = "SET hive.exec.dynamic.partition.mode"
    for _ in range(2):
        [found] = warehouse.session.rows("setting", asked)
        assert "nonstrict" in " ".join(str(part) for part in found)
        warehouse.close()


def test_a_table_that_is_missing_and_a_partition_that_is_are_told_apart(
    warehouse: HiveServer2Warehouse,
) -> None:
    missing = replace(SALES, name="nowhere")
    with pytest.raises(MissingTableError, match="mnaas tables") as caught:
        warehouse.partitions(missing)
    assert "nowhere" in caught.value.message
    assert "\tat " not in str(caught.value)
    with pytest.raises(MissingPartitionError):
        by_hand(warehouse, "DESCRIBE FORMATTED SALES PARTITION (day='no')")


def test_a_statement_is_stopped_at_its_deadline(place: Place) -> None:
    warehouse = place.warehouse(deadline_seconds=4)
    slow = slowly(values(*[f"(1, 'a', 1.5, '{DAY}')"] * 10), 2000)
    with pytest.raises(DeadlineError, match="values was stopped after 4 s"):
        warehouse.query(slow)
    warehouse.close()
    another = place.warehouse()
    another.ping()
    another.close()


def test_two_sessions_that_write_the_same_table_do_not_mix(place: Place) -> None:
    days = ["2021-04-01", "2021-04-02"]

    def write(number: int) -> None:
        warehouse = place.warehouse()
        lines = [f"({number}, 'a', {number}, '{day}')" for day in days for _ in range(number)]
        try:
            warehouse.overwrite(SALES, days, values(*lines), f"v{number}", no_audit)
        finally:
            warehouse.close()

    warehouse = place.warehouse()
    warehouse.overwrite(SALES, days, values(f"(9, 'z', 9, '{days[0]}')"), "before", no_audit)
    threads = [threading.Thread(target=write, args=(number,)) for number in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = rows(warehouse)
    warehouse.close()
    for day in days:
        numbers = [row[0] for row in found if row[3] == day]
        assert numbers in ([2, 2], [3, 3, 3])


def test_in_place_the_files_are_where_they_always_are(
    warehouse: HiveServer2Warehouse, place: Place
) -> None:
    warehouse.overwrite(SALES, [DAY], ROWS, "v1", no_audit)
    seen: list[str] = []
    more = values(f"(7, 'c', 7, '{DAY}')", "(8, 'd', 8, '2021-04-02')")
    days = [DAY, "2021-04-02"]
    warehouse.overwrite(SALES, days, more, "v2", no_audit, switched=seen.append, in_place=True)
    assert seen == days
    assert [row[0] for row in rows(warehouse)] == [7, 8]
    for day in days:
        assert warehouse.location(SALES, day) == f"{place.folder}/sales/day={day}"
    assert not place.store().folder_exists(path_of(f"{place.folder}/sales.versions/v2"))
