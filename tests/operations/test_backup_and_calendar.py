"""`mnaas backup`, `mnaas calendar`, and legacy flags as names of steps."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import click
import pytest

import pipelines
from operations.entries import PIPELINES, step_named
from pipelines.customer_backup_files.transfers import Transfers
from targets.locks import FileLocks
from tests.journeys.test_customer_backup_files import bare, night, put
from tests.site import DATE, Site

__all__ = ["bare"]  # the fixture


# Where backup files are.


def test_status_answers_for_every_file_on_its_way(bare: Site) -> None:
    put(bare, "calm_20210429_sent.csv", "head\n1\n")
    put(bare, "calm_20210429_bad.csv", companion="wrong")
    night(bare).expect(0)
    put(bare, "calm_20210429_new.csv", "head\n12\n")
    put(bare, "calm_20210429_young.csv", age_seconds=1)
    put(bare, "stranger.csv")
    put(bare, "calm_;.csv")
    output = bare.run("mnaas", "backup", "status").expect(0).output
    shown = [line.split()[:3] for line in output.splitlines()[1:]]
    assert shown == [
        ["new", "1", "8"],
        ["being", "written", "1"],
        ["refused", "1", "0"],
        ["unknown", "1", "0"],
        ["quarantined", "1", "0"],
        ["removed", "1", "7"],
    ]
    chosen = bare.run("mnaas", "backup", "status", "--file", "*_sent.csv").expect(0).output
    assert "removed" in chosen
    assert "traffic/calm/calm_20210429_sent.csv.gz" in chosen
    assert "_new" not in chosen
    listed = json.loads(bare.run("mnaas", "backup", "status", "--json").expect(0).output)
    assert len(listed) == 6
    bad = bare.run("mnaas", "backup", "status", "--state", "lost").expect(2).output
    assert "'lost' is no state. There are: new, waiting," in bad


def test_audit_agrees_after_a_night(bare: Site) -> None:
    put(bare, "calm_20210429.csv")
    night(bare).expect(0)
    output = bare.run("mnaas", "backup", "audit").expect(0).output
    assert output == "1 files compared, 0 do not agree\n"


def test_audit_finds_what_each_place_lacks(bare: Site) -> None:
    names = [f"calm_20210429_{letter}.csv" for letter in "abcd"]
    for name in names:
        put(bare, name, f"head\n{name}\n")
    night(bare).expect(0)
    gone, other, uncounted, back = names
    far = bare.root / "var/edge-node-2/traffic/calm"
    (far / f"{gone}.gz").unlink()
    (far / f"{other}.gz").write_bytes(b"other")
    counts = "customers_files_records_count"
    kept = f"SELECT * FROM mnaas.{counts} WHERE file_date = '2021-04-29'"
    bare.rewrite(counts, f"{kept} AND customer_filename <> '{uncounted}'", "2021-04-29")
    transfers = Transfers(bare.root / "var/state/transfers.sqlite")
    [removed] = [each for each in transfers.all() if each.path.endswith(back)]
    put(bare, back, f"head\n{back}\n")
    status = Path(removed.path).stat()
    with transfers._open() as connection:
        connection.execute(
            "UPDATE transfers SET inode = ?, mtime_ns = ? WHERE path = ?",
            (status.st_ino, status.st_mtime_ns, removed.path),
        )
    output = bare.run("mnaas", "backup", "audit", "--date", DATE).expect(1).output
    for name, words in (
        (gone, "is gone from the second edge node"),
        (other, "differs on the second edge node"),
        (uncounted, f"is not in {counts} 2021-04-29"),
        (back, "is here, and was removed"),
    ):
        [line] = [line for line in output.splitlines() if name in line.split()]
        assert words in line
    assert output.endswith("4 files compared, 4 do not agree\n")
    assert "0 files compared" in bare.run("mnaas", "backup", "audit", "--date", "2021-04-01").output


# The calendar.


def test_the_calendar_has_a_cell_for_each_night(site: Site) -> None:
    site.write_list("2021-04-28")
    site.night("2021-04-27").expect(0)
    site.night(DATE, "--month", "2021-04").expect(0)
    site.write_list("2021-05-01")
    site.night("2021-04-28").expect(30)
    site.night("2021-04-29").expect(30)
    lock = FileLocks(site.root / "var/state/locks").try_hold(
        "run/CustomerAggr/2021-04-29", "the test"
    )
    assert lock
    command = ["mnaas", "calendar", "--until", DATE, "--days", "5"]
    lines = site.run(*command).expect(0).output.splitlines()
    assert lines[0] == "2021-04-26 to 2021-04-30"
    assert [line.split() for line in lines[1:]] == [
        ["22223"],
        ["67890"],
        ["CustomerAggr", ".DFR."],
        ["CustomerAggr@month-2021-04", "....D"],
        ["CustomerBackupFiles", "....."],
        ["CustomerInvoiceSummaryEstimated", "....."],
        ["MissingCustomerFiles", "....."],
        ["TrafficAdhocAggr@daily", "....."],
        ["D", "done,", "F", "failed,", "R", "running,", ".", "missing"],
    ]
    lock.release()
    one = site.run(*command[:2], "CustomerAggr", *command[2:], "--json").expect(0).output
    [row, _] = json.loads(one)
    assert row["nights"]["2021-04-29"] == "failed"
    wrong = site.run("mnaas", "calendar", "CustomerAgr").expect(2).output
    assert "Did you mean CustomerAggr?" in wrong


def test_the_calendar_shows_the_last_30_nights_up_to_yesterday(site: Site) -> None:
    lines = site.run("mnaas", "calendar").expect(0).output.splitlines()
    assert len(lines[3].split()[1]) == 30


# Legacy flags.

FLAGS = {
    "CustomerAggr": [1, 3, 4, 2],
    "TrafficAdhocAggr": [2, 3, 1],
    "CustomerBackupFiles": [1, 2, 3, 4, 5],
    "CustomerInvoiceSummaryEstimated": [1, 2],
    "MissingCustomerFiles": [1, None],
}


def test_the_steps_have_the_flags_that_operators_know() -> None:
    known = {name: [kind.legacy_flag for kind in PIPELINES[name].steps()] for name in FLAGS}
    assert known == FLAGS
    assert set(pipelines.__all__) == set(FLAGS)


@pytest.mark.parametrize(
    ("pipeline", "flag", "step"),
    [
        ("CustomerAggr", "0", "CreateFile"),
        ("CustomerAggr", "1", "CreateFile"),
        ("CustomerAggr", "2", "LoadStaging"),
        ("CustomerAggr", "3", "LoadStaging"),
        ("CustomerAggr", "4", "PublishPartitions"),
        ("TrafficAdhocAggr", "1", "AggregateStaging"),
        ("TrafficAdhocAggr", "2", "AggregateStaging"),
        ("TrafficAdhocAggr", "3", "PublishPartitions"),
        ("CustomerBackupFiles", "4", "CopyToEdgeNode"),
        ("MissingCustomerFiles", "1", "CompareKpis"),
    ],
)
def test_a_flag_names_the_earliest_step_with_it_or_a_later_one(
    pipeline: str, flag: str, step: str
) -> None:
    assert step_named(PIPELINES[pipeline](date=date(2021, 4, 30)), flag).__name__ == step


@pytest.mark.parametrize("pipeline", FLAGS)
def test_the_last_step_is_always_done_again(pipeline: str) -> None:
    entry = PIPELINES[pipeline](date=date(2021, 4, 30))
    for flag in filter(None, FLAGS[pipeline]):
        first = step_named(entry, str(flag))
        again = [kind for kind in entry.steps() if kind.folder() >= first.folder()]
        assert again[-1] is entry.last_step
        # Whatever the legacy job would have done from that flag on is among them.
        later = {kind for kind in entry.steps() if (kind.legacy_flag or 0) >= flag}
        assert later <= set(again)


def test_a_flag_that_no_step_has_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(click.BadParameter, match=r"no step of flag 5 or higher.*4 PublishPart"):
        step_named(PIPELINES["CustomerAggr"](date=date(2021, 4, 30)), "5")


def test_run_and_rewind_take_a_flag_and_the_plan_shows_it(site: Site) -> None:
    site.night().expect(0)
    night_of = ["CustomerAggr", "--date", DATE]
    output = site.run("mnaas", "rewind", *night_of, "--from", "4", "--yes").expect(0).output
    assert "starts at PublishPartitions" in output
    plan = site.run("mnaas", "plan", *night_of).expect(0).output
    assert "PublishPartitions    4     RUN" in plan
    site.run("mnaas", "run", *night_of, "--from", "3").expect(0)
    [staged] = [m for path, m in site.markers().items() if "02-LoadStaging" in path]
    [created] = [m for path, m in site.markers().items() if "01-CreateFile" in path]
    assert staged["run_id"] != created["run_id"]


def test_customers_that_are_not_configured_stop_only_those_who_need_them(site: Site) -> None:
    (site.root / "config/customers.toml").unlink()
    site.night().expect(0)
    for pipeline in ("CustomerBackupFiles", "MissingCustomerFiles"):
        output = site.night(pipeline=pipeline).expect(35).output
        assert "config/customers.toml cannot be read: No such file or directory" in output
        assert "Traceback" not in output
    assert "PROBLEM  customers" in site.run("mnaas", "check").expect(1).output
