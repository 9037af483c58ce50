from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.journeys.test_nights import FINAL_LOCK, held, step_done, stop_before_publish, wait_for
from tests.luigid import Luigid
from tests.site import BIN, DATE, REPOSITORY, Site

RUN = ["mnaas", "run", "CustomerAggr", "--date"]


def test_a_run_says_nothing_and_logs_everything(site: Site) -> None:
    assert site.run(*RUN, DATE).expect(0).output == ""
    log = site.log()
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO: configuration  ", log.splitlines()[0])
    assert "PublishPartitions: done, 54 rows" in log or "PublishPartitions: done" in log
    [file] = (site.root / "var/log/CustomerAggr").iterdir()
    assert file.stat().st_mode & 0o777 == 0o640


def test_the_log_has_the_times_of_the_configured_zone(site: Site) -> None:
    site.configure("mnaas", time_zone="Asia/Kathmandu")
    site.run(*RUN, DATE).expect(0)
    marker = next(iter(site.markers().values()))
    assert marker["ended"].endswith("+05:45")
    assert marker["ended"][:13] in site.log()


def test_the_log_goes_to_syslog_too(site: Site) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(site.root / "log.socket"))
        syslog.setblocking(False)
        syslog.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        site.configure("log", syslog="true", syslog_socket=site.root / "log.socket")
        site.run(*RUN, DATE).expect(0)
        first = syslog.recv(65536).decode()
    assert first.startswith("<14>mnaas[")
    assert "configuration  " in first
    site.configure("log", syslog_socket="/nowhere")
    output = site.run(*RUN, DATE).expect(35).output
    assert "[log] syslog_socket = '/nowhere' is not a socket" in output


def test_a_failure_is_told_with_its_error_log_and_resume(site: Site) -> None:
    site.write_list("2021-04-28")
    site.configure("state", lock_wait_seconds=0.1)
    with held(site, FINAL_LOCK):
        output = site.run(*RUN, DATE).expect(30).output
    lines = output.splitlines()
    assert lines[0] == f"CustomerAggr {DATE}: failed with exit code 30 in PublishPartitions:"
    assert "is still held by the test" in output
    assert lines[-1] == f"  resume  mnaas run CustomerAggr --date {DATE}"
    assert "Traceback" not in output


def test_a_missing_input_found_by_a_step_is_missing_data(site: Site) -> None:
    site.write_list("2021-05-01")
    site.run(*RUN, DATE).expect(20)


def test_yesterday_is_a_date_in_the_configured_zone(site: Site) -> None:
    site.configure("mnaas", time_zone="Pacific/Kiritimati")
    site.write_list("2021-04-28")
    site.run(*RUN, "yesterday").expect(0)
    [run] = json.loads(site.run("mnaas", "history", "--json").output)
    far_east = subprocess.run(
        ["date", "-d", "yesterday", "+%F"],
        env={"TZ": "Pacific/Kiritimati", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run["run_key"] == far_east.stdout.strip()


def test_from_a_step_does_it_and_those_after_it_again(site: Site) -> None:
    site.run(*RUN, DATE).expect(0)
    site.run(*RUN, DATE, "--from", "PublishPartitions").expect(0)
    [again, _first] = json.loads(site.run("mnaas", "history", "--json").output)
    assert [step["step"][3:] for step in again["steps"]] == [
        "PublishPartitions",
        "DropStalePartitions",
    ]


def test_all_problems_come_before_the_first_step(site: Site) -> None:
    site.configure("run", scheduler="central")
    site.configure("core", scheduler_port=9)
    (site.root / "var/state").mkdir()
    (site.root / "var/state").chmod(0o757)
    output = site.run(*RUN, DATE).expect(35).output
    assert "2 problems before the first step" in output
    assert "everybody may write" in output
    assert "luigid: does not answer at localhost:9" in output
    assert site.markers() == {}
    assert "(preflight)" in site.mails()["ticket"].get_content()


def test_a_log_folder_in_the_way_is_told_like_any_problem(site: Site) -> None:
    (site.root / "var/log").write_text("a file in the way")
    output = site.run(*RUN, DATE).expect(35).output
    assert "var/log" in output
    assert "Traceback" not in output
    assert "(preflight)" in site.mails()["ticket"].get_content()


def test_an_earlier_night_is_finished_first_with_its_own_list(site: Site) -> None:
    site.write_list("2021-04-28")
    stop_before_publish(site, "2021-04-29")
    site.write_list("2021-04-12")
    assert site.run(*RUN, DATE).expect(0).output == ""
    runs = json.loads(site.run("mnaas", "history", "--json").output)
    done = [run["run_key"] for run in reversed(runs) if run["state"] == "done"]
    assert done == ["2021-04-29", DATE]
    earlier = next(run for run in runs if run["run_key"] == "2021-04-29" and run["state"] == "done")
    steps = [step["step"][3:] for step in earlier["steps"]]
    assert steps == ["PublishPartitions", "DropStalePartitions"]


def test_earlier_nights_can_be_only_named(site: Site) -> None:
    site.configure("run", finish_earlier_nights=0)
    stop_before_publish(site, "2021-04-29")
    output = site.run(*RUN, DATE).expect(0).output
    assert "unfinished: CustomerAggr 2021-04-29" in output
    assert "mnaas run CustomerAggr --date 2021-04-29" in output


def test_auto_uses_luigid_when_it_answers_and_says_when_not(site: Site, luigid: Luigid) -> None:
    site.configure("run", scheduler="auto")
    luigid.serves(site)
    site.run(*RUN, DATE).expect(0)
    assert "without it" not in site.log()
    luigid.kill()
    site.run(*RUN, "2021-04-29").expect(0)
    assert f"luigid does not answer at 127.0.0.1:{luigid.port}: running without it" in site.log()


def test_luigid_killed_and_started_again_in_the_night_loses_nothing(
    site: Site, luigid: Luigid
) -> None:
    site.configure("run", scheduler="auto")
    site.configure("core", rpc_retry_wait=1)
    luigid.serves(site)
    with held(site, FINAL_LOCK):
        process = site.start(*RUN, DATE)
        wait_for(step_done(site, "LoadStaging", DATE))
        luigid.kill()
        time.sleep(0.5)
    luigid.start()
    with process:
        output, _ = process.communicate(timeout=100)
    assert process.returncode == 0, output
    assert step_done(site, "DropStalePartitions", DATE)()


def test_after_a_killed_worker_the_next_run_goes_ahead_soon(site: Site, luigid: Luigid) -> None:
    site.configure("run", scheduler="central", reschedule_wait_seconds=2, reschedules=10)
    luigid.serves(site)
    with held(site, FINAL_LOCK), site.start(*site.night_command(local=False)) as process:
        wait_for(step_done(site, "LoadStaging", DATE))
        time.sleep(0.3)
        process.kill()
    started = time.monotonic()
    site.run(*RUN, DATE).expect(0)
    assert time.monotonic() - started < 30


def test_the_wrapper_works_from_crons_bare_environment(site: Site) -> None:
    wrapper = REPOSITORY / "cron/run-pipeline"
    place = site.root / "srv"
    for name in ("cron", "config"):
        (place / name).mkdir(parents=True)
    (place / "cron/run-pipeline").write_text(wrapper.read_text())
    (place / "cron/run-pipeline").chmod(0o755)
    (place / ".venv").symlink_to(BIN.parent)
    (place / "config/luigi.cfg").write_text(site.config_file.read_text())
    (site.root / "var").rename(place / "var")
    command = ["env", "-i", f"{place}/cron/run-pipeline", "CustomerAggr", "--date", DATE]
    for _ in range(2):
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (place / "var/state/markers/CustomerAggr").is_dir()
    (place / "var/files/lists/traffic_partitions_daily_uniq.txt").write_text("oops\n")
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 35
    assert "line 1: 'oops' is not a date" in done.stderr


def test_the_wrapper_reports_a_command_that_was_killed(site: Site, tmp_path: Path) -> None:
    place = tmp_path / "srv"
    (place / "cron").mkdir(parents=True)
    wrapper = place / "cron/run-pipeline"
    wrapper.write_text((REPOSITORY / "cron/run-pipeline").read_text())
    wrapper.chmod(0o755)
    (place / ".venv/bin").mkdir(parents=True)
    mnaas = place / ".venv/bin/mnaas"
    mnaas.write_text(f'#!/bin/sh\n[ "$1" = run ] && kill -KILL $$\nexec {BIN}/mnaas "$@"\n')
    mnaas.chmod(0o755)
    done = subprocess.run(
        [str(wrapper), "CustomerAggr", "--date", DATE], env=site.environment(), check=False
    )
    assert done.returncode == 137
    assert "mnaas run was ended by signal 9" in site.mails()["ticket"].get_content()


@pytest.mark.parametrize("name", ["crontab.example", "logrotate.example", "luigid.service"])
def test_the_examples_name_files_and_pipelines_that_exist(name: str) -> None:
    from operations.entries import PIPELINES

    text = (REPOSITORY / "cron" / name).read_text()
    for path in re.findall(r"/srv/mnaas/(cron/[\w-]+)", text):
        assert os.access(REPOSITORY / path, os.X_OK), path
    for line in text.splitlines():
        if "run-pipeline" in line and not line.startswith("#"):
            assert line.split("run-pipeline ")[1].split()[0] in PIPELINES
