"""A night that fails is told once, also when it is killed while it tells."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.journeys import killed_luigi
from tests.journeys.test_nights import (
    FINAL_LOCK,
    held,
    step_done,
    stop_before_publish,
    wait_for,
)
from tests.site import DATE, Outcome, Site
from tests.smtp import SmtpServer

RUN = ["mnaas", "run", "CustomerAggr", "--date"]


def killed_while_telling(site: Site, at: int) -> Outcome:
    folders = f"{site.root}/var/state/incidents,{site.root}/var/state/spool"
    script = killed_luigi.__file__
    return site.run("python", script, folders, str(at), *site.night_command()[1:])


def by_smtp(site: Site, server: SmtpServer) -> None:
    site.configure("mail", transport="smtp", host="127.0.0.1", port=server.port)


@pytest.mark.parametrize("part", range(2))
def test_killed_before_any_change_no_mail_is_lost_and_none_is_sent_thrice(
    sample_site: Path, tmp_path: Path, part: int
) -> None:
    """Failing, killed while it tells, failing again, mended: a ticket, a mail, a recovery."""
    with SmtpServer() as server:
        whole = Site.copy_of(sample_site, tmp_path / "whole")
        by_smtp(whole, server)
        whole.write_list("2021-04-28", "2021-05-01")
        changes = int(killed_while_telling(whole, 0).expect(30).output.split()[-1])
        assert changes > 8
        assert server.inbox.ids() == ["team", "ticket"]
        repeated = 0
        for at in range(1 + part, changes + 1, 2):
            server.inbox.mails.clear()
            site = Site.copy_of(sample_site, tmp_path / "site")
            by_smtp(site, server)
            site.write_list("2021-04-28", "2021-05-01")
            assert killed_while_telling(site, at).code == -signal.SIGKILL
            site.night().expect(30)
            site.configure("customer_aggr", missing_source="skip")
            site.night().expect(0)
            ids = Counter(str(mail["Message-ID"]) for mail in server.inbox.mails)
            kinds = sorted(name.split("@")[0].rpartition(".")[2] for name in ids)
            assert kinds == ["recovery", "team", "ticket"], f"killed before change {at}"
            assert max(ids.values()) <= 2
            repeated += sum(count - 1 for count in ids.values())
            shutil.rmtree(site.root)
    assert repeated <= changes // 4  # only in the window between "sending" and "sent"


def test_killed_while_it_tells_of_a_dead_run_that_is_still_told(
    sample_site: Path, tmp_path: Path
) -> None:
    whole = Site.copy_of(sample_site, tmp_path / "whole")
    stop_before_publish(whole, DATE)
    changes = int(killed_while_telling(whole, 0).expect(0).output.split()[-1])
    assert set(whole.mails()) == {"ticket", "team", "recovery"}
    for at in range(1, changes + 1, 2):
        site = Site.copy_of(sample_site, tmp_path / "site")
        stop_before_publish(site, DATE)
        assert killed_while_telling(site, at).code == -signal.SIGKILL
        site.night().expect(0)
        site.run("mnaas", "incidents", "flush").expect(0)
        assert set(site.mails()) == {"ticket", "team", "recovery"}, f"killed before change {at}"
        assert len(list((site.root / "var/mail").iterdir())) == 3
        assert site.leftovers() == []
        shutil.rmtree(site.root)


def test_a_night_killed_before_it_could_say_that_it_is_done_says_it_later(site: Site) -> None:
    site.write_list("2021-05-01")
    site.night().expect(30)
    site.configure("customer_aggr", missing_source="skip")
    assert killed_while_telling(site, 1).code == -signal.SIGKILL
    assert step_done(site, "DropStalePartitions", DATE)()
    assert set(site.mails()) == {"ticket", "team"}
    site.run("mnaas", "incidents", "flush").expect(0)
    assert set(site.mails()) == {"ticket", "team", "recovery"}


def test_a_failing_night_sends_one_ticket_however_often_it_fails(site: Site) -> None:
    site.write_list("2021-05-01")
    for _ in range(3):
        site.night().expect(30)
    assert set(site.mails()) == {"ticket", "team"}
    ticket = site.mails()["ticket"]
    text = ticket.get_content()
    assert ticket["To"] == "tickets@localhost"
    for line in (
        "Failed step:    CreateFile",
        f"Business date:  {DATE}",
        "Priority:       3",
        f"Resume with:    mnaas run CustomerAggr --date {DATE}",
    ):
        assert line in text
    assert "usage_trend_daily_aggr has no partition 2021-05-01" in text


def test_another_date_joins_the_episode_which_closes_with_its_last_date(site: Site) -> None:
    site.write_list("2021-05-01")
    site.night("2021-04-29").expect(30)
    site.night(DATE).expect(30)
    site.configure("customer_aggr", missing_source="skip")
    site.night(DATE).expect(0)
    assert set(site.mails()) == {"ticket", "team"}
    site.night("2021-04-29").expect(0)
    mails = site.mails()
    assert set(mails) == {"ticket", "team", "recovery"}
    for first in ("ticket", "team"):
        assert str(mails[first]["Message-ID"]) in str(mails["recovery"]["In-Reply-To"])
    assert "Business dates: 2021-04-29, 2021-04-30" in mails["recovery"].get_content()


def test_variants_have_episodes_of_their_own(site: Site) -> None:
    site.replace_source("2021-04-02", None)
    site.night("2021-04-05", "--month", "2021-04").expect(30)
    site.night(DATE).expect(0)
    assert set(site.mails()) == {"ticket", "team"}
    assert "mnaas run CustomerAggr --date 2021-04-05 --month 2021-04" in (
        site.mails()["ticket"].get_content()
    )


@pytest.mark.parametrize("command", ["luigi", "mnaas"])
def test_a_missing_list_and_a_malformed_one_are_told_too(site: Site, command: str) -> None:
    run = site.night_command() if command == "luigi" else [*RUN, DATE]
    site.list_file.unlink()
    site.run(*run).expect(20)
    assert "has not been delivered" in site.mails()["ticket"].get_content()
    site.write_list("2021-4-30")
    site.run(*run).expect(35)
    site.write_list(DATE)
    site.run(*run).expect(0)
    assert set(site.mails()) == {"ticket", "team", "recovery"}


@pytest.mark.parametrize("command", ["luigi", "mnaas"])
def test_a_wrong_configuration_is_told_when_the_mail_is_not_what_is_wrong(
    site: Site, command: str
) -> None:
    run = site.night_command() if command == "luigi" else [*RUN, DATE]
    site.configure("warehouse", threads="two")
    output = site.run(*run).expect(35).output
    assert "[warehouse] threads = 'two'" in output
    assert "Traceback" not in output
    assert "[warehouse] threads = 'two'" in site.mails()["ticket"].get_content()
    site.configure("warehouse", threads="2")
    site.run(*run).expect(0)
    assert set(site.mails()) == {"ticket", "team", "recovery"}


def test_a_run_that_is_running_already_is_not_told(site: Site) -> None:
    with held(site, FINAL_LOCK):
        first = site.start(*RUN, DATE)
        wait_for(step_done(site, "LoadStaging", DATE))
        assert site.run(*RUN, DATE).expect(10).output == ""
    with first:
        output, _ = first.communicate(timeout=60)
    assert (first.returncode, output) == (0, "")
    assert site.mails() == {}


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_killed_luigi_is_reported_by_the_command_that_started_it(site: Site) -> None:
    with held(site, FINAL_LOCK), site.start(*RUN, DATE) as process:
        wait_for(lambda: step_done(site, "LoadStaging", DATE)() and "waiting for" in site.log())
        [luigi] = children(process.pid)
        os.kill(luigi, signal.SIGKILL)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGKILL
    assert "luigi was ended by signal 9" in output
    assert "luigi was ended by signal 9" in site.mails()["ticket"].get_content()
    assert "waiting for table/" in site.mails()["ticket"].get_content()  # the log's last lines
    site.run(*RUN, DATE).expect(0)
    assert set(site.mails()) == {"ticket", "team", "recovery"}


@pytest.mark.parametrize("teller", ["the next run", "another night", "flush"])
def test_a_run_that_nobody_survived_is_reported_by_the_next(site: Site, teller: str) -> None:
    with held(site, FINAL_LOCK), site.start(*RUN, DATE) as process:
        wait_for(step_done(site, "LoadStaging", DATE))
        [luigi] = children(process.pid)
        process.kill()
        os.kill(luigi, signal.SIGKILL)
    assert site.mails() == {}
    if teller == "the next run":
        site.run(*RUN, DATE).expect(0)
        assert set(site.mails()) == {"ticket", "team", "recovery"}
    elif teller == "another night":
        site.configure("run", finish_earlier_nights=0)
        site.run(*RUN, "2021-05-01").expect(0)
        assert set(site.mails()) == {"ticket", "team"}
    else:
        site.run("mnaas", "incidents", "flush").expect(0)
        assert set(site.mails()) == {"ticket", "team"}
    assert "was begun and never ended" in site.mails()["ticket"].get_content()


def test_a_term_signal_ends_the_whole_group(site: Site) -> None:
    with held(site, FINAL_LOCK), site.start(*RUN, DATE) as process:
        wait_for(step_done(site, "LoadStaging", DATE))
        [luigi] = children(process.pid)
        process.terminate()
        process.communicate(timeout=30)
        assert process.returncode == 128 + signal.SIGTERM
        assert not Path(f"/proc/{luigi}").exists()
    site.run(*RUN, DATE).expect(0)


def test_an_undisturbed_night_tells_nobody_anything(site: Site) -> None:
    assert site.run(*RUN, DATE).expect(0).output == ""
    assert site.mails() == {}
    assert not (site.root / "var/state/incidents").exists()


def test_the_ledger_of_a_killed_night_says_so(site: Site) -> None:
    with held(site, FINAL_LOCK), site.start(*site.night_command()) as process:
        wait_for(step_done(site, "LoadStaging", DATE))
        time.sleep(0.3)
        process.kill()
    site.night().expect(0)
    with sqlite3.connect(site.root / "var/state/ledger.sqlite") as ledger:
        states = ledger.execute("SELECT state FROM runs ORDER BY rowid").fetchall()
        steps = ledger.execute("SELECT step, state FROM steps ORDER BY rowid").fetchall()
    assert states == [("died",), ("done",)]
    assert steps == [
        ("01-CreateFile", "done"),
        ("02-LoadStaging", "done"),
        ("03-PublishPartitions", "running"),
        ("03-PublishPartitions", "done"),
        ("04-DropStalePartitions", "done"),
    ]
    ledger.close()
