"""TrafficAdhocAggr: what it computes, its named lists, and odd input."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipelines.refreshing import RefreshLoop
from pipelines.tables import TABLES
from targets.errors import StoreError
from targets.warehouse.base import Statement
from tests.journeys.test_nights import held, wait_for
from tests.site import DATE, Outcome, Site

RAW = "traffic_details_raw_daily_with_no_dups"
FINAL = "traffic_aggr_adhoc"


def night(site: Site, *more: str, date: str = DATE) -> Outcome:
    return site.night(date, *more, pipeline="TrafficAdhocAggr")


def write_list(site: Site, *dates: str, name: str = "daily") -> None:
    file = site.root / f"var/files/lists/traffic_adhoc_{name}.txt"
    file.write_text("".join(f"{day}\n" for day in dates))


def asked(site: Site, select: str, *reads: str) -> list[tuple[Any, ...]]:
    warehouse = site.warehouse()
    found = warehouse.query(Statement("test", select, dict.fromkeys(reads)))
    warehouse.close()
    return found


def write_calls(site: Site, *calls: dict[str, object], day: str = DATE) -> None:
    """These calls alone on that day; what a call does not say is as in any other."""
    [example] = asked(
        site, f"SELECT cdrid FROM mnaas.{RAW} WHERE partition_date = '2021-04-29' LIMIT 1", RAW
    )
    usual: dict[str, object] = {
        "cdrid": "c1",
        "tcl_secs_id": 100001,
        "mcc": "204",
        "bytes": 0,
        "retailduration": 0,
        "sms_usage": 0,
        "rejectcode": "",
        **{f"whole_sale_cost_{number}": 0 for number in range(1, 6)},
        **dict.fromkeys(("sim", "msisdn", "vin", "costcenter", "department", "businessunit"), "x"),
        **dict.fromkeys(("traffictype", "calltype", "mnc", "tadigcode"), "y"),
    }
    rows = []
    for call in calls:
        values = {**usual, **call, "partition_date": day}
        spelled = (
            f"{'NULL' if value is None else repr(value) if isinstance(value, str) else value} "
            f"AS {name}"
            for name, value in values.items()
        )
        rows.append(
            f"SELECT * REPLACE ({', '.join(spelled)}) FROM mnaas.{RAW} "
            f"WHERE partition_date = '2021-04-29' AND cdrid = '{example[0]}'"
        )
    site.rewrite(RAW, " UNION ALL ".join(rows), day)
    write_list(site, day)


def final(site: Site, columns: str, day: str = DATE) -> list[tuple[Any, ...]]:
    where = f"WHERE partition_date = '{day}'"
    return asked(site, f"SELECT {columns} FROM mnaas.{FINAL} {where} ORDER BY ALL", FINAL)


def test_usage_is_summed_converted_and_rounded_once(site: Site) -> None:
    write_calls(
        site,
        {"cdrid": "c1", "bytes": 1_048_576, "retailduration": 50, "whole_sale_cost_1": "0.0001"},
        {"cdrid": "c1", "bytes": 52, "retailduration": 50, "whole_sale_cost_1": "0.0002"},
        {"cdrid": "c2", "bytes": 1_000, "sms_usage": 3, "whole_sale_cost_5": "7.5"},
    )
    night(site).expect(0)
    columns = "data_usage_in_mb, data_usage_in_kb, voice_usage_in_secs, voice_usage_in_mins"
    assert final(site, columns) == [
        (Decimal("1.0010"), Decimal("1025.0273"), 100, Decimal("1.6667"))
    ]
    columns = "sms_usage, whole_sale_cost_1, whole_sale_cost_5, noofcdrids"
    assert final(site, columns) == [(3, Decimal("0.0003"), Decimal("7.5000"), 2)]


def test_rejected_calls_are_left_out(site: Site) -> None:
    write_calls(
        site,
        {"cdrid": "c1", "sms_usage": 1},
        {"cdrid": "c2", "sms_usage": 5, "rejectcode": "R01"},
        {"cdrid": "c3", "sms_usage": 2, "rejectcode": None},
    )
    night(site).expect(0)
    assert final(site, "sms_usage, noofcdrids") == [(3, 2)]


def test_unknown_keys_fall_back_and_are_counted(site: Site) -> None:
    write_calls(
        site,
        {"cdrid": "c1", "tcl_secs_id": 4, "mcc": "999", "country": "raw country"},
        {"cdrid": "c2", "tcl_secs_id": None, "mcc": "204"},
    )
    output = night(site).expect(0).output
    assert final(site, "customername, country") == [("", "Netherlands"), ("", "raw country")]
    assert "unknown organisation: 1 (2 rows), such as 4" in output
    assert "unknown country: 1 (1 rows), such as 999" in output
    [marker] = [text for path, text in site.markers().items() if "01-Aggregate" in path]
    assert len(marker["evidence"]["warnings"]) == 2


def test_a_key_that_a_lookup_has_twice_doubles_nothing(site: Site) -> None:
    write_calls(site, {"sms_usage": 1})
    site.rewrite(
        "org_details",
        "SELECT 100001 AS orgno, 'b' AS orgname UNION ALL SELECT 100001, 'a'",
    )
    output = night(site).expect(0).output
    assert final(site, "customername, sms_usage, noofcdrids") == [("a", 1, 1)]
    assert "organisation listed more than once: 1 (2 rows), such as 100001" in output


def test_a_join_of_the_sites_own_that_doubles_rows_publishes_nothing(site: Site) -> None:
    from pipelines.statements import source

    site.rewrite(
        "org_details", "SELECT 100001 AS orgno, 'a' AS orgname UNION ALL SELECT 100001, 'b'"
    )
    doubling = source("traffic_adhoc_aggr/aggregate_staging").replace(
        'SELECT orgno, MIN(orgname) AS orgname FROM {{ table("org_details") }} GROUP BY orgno',
        'SELECT orgno, orgname FROM {{ table("org_details") }}',
    )
    (site.root / "mine.sql").write_text(doubling)
    site.configure("statements", replace='{"traffic_adhoc_aggr/aggregate_staging": "mine.sql"}')
    before = site.rows(FINAL)
    output = night(site).expect(30).output
    assert "Nothing was switched" in output
    assert "doubles or drops rows" in output
    assert site.rows(FINAL) == before
    assert site.rows(f"{FINAL}_staging") == []


def test_each_named_list_is_a_night_of_its_own(site: Site) -> None:
    write_list(site, "2021-04-29")
    write_list(site, "2021-04-28", name="apr21_mismatch")
    night(site).expect(0)
    night(site, "--partition-list", "apr21_mismatch").expect(0)
    keys = {path.rpartition("/")[2].partition(".")[0] for path in site.markers()}
    assert keys == {f"{DATE}@daily", f"{DATE}@apr21_mismatch"}
    assert final(site, "noofcdrids", "2021-04-28")
    assert final(site, "noofcdrids", "2021-04-29")
    assert "Did not run any tasks" in night(site).expect(0).output


def test_a_list_that_the_configuration_does_not_name_is_a_mistake_of_the_user(site: Site) -> None:
    output = night(site, "--partition-list", "apr").expect(1).output
    assert "--partition-list 'apr' is none of: daily, apr21_mismatch, feb_mismatch." in output
    assert "Traceback" not in output
    assert not site.mails()


def test_nights_of_different_lists_wait_for_one_another_on_the_final_table(site: Site) -> None:
    write_list(site, "2021-04-29")
    write_list(site, "2021-04-28", "2021-04-29", name="apr21_mismatch")
    folder = site.root / "var/state/markers/TrafficAdhocAggr/01-AggregateStaging"
    with held(site, f"table/{FINAL}"):
        commands = [
            site.night_command(DATE, "--partition-list", name, pipeline="TrafficAdhocAggr")
            for name in ("daily", "apr21_mismatch")
        ]
        nights = [site.start(*command) for command in commands]
        wait_for(lambda: len(list(folder.glob("*.json"))) == 2)
    outputs = [process.communicate(timeout=60)[0] for process in nights]
    assert [process.returncode for process in nights] == [0, 0], outputs
    assert final(site, "noofcdrids", "2021-04-28")


def test_a_day_without_calls_is_dropped(site: Site) -> None:
    write_list(site, "2021-04-11")
    assert "2021-04-11" in site.warehouse().partitions(TABLES[FINAL])
    night(site).expect(0)
    assert "2021-04-11" not in site.warehouse().partitions(TABLES[FINAL])


def test_a_partition_list_may_be_finished_by_a_later_night(site: Site) -> None:
    write_list(site, "2021-04-27")
    with held(site, f"table/{FINAL}"):
        command = site.night_command("2021-04-29", pipeline="TrafficAdhocAggr")
        with site.start(*command) as process:
            folder = site.root / "var/state/markers/TrafficAdhocAggr/01-AggregateStaging"
            wait_for(lambda: any(folder.glob("*.json")))
            process.kill()
    write_list(site, "2021-04-28")
    site.run("mnaas", "run", "TrafficAdhocAggr", "--date", DATE).expect(0)
    assert final(site, "noofcdrids", "2021-04-27")
    assert final(site, "noofcdrids", "2021-04-28")


def test_published_in_place_it_ends_the_same(site: Site, sample_site: Any, tmp_path: Any) -> None:
    switched = Site.copy_of(sample_site, tmp_path / "switched")
    night(switched).expect(0)
    site.configure("traffic_adhoc_aggr", publish="in_place", refresh_wait_seconds=0.01)
    night(site).expect(0)
    assert site.rows(FINAL) == switched.rows(FINAL)


def test_the_refresh_loop_goes_on_after_a_failure_counts_it_and_stops_with_its_step() -> None:
    calls = []

    def refresh() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise StoreError("no answer", "")

    with RefreshLoop(refresh, passes=100, wait_seconds=0.01) as loop:
        wait_for(lambda: len(calls) >= 4)
    ended = len(calls)
    assert loop.failures == ["refresh 2 of the loop failed: no answer"]
    wait_for(lambda: not loop._thread.is_alive())
    assert len(calls) == ended


def test_the_refresh_loop_ends_after_its_passes() -> None:
    calls: list[int] = []
    with RefreshLoop(lambda: calls.append(1), passes=3, wait_seconds=0.001) as loop:
        wait_for(lambda: not loop._thread.is_alive())
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("SELECT * EXCLUDE (bytes)", "bytes"),
        ("SELECT * REPLACE ('many' AS bytes)", "bytes"),
    ],
    ids=["a missing column", "a wrong type"],
)
def test_a_source_that_is_not_as_declared_changes_nothing(
    site: Site, change: str, words: str
) -> None:
    import duckdb

    file = site.root / f"var/warehouse/mnaas/{RAW}/partition_date=2021-04-29/data.parquet"
    duckdb.sql(f"COPY ({change} FROM '{file}') TO '{file}.new'")
    file.with_name("data.parquet.new").rename(file)
    write_list(site, "2021-04-29")
    before = site.rows(FINAL)
    output = night(site).expect(30).output
    assert words in output
    assert "Traceback" not in output
    assert site.rows(FINAL) == before
