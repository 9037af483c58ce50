from __future__ import annotations

import json

import pytest

from targets.locks import FileLocks
from tests.site import DATE, Site

STEPS = ["CreateFile", "LoadStaging", "PublishPartitions", "DropStalePartitions"]


def plan(site: Site, *more: str) -> dict[str, tuple[str, str]]:
    output = site.run("mnaas", "plan", "CustomerAggr", "--date", DATE, "--json", *more)
    planned = json.loads(output.expect(0).output)["steps"]
    assert [step["step"] for step in planned] == STEPS
    return {step["step"]: (step["state"], step["reason"]) for step in planned}


def states(site: Site, *more: str) -> list[str]:
    return [state for state, _ in plan(site, *more).values()]


def test_a_new_night_runs_from_the_start(site: Site) -> None:
    planned = plan(site)
    assert planned["CreateFile"] == ("RUN", "not done yet")
    assert planned["LoadStaging"] == ("RUN", "after CreateFile")


def test_planning_touches_nothing(site: Site) -> None:
    before = sorted(site.root.rglob("*"))
    plan(site, "--verbose")
    assert sorted(site.root.rglob("*")) == before


def test_a_done_night_is_done_and_says_when_and_by_which_run(site: Site) -> None:
    site.night().expect(0)
    assert states(site) == ["DONE"] * 4
    _, reason = plan(site)["CreateFile"]
    marker = next(iter(site.markers().values()))
    assert reason == f"{marker['ended'][:19]}, 72 rows, run {marker['run_id']}"
    assert states(site, "--month", "2021-04") == ["RUN"] * 4


def test_a_changed_list_says_what_changed(site: Site) -> None:
    site.write_list("2021-04-28")
    site.night().expect(0)
    site.write_list("2021-04-29")
    assert plan(site)["CreateFile"] == (
        "RUN",
        "done with another list (2021-04-28), now 2021-04-29",
    )


def test_a_missing_list_blocks(site: Site) -> None:
    site.list_file.unlink()
    state, reason = plan(site)["CreateFile"]
    assert state == "BLOCKED"
    assert str(site.list_file.name) in reason


def test_a_running_night_says_who_runs_it(site: Site) -> None:
    locks = FileLocks(site.root / "var/state/locks")
    lock = locks.try_hold(f"run/CustomerAggr/{DATE}", "CustomerAggr elsewhere")
    assert lock
    state, reason = plan(site)["CreateFile"]
    assert state == "BLOCKED"
    assert reason.startswith("running: CustomerAggr elsewhere (pid")
    lock.release()


def test_a_table_that_somebody_holds_is_named(site: Site) -> None:
    locks = FileLocks(site.root / "var/state/locks")
    lock = locks.try_hold("table/table_statistics_customer_aggr", "another night")
    assert lock
    planned = plan(site)
    assert planned["LoadStaging"][0] == "RUN"
    state, reason = planned["PublishPartitions"]
    assert state == "BLOCKED"
    assert reason.startswith("table_statistics_customer_aggr is held by another night (pid")
    lock.release()


def test_verbose_shows_the_partitions_and_the_sql(site: Site) -> None:
    output = site.run("mnaas", "plan", "CustomerAggr", "--date", DATE, "--verbose").expect(0).output
    assert "FROM mnaas.usage_trend_daily_aggr\nWHERE partition_date IN ('2021-03-31'," in output


def test_rewind_forgets_a_step_and_those_after_it(site: Site) -> None:
    site.night().expect(0)
    rewind = ["mnaas", "rewind", "CustomerAggr", "--date", DATE, "--from", "PublishPartitions"]
    output = site.run(*rewind, "--yes").expect(0).output
    assert "forget  CustomerAggr/03-PublishPartitions/" in output
    assert "forget  CustomerAggr/04-DropStalePartitions/" in output
    assert states(site) == ["DONE", "DONE", "RUN", "RUN"]
    rerun = site.night().expect(0).output
    assert "running   CustomerAggr.PublishPartitions(" in rerun
    assert "running   CustomerAggr.LoadStaging(" not in rerun
    site.run(*rewind, "--yes").expect(0)
    assert "nothing is done from" in site.run(*rewind).expect(0).output


def test_a_wrong_list_can_be_forgotten(site: Site) -> None:
    site.write_list("2021-04-28", "2021-05-01")
    site.night().expect(30)
    site.write_list("2021-04-28")
    output = site.night().expect(30).output
    assert f"mnaas rewind CustomerAggr --date {DATE} --from CreateFile --forget-list" in output
    rewind = ["mnaas", "rewind", "CustomerAggr", "--date", DATE, "--from", "CreateFile"]
    assert "nothing is done from" in site.run(*rewind).expect(0).output
    output = site.run(*rewind, "--forget-list", "--yes").expect(0).output
    assert f"forget  the list of {DATE}" in output
    assert "partitions     2021-04-28\n" in site.night().expect(0).output


def test_rewind_asks_first(site: Site) -> None:
    site.night().expect(0)
    rewind = ["mnaas", "rewind", "CustomerAggr", "--date", DATE, "--from", "CreateFile"]
    assert "Forget these?" in site.run(*rewind).expect(1).output
    assert states(site) == ["DONE"] * 4


def test_rewind_leaves_a_running_night_alone(site: Site) -> None:
    site.night().expect(0)
    locks = FileLocks(site.root / "var/state/locks")
    lock = locks.try_hold(f"run/CustomerAggr/{DATE}", "CustomerAggr elsewhere")
    assert lock
    rewind = ["mnaas", "rewind", "CustomerAggr", "--date", DATE, "--from", "CreateFile", "--yes"]
    output = site.run(*rewind).expect(1).output
    assert "is running: CustomerAggr elsewhere" in output
    assert "Traceback" not in output
    lock.release()
    assert states(site) == ["DONE"] * 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan", "CustomerAgr", "--date", DATE), "Did you mean CustomerAggr?"),
        (("plan", "CustomerAggr", "--date", "30.4."), "'30.4.' is not a date"),
        (("plan", "CustomerAggr"), "Missing option '--date'"),
        (("plan", "CustomerAggr", "--date", DATE, "--month", "4"), "'4' is not a month"),
        (("rewind", "CustomerAggr", "--date", DATE, "--from", "Load"), "Did you mean LoadStaging?"),
    ],
)
def test_a_mistyped_command_says_what_to_type(
    site: Site, arguments: tuple[str, ...], message: str
) -> None:
    outcome = site.run("mnaas", *arguments)
    assert outcome.code in (1, 2)
    assert message in outcome.output
    assert "Traceback" not in outcome.output


def test_every_command_shows_an_example(site: Site) -> None:
    for command in ("plan", "rewind"):
        output = site.run("mnaas", command, "--help").expect(0).output
        assert f"Example: mnaas {command}" in output


def test_a_plan_shows_every_statement_of_another_engine(site: Site) -> None:
    plan = ["plan", "CustomerAggr", "--date", DATE, "--verbose", "--engine"]
    for engine, create in (("hive", "CREATE EXTERNAL TABLE"), ("spark", "CREATE TABLE")):
        output = site.run("mnaas", *plan, engine).expect(0).output
        table = "mnaas.table_statistics_customer_aggr"
        assert f"{create} {table}__run_id_attempt LIKE {table}" in output
        assert f"INSERT OVERWRITE TABLE {table}__run_id_attempt PARTITION" in output
        assert f"ALTER TABLE {table} PARTITION (partition_date='{DATE}') SET LOCATION" in output
        assert f"ALTER TABLE {table} DROP IF EXISTS PARTITION" in output
    for name in ("tables", "versions CustomerAggr"):
        output = site.run("mnaas", *name.split()).expect(35).output
        assert "The command is for engine = hive, hive+impala or spark" in output
