"""check, history, incidents, notify, completion, backfill."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pipelines.ledger import Ledger
from targets.locks import FileLocks
from tests.ports import free_port
from tests.site import DATE, Site
from tests.smtp import SmtpServer

RUN = ["mnaas", "run", "CustomerAggr", "--date"]
COMMANDS = ["run", "plan", "rewind", "backfill", "check", "history", "incidents", "notify"]


def fail(site: Site) -> str:
    """A failed night; the id of its episode."""
    site.write_list("2021-05-01")
    site.run(*RUN, DATE).expect(20)
    [file] = (site.root / "var/state/incidents/open").iterdir()
    identity: str = json.loads(file.read_text())["id"]
    return identity


def set_back(site: Site, hours: float) -> None:
    """Make an episode so many hours older."""
    [file] = (site.root / "var/state/incidents/open").iterdir()
    content = json.loads(file.read_text())
    content["next_reminder"] -= hours * 3600
    file.write_text(json.dumps(content))


def test_check_finds_nothing_wrong_with_the_embedded_default(site: Site) -> None:
    output = site.run("mnaas", "check").expect(0).output
    assert "PROBLEM" not in output
    assert "duckdb answers" in output


def test_check_lists_all_problems_at_once_each_with_its_remedy(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mine.sql").write_text("SELECT {{ nobody }}")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/ticket.txt").write_text("{{ nothing }}")
    (site.root / "var/state").write_text("a file in the way")
    site.configure("mail", transport="smtp", host="127.0.0.1", port=free_port())
    site.configure("notices", templates=tmp_path / "templates")
    replace = json.dumps({"customer_aggr/create_file": str(tmp_path / "mine.sql")})
    site.configure("statements", replace=replace)
    output = site.run("mnaas", "check", "--json").expect(1).output
    wrong = {one["what"]: one["words"] for one in json.loads(output) if not one["ok"]}
    assert set(wrong) == {"[state] root", "statements", "mail", "templates"}
    assert "move it away" in wrong["[state] root"]
    assert "'nobody' is undefined" in wrong["statements"]
    assert "mnaas notify --preview" in wrong["templates"]


def test_check_of_a_wrong_configuration_lists_the_keys(site: Site) -> None:
    site.configure("mail", sender="nobody", user="me", password_file="no/such/file")
    site.configure("notices", reminder_hours="[0]", ticket_recipients="a b")
    output = site.run("mnaas", "check").expect(1).output
    for problem in (
        "[mail] sender = 'nobody' is not a mail address",
        "would send the password in the clear",
        "no/such/file is not a file",
        "'a b' is not a mail address",
    ):
        assert problem in output


def test_a_password_file_that_others_can_read_is_refused(site: Site) -> None:
    secret = site.root / "secret"
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    site.configure("mail", password_file="secret")
    output = site.run("mnaas", "check").expect(1).output
    assert f"chmod 0600 {secret}" in output
    assert "hunter2" not in output


def test_history_shows_runs_and_steps(site: Site) -> None:
    site.run(*RUN, DATE).expect(0)
    fail(site)
    output = site.run("mnaas", "history", "--steps").expect(0).output.splitlines()
    assert output[0].split() == ["started", "took", "state", "pipeline", "night", "work", "rows"]
    assert " failed " in output[1]
    assert "01-CreateFile" in output[2]
    assert "4 steps" in output[3]
    assert site.run("mnaas", "history", "Nobody").expect(0).output.count("\n") == 1


def test_history_of_a_damaged_ledger_is_one_clear_error(site: Site) -> None:
    (site.root / "var/state").mkdir()
    (site.root / "var/state/ledger.sqlite").write_text("this is no database, not at all, really")
    output = site.run("mnaas", "history").expect(1).output
    assert "Move it away" in output
    assert "Traceback" not in output


def test_history_of_a_year_of_five_pipelines_is_quick(site: Site) -> None:
    ledger = Ledger(site.root / "var/state/ledger.sqlite")
    start = datetime(2021, 1, 1)
    with ledger._database.open() as connection:
        for number in range(365 * 5):
            when = str(start + timedelta(days=number // 5, minutes=number % 5))
            row = (f"r{number}", f"P{number % 5}", when[:10], "h", 1, when, when, "done")
            connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            step = (f"r{number}", "01-A", when, when, "done", 1, 5, "")
            connection.execute("INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?)", step)
        connection.commit()
    started = time.monotonic()
    output = site.run("mnaas", "history", "--last", "1825").expect(0).output
    assert output.count("\n") == 1826
    assert time.monotonic() - started < 3


def test_incidents_lists_closes_and_remembers(site: Site) -> None:
    episode = fail(site)
    listed = site.run("mnaas", "incidents").expect(0).output
    assert episode in listed
    assert "2021-04-30" in listed
    assert f"closed {episode}" in site.run("mnaas", "incidents", "close", episode).expect(0).output
    assert episode not in site.run("mnaas", "incidents").expect(0).output
    assert "over" in site.run("mnaas", "incidents", "--all").expect(0).output
    assert "closed by hand" in site.mails()["recovery"].get_content()
    again = site.run("mnaas", "incidents", "close", episode)
    assert again.code == 35
    assert f"no episode {episode} is open" in again.output


def test_reminders_back_off(site: Site) -> None:
    fail(site)
    site.run("mnaas", "incidents", "flush").expect(0)
    assert set(site.mails()) == {"ticket", "team"}
    for number, hours in ((1, 1), (2, 4), (3, 24), (4, 24)):
        set_back(site, hours - 0.1)
        site.run("mnaas", "incidents", "flush").expect(0)
        assert f"reminder-{number}" not in site.mails()
        set_back(site, 0.2)
        site.run("mnaas", "incidents", "flush").expect(0)
        assert f"reminder-{number}" in site.mails()
        set_back(site, -0.1)
    assert "This is reminder 4" in site.mails()["reminder-4"].get_content()


def test_a_ticket_that_cannot_be_sent_is_spooled_and_written_to_alert(site: Site) -> None:
    port = free_port()
    site.configure("mail", transport="smtp", host="127.0.0.1", port=port, timeout_seconds=1)
    episode = fail(site)
    alert = (site.root / "var/state/ALERT").read_text()
    assert f"Episode:        {episode}" in alert
    assert f"waits to be sent: {episode}.ticket" in site.run("mnaas", "incidents").output
    assert "still waits" in site.run("mnaas", "incidents", "flush").expect(1).output
    with SmtpServer() as server:
        site.configure("mail", port=server.port)
        assert site.run("mnaas", "incidents", "flush").expect(0).output == "nothing waits\n"
    assert server.inbox.ids() == ["team", "ticket"]
    assert not (site.root / "var/state/ALERT").exists()


def test_an_alert_stays_while_somebody_else_is_sending(site: Site) -> None:
    site.configure("mail", transport="smtp", host="127.0.0.1", port=free_port(), timeout_seconds=1)
    fail(site)
    lock = FileLocks(site.root / "var/state/locks").try_hold("mail", "somebody else")
    assert lock
    site.run("mnaas", "incidents", "flush").expect(1)
    assert (site.root / "var/state/ALERT").exists()
    lock.release()


def test_a_server_that_is_down_does_not_stop_a_night(site: Site) -> None:
    fail(site)
    site.configure("mail", transport="smtp", host="127.0.0.1", port=free_port(), timeout_seconds=1)
    site.write_list("2021-04-28")
    site.configure("customer_aggr", missing_source="skip")
    site.run(*RUN, DATE).expect(0)


def test_the_command_gets_the_ticket_once(site: Site) -> None:
    (site.root / "take").write_text("#!/bin/sh\ncat >> taken\n")
    (site.root / "take").chmod(0o755)
    site.configure("notices", command=f"{site.root}/take")
    fail(site)
    site.run(*RUN, DATE).expect(20)
    assert (site.root / "taken").read_text().count("Failed step:") == 1


def test_notices_can_be_off(site: Site) -> None:
    site.configure("notices", enabled="false")
    site.write_list("2021-05-01")
    site.run(*RUN, DATE).expect(20)
    assert site.mails() == {}


def test_secrets_stay_out_of_logs_mails_and_ledger(site: Site, tmp_path: Path) -> None:
    site.configure("mail", password="${MAIL_SECRET}", security="tls")
    (tmp_path / "mine.sql").write_text(
        "SELECT 'password=opensesame', 'hunter2-and-more', nonsense FROM nowhere_at_all"
    )
    replace = json.dumps({"customer_aggr/create_file": str(tmp_path / "mine.sql")})
    site.configure("statements", replace=replace)
    environment = {**site.environment(), "MAIL_SECRET": "hunter2-and-more"}
    output = site.run(*RUN, DATE, env=environment).expect(30).output
    texts = [output, site.log(), *(mail.get_content() for mail in site.mails().values())]
    texts += [path.read_text() for path in (site.root / "var/state/incidents").rglob("*.json")]
    texts.append((site.root / "var/state/ledger.sqlite").read_bytes().decode(errors="replace"))
    for text in texts:
        assert "hunter2-and-more" not in text
        assert "opensesame" not in text
    assert "[hidden]" in site.mails()["ticket"].get_content()


def test_a_sites_own_template_is_used_and_shown(site: Site, tmp_path: Path) -> None:
    (tmp_path / "ticket.txt").write_text("OURS {{ pipeline }}\n")
    site.configure("notices", templates=tmp_path)
    output = site.run("mnaas", "notify", "--preview").expect(0).output
    assert "== ticket.txt\nOURS CustomerAggr\n" in output
    assert "This is reminder 1" in output
    fail(site)
    assert site.mails()["ticket"].get_content().strip() == "OURS CustomerAggr"


def test_backfill_wants_a_list_for_each_day(site: Site) -> None:
    command = ["mnaas", "backfill", "CustomerAggr", "--from", "2021-04-01", "--to", "2021-04-03"]
    output = site.run(*command).expect(35).output
    assert "every day of CustomerAggr would work on the same list" in output
    assert "Put {date} into its path" in output


def dated_lists(site: Site, *days: str) -> None:
    site.configure("customer_aggr", partition_list="lists/{date}.txt")
    (site.root / "lists").mkdir()
    for day in days:
        (site.root / f"lists/{day}.txt").write_text(f"{day}\n")


def test_backfill_stops_at_a_failure_and_leaves_no_date_out_silently(site: Site) -> None:
    dated_lists(site, "2021-04-01", "2021-04-02", "2021-04-04")
    site.run(*RUN, "2021-04-01").expect(0)
    command = ["mnaas", "backfill", "CustomerAggr", "--from", "2021-04-01", "--to", "2021-04-04"]
    lines = site.run(*command).expect(20).output.splitlines()
    assert lines[0] == "2021-04-01  skipped, it is done"
    assert lines[1].startswith("2021-04-02  CustomerAggr 2021-04-02: done in")
    assert lines[2].startswith("2021-04-03  CustomerAggr 2021-04-03: failed with exit code 20")
    assert lines[-1] == "2021-04-04  not begun"
    lines = site.run(*command, "--keep-going").expect(20).output.splitlines()
    assert lines[1] == "2021-04-02  skipped, it is done"
    assert lines[-1].startswith("2021-04-04  CustomerAggr 2021-04-04: done in")


def test_backfill_refuses_a_range_that_runs_backwards(site: Site) -> None:
    command = ["mnaas", "backfill", "CustomerAggr", "--from", "2021-04-02", "--to", "2021-04-01"]
    assert "is before --from" in site.run(*command).expect(2).output


@pytest.mark.parametrize("command", [*COMMANDS, "completion"])
def test_every_command_shows_an_example(site: Site, command: str) -> None:
    output = site.run("mnaas", command, "--help").expect(0).output
    assert f"Example: mnaas {command}" in output


def test_the_manual_page_names_every_command(site: Site) -> None:
    output = site.run("mnaas", "--help").expect(0).output
    for command in COMMANDS:
        assert f"\n  {command} " in output
    assert "When a night failed:" in output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_shells_script(site: Site, shell: str) -> None:
    assert "_MNAAS_COMPLETE" in site.run("mnaas", "completion", shell).expect(0).output


def test_completion_completes(site: Site) -> None:
    environment = {
        **site.environment(),
        "_MNAAS_COMPLETE": "bash_complete",
        "COMP_WORDS": "mnaas rew",
        "COMP_CWORD": "1",
    }
    assert "plain,rewind" in site.run("mnaas", env=environment).output


def test_redaction_knows_secrets_by_their_look() -> None:
    script = (
        "from pipelines.redaction import redacted\n"
        "print(redacted('login password=abc, Authorization: Bearer xyz; ftp://me:pw@host/x'))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "login password=[hidden], Authorization: [hidden]; ftp://me:[hidden]@host/x\n"
    )
