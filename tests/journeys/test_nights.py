"""Nights as they really go: replaced lists, late resumes, two at once, odd input."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from targets.locks import FileLocks
from tests.luigid import Luigid
from tests.site import BIN, DATE, Site

FINAL_LOCK = "table/table_statistics_customer_aggr"
STAGING_LOCK = "table/table_statistics_customer_aggr_staging"
NIGHT = f"{BIN}/luigi --module pipelines CustomerAggr --date {DATE} --local-scheduler"


@contextmanager
def held(site: Site, lock: str) -> Iterator[None]:
    """Somebody else holds a table's lock: the night stops in front of it."""
    taken = FileLocks(site.root / "var/state/locks").try_hold(lock, "the test")
    assert taken
    yield
    taken.release()


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def step_done(site: Site, step: str, run_key: str) -> Callable[[], bool]:
    folder = site.root / "var/state/markers/CustomerAggr"
    return lambda: any(folder.glob(f"*-{step}/{run_key}.*.json"))


def stop_before_publish(site: Site, date: str, *more: str) -> None:
    """Run the night and kill it when it waits for the final table."""
    with held(site, FINAL_LOCK), site.start(*site.night_command(date, *more)) as process:
        wait_for(step_done(site, "LoadStaging", date))
        process.kill()


# The list of a night.


def test_a_list_replaced_before_the_rerun_loses_nothing(site: Site) -> None:
    before = {day: site.final(f"partition_date = '{day}'") for day in ("2021-04-28", "2021-04-29")}
    site.write_list("2021-04-28", "2021-04-29")
    stop_before_publish(site, DATE)
    site.write_list("2021-04-30")
    output = site.night().expect(0).output
    assert "unfinished: works on its stored list (2021-04-28..2021-04-29) united" in output
    for day, old in before.items():
        assert site.final(f"partition_date = '{day}'") != old
    assert site.final("partition_date = '2021-04-30'")


def test_a_done_night_with_a_new_list_works_on_the_new_list_alone(site: Site) -> None:
    site.write_list("2021-04-28")
    site.night().expect(0)
    site.write_list("2021-04-28", "2021-04-29")
    output = site.night().expect(0).output
    assert "partitions     2021-04-28..2021-04-29\n" in output
    assert "unfinished" not in output
    site.write_list("2021-04-30")
    assert "partitions     2021-04-30\n" in site.night().expect(0).output


def test_a_list_file_that_vanished_does_not_stop_an_unfinished_night(site: Site) -> None:
    site.write_list("2021-04-28")
    stop_before_publish(site, DATE)
    site.list_file.unlink()
    site.night().expect(0)


def test_a_list_replaced_during_the_run_does_not_change_the_run(site: Site) -> None:
    site.write_list("2021-04-28")
    with held(site, FINAL_LOCK):
        process = site.start(*site.night_command(DATE, "--workers", "2"))
        wait_for(step_done(site, "LoadStaging", DATE))
        site.write_list("2021-04-11")
    with process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert "2021-04-11" in site.final_dates()


def test_a_missing_list_is_missing_data(site: Site) -> None:
    site.list_file.unlink()
    outcome = site.night().expect(20)
    assert str(site.list_file) in outcome.output


def test_an_empty_list_is_done_with_a_warning(site: Site) -> None:
    site.write_list()
    before = site.final()
    assert "the list is empty" in site.night().expect(0).output
    assert site.final() == before
    assert "Did not run any tasks" in site.night().expect(0).output


def test_a_malformed_list_changes_nothing(site: Site) -> None:
    site.write_list("2021-04-28", "2021-4-29")
    before = site.final()
    output = site.night().expect(35).output
    assert f"{site.list_file} line 2: '2021-4-29' is not a date" in output
    assert "Traceback" not in output
    assert site.final() == before
    assert site.markers() == {}


def test_a_day_without_rows_is_dropped(site: Site) -> None:
    site.write_list("2021-04-11")
    assert "2021-04-11" in site.final_dates()
    site.night().expect(0)
    assert "2021-04-11" not in site.final_dates()


# What the source does.


def test_a_listed_date_without_source_partition_changes_nothing(site: Site) -> None:
    site.write_list("2021-04-28", "2021-05-01")
    before = site.final()
    output = site.night().expect(30).output
    assert "usage_trend_daily_aggr has no partition 2021-05-01" in output
    assert "Traceback" not in output
    assert site.final() == before
    assert site.markers() == {}


@pytest.mark.parametrize(("policy", "kept"), [("skip", True), ("drop", False)])
def test_an_absent_source_partition_can_be_skipped_or_mean_drop(
    site: Site, policy: str, kept: bool
) -> None:
    site.configure("customer_aggr", missing_source=policy)
    site.write_list("2021-04-28", "2021-04-11")
    site.replace_source("2021-04-11", None)
    site.night().expect(0)
    assert ("2021-04-11" in site.final_dates()) is kept


def test_a_source_partition_that_vanishes_half_way_is_not_dropped(site: Site) -> None:
    with held(site, FINAL_LOCK):
        process = site.start(*site.night_command())
        wait_for(step_done(site, "LoadStaging", DATE))
        site.replace_source("2021-04-11", None)
    with process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 30, output
    assert "has no partition 2021-04-11" in output
    assert "2021-04-11" in site.final_dates()


def test_a_source_partition_that_filled_meanwhile_is_kept(site: Site) -> None:
    with held(site, FINAL_LOCK):
        process = site.start(*site.night_command())
        wait_for(step_done(site, "LoadStaging", DATE))
        site.replace_source("2021-04-11", "partition_date = '2021-04-10'")
    with process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "2021-04-11 kept: its source has rows by now" in output
    assert "2021-04-11" in site.final_dates()


def test_too_many_drops_are_refused_until_allowed(site: Site) -> None:
    site.configure("customer_aggr", max_drops=1)
    for day in ("2021-04-12", "2021-04-13"):
        site.replace_source(day, "false")
    site.write_list("2021-04-12", "2021-04-13")
    output = site.night().expect(30).output
    assert "2 partitions of table_statistics_customer_aggr would be dropped" in output
    assert "2021-04-12" in site.final_dates()
    site.night(DATE, "--max-drops", "2").expect(0)
    assert not {"2021-04-12", "2021-04-13"} & set(site.final_dates())


# Nights that meet.


def test_an_older_night_resumed_late_leaves_newer_rows_alone(site: Site) -> None:
    site.write_list("2021-04-28")
    stop_before_publish(site, "2021-04-29")
    site.replace_source("2021-04-28", "partition_date = '2021-04-20'")
    site.night(DATE).expect(0)
    newer = site.final("partition_date = '2021-04-28'")
    output = site.night("2021-04-29").expect(0).output
    assert "2021-04-28 left alone: 2021-04-30 published it from a source read later" in output
    assert site.final("partition_date = '2021-04-28'") == newer


def test_an_older_night_does_not_bring_back_what_a_newer_one_dropped(site: Site) -> None:
    site.write_list("2021-04-28")
    stop_before_publish(site, "2021-04-29")
    site.replace_source("2021-04-28", "false")
    site.night(DATE).expect(0)
    assert "2021-04-28" not in site.final_dates()
    site.night("2021-04-29").expect(0)
    assert "2021-04-28" not in site.final_dates()


@pytest.mark.parametrize("local", [True, False], ids=["without luigid", "with luigid"])
def test_the_same_night_twice_at_once_runs_once(site: Site, luigid: Luigid, local: bool) -> None:
    luigid.serves(site)
    with held(site, FINAL_LOCK):
        first = site.start(*site.night_command(local=local))
        wait_for(step_done(site, "LoadStaging", DATE))
        site.write_list("2021-04-12")
        second = site.night(local=local).expect(10)
        assert f"already running: CustomerAggr {DATE} (pid {first.pid}, since" in second.output
        assert "Traceback" not in second.output
    with first:
        first.communicate(timeout=60)
    assert first.returncode == 0


@pytest.mark.parametrize("local", [True, False], ids=["without luigid", "with luigid"])
def test_two_dates_at_once_both_end_well(site: Site, luigid: Luigid, local: bool) -> None:
    luigid.serves(site)
    dates = ("2021-04-29", DATE)
    with held(site, STAGING_LOCK):
        nights = [site.start(*site.night_command(date, local=local)) for date in dates]
        for date in dates:
            wait_for(step_done(site, "CreateFile", date))
        time.sleep(0.3)
    outputs = [night.communicate(timeout=60)[0] for night in nights]
    assert [night.returncode for night in nights] == [0, 0], outputs
    assert all(f"waiting for {STAGING_LOCK}, held by" in output for output in outputs)


def test_a_night_and_a_month_of_the_same_date_side_by_side(site: Site) -> None:
    site.configure("warehouse", threads=1)
    site.write_list("2021-04-29", "2021-04-30")
    commands = [site.night_command(), site.night_command(DATE, "--month", "2021-04")]
    nights = [site.start(*command) for command in commands]
    outputs = [night.communicate(timeout=60)[0] for night in nights]
    assert [night.returncode for night in nights] == [0, 0], outputs
    assert {name.split("/")[-1].split(".")[0] for name in site.markers()} == {
        DATE,
        f"{DATE}@month-2021-04",
    }
    assert "2021-04-11" not in site.final_dates()
    assert "2021-04-30" in site.final_dates()


def test_a_month_ends_with_the_business_date(site: Site) -> None:
    output = site.night("2021-04-05", "--month", "2021-04").expect(0).output
    assert "partitions     2021-04-01..2021-04-05\n" in output


def test_a_table_held_too_long_fails_the_step_and_names_the_holder(site: Site) -> None:
    site.configure("state", lock_wait_seconds=0.2)
    with held(site, FINAL_LOCK):
        output = site.night().expect(30).output
    assert f"LockTimeoutError: {FINAL_LOCK} is still held by the test (pid" in output
    site.night().expect(0)


# What stands in the way.


def test_an_unreadable_marker_is_an_error_and_not_undone(site: Site) -> None:
    site.night().expect(0)
    [last] = (site.root / "var/state/markers/CustomerAggr/04-DropStalePartitions").iterdir()
    last.write_text("{")
    output = site.night().expect(35).output
    assert f"MarkerError: the marker CustomerAggr/04-DropStalePartitions/{last.name}" in output
    assert "Remove it" in output
    assert "Traceback" not in output
    last.unlink()
    site.night().expect(0)


def test_a_file_changed_after_its_marker_is_not_loaded(site: Site) -> None:
    site.write_list("2021-04-28")
    with held(site, STAGING_LOCK), site.start(*site.night_command()) as process:
        wait_for(step_done(site, "CreateFile", DATE))
        process.kill()
    [file] = (site.root / "var/files/customer_aggr").iterdir()
    file.write_text(file.read_text().replace("DATA", "VOID"))
    assert "is not the file that CreateFile wrote" in site.night().expect(30).output
    file.unlink()
    site.night().expect(0)


def test_a_marker_removed_during_the_run_stops_the_next_step(site: Site) -> None:
    with held(site, FINAL_LOCK):
        process = site.start(*site.night_command())
        wait_for(step_done(site, "LoadStaging", DATE))
        time.sleep(0.3)
        for marker in (site.root / "var/state/markers/CustomerAggr/02-LoadStaging").iterdir():
            marker.unlink()
    with process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 30, output
    assert "LoadStaging has to be done again" in output


def in_own_mounts(site: Site, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script that may mount; the mounts are gone with it."""
    return subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-eu", "-c", script],
        env=site.environment(),
        cwd=site.root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("place", ["var/warehouse", "var/files", "var/state"])
def test_a_full_disk_fails_the_night_and_the_rerun_ends_it(site: Site, place: str) -> None:
    site.configure("customer_aggr", partition_list="list.txt")
    Path(site.root / "list.txt").write_text(f"2021-04-28\n{DATE}\n")
    (site.root / "var/state").mkdir(exist_ok=True)
    outcome = in_own_mounts(
        site,
        f"""
        cp -a {place} saved
        mount -t tmpfs -o size=64m tmpfs {place}
        cp -a saved/. {place}/
        head -c 64m /dev/zero > {place}/filler 2>/dev/null || true
        set +e; {NIGHT}; echo "full: $?"; set -e
        rm {place}/filler
        {NIGHT}; echo "rerun: $?"
        """,
    )
    assert "no space left on the device" in outcome.stderr, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert outcome.stdout.splitlines()[-1] == "rerun: 0", outcome
    assert "full: 30" in outcome.stdout or "full: 35" in outcome.stdout


def test_a_read_only_state_folder_is_one_clear_error(site: Site) -> None:
    (site.root / "var/state").mkdir()
    outcome = in_own_mounts(
        site,
        f"""
        mount -t tmpfs -o ro tmpfs var/state
        set +e; {NIGHT}; echo "exit: $?"
        """,
    )
    assert outcome.stdout.splitlines()[-1] == "exit: 35"
    assert "Read-only file system" in outcome.stderr
    assert "Traceback" not in outcome.stderr
