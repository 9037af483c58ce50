from __future__ import annotations

from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from pipelines.spool import Spool
from targets.errors import MailError, MarkerError
from targets.locks import FileLocks
from targets.mailer import Delivery, SmtpMailer
from targets.store.local import LocalStore
from tests.smtp import SmtpServer


def mail(name: str = "one", to: str = "x@host, y@host") -> EmailMessage:
    made = EmailMessage(policy=SMTP)
    made["From"] = "a@host"
    made["To"] = to
    made["Message-ID"] = f"<{name}@host>"
    made.set_content("Grüße\n" + "long " * 400)
    return made


def spool_at(folder: Path, server: SmtpServer) -> Spool:
    mailer = SmtpMailer("127.0.0.1", server.port, timeout_seconds=5)
    return Spool(LocalStore(folder), mailer, FileLocks(folder / "locks"))


def problems(spool: Spool) -> list[str]:
    """What keeps the mails that wait after a delivery."""
    spool.deliver()
    return [spooled.problem for spooled in spool.waiting()]


def test_a_mail_goes_out_once(tmp_path: Path) -> None:
    with SmtpServer() as server:
        spool = spool_at(tmp_path, server)
        for _ in range(3):
            spool.put("one", mail())
            assert problems(spool) == []
    assert [sent["Message-ID"] for sent in server.inbox.mails] == ["<one@host>"]
    content = server.inbox.mails[0].get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.decode().startswith("Grüße")
    assert spool.was_sent("one")


def test_a_mail_waits_while_the_server_is_down_and_then_goes_out(tmp_path: Path) -> None:
    with SmtpServer() as server:
        down = spool_at(tmp_path, server)
    down.put("one", mail())
    [problem] = problems(down)
    assert "no mail could be sent by 127.0.0.1" in problem
    with SmtpServer() as server:
        assert problems(spool_at(tmp_path, server)) == []
    assert len(server.inbox.mails) == 1


def test_a_recipient_refused_for_now_gets_the_mail_later_and_the_others_once(
    tmp_path: Path,
) -> None:
    with SmtpServer() as server:
        spool = spool_at(tmp_path, server)
        server.inbox.refused = {"x@host": "451 later", "z@host": "550 never"}
        spool.put("one", mail(to="x@host, y@host, z@host"))
        assert problems(spool) == ["x@host: 451 later"]
        server.inbox.refused = {}
        assert problems(spool) == []
    assert server.inbox.recipients == [["y@host"], ["x@host"]]


def test_a_mail_that_nobody_takes_is_kept(tmp_path: Path) -> None:
    with SmtpServer() as server:
        spool = spool_at(tmp_path, server)
        server.inbox.refused = {"x@host": "550 never", "y@host": "550 never"}
        spool.put("one", mail())
        assert problems(spool) == ["x@host: 550 never; y@host: 550 never"]
    assert not spool.was_sent("one")


class KilledWhileSending:
    """The far end has the mail and we do not know it: what SIGKILL after DATA leaves."""

    def __init__(self) -> None:
        self.sent = 0

    def send(
        self, mail: bytes, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Delivery:
        before_data()
        self.sent += 1
        raise KeyboardInterrupt

    def ping(self) -> None:
        pass


def test_killed_while_sending_it_is_sent_once_more_and_never_a_third_time(tmp_path: Path) -> None:
    mailer = KilledWhileSending()
    spool = Spool(LocalStore(tmp_path), mailer, FileLocks(tmp_path / "locks"))
    spool.put("one", mail())
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            spool.deliver()
    assert problems(spool) == []
    assert mailer.sent == 2
    assert spool.was_sent("one")


class LostAfterData(KilledWhileSending):
    def send(
        self, mail: bytes, sender: str, recipients: Sequence[str], before_data: Callable[[], None]
    ) -> Delivery:
        before_data()
        self.sent += 1
        raise MailError("lost", may_have_arrived=True)


def test_a_connection_lost_after_data_repeats_at_most_once(tmp_path: Path) -> None:
    mailer = LostAfterData()
    spool = Spool(LocalStore(tmp_path), mailer, FileLocks(tmp_path / "locks"))
    spool.put("one", mail())
    for _ in range(4):
        spool.deliver()
    assert mailer.sent == 2


def test_two_deliveries_at_once_send_once(tmp_path: Path) -> None:
    with SmtpServer() as server:
        spool = spool_at(tmp_path, server)
        spool.put("one", mail())
        lock = FileLocks(tmp_path / "locks").try_hold("mail", "the other")
        assert lock
        spool.deliver()
        assert server.inbox.mails == []
        lock.release()
        spool.deliver()
    assert len(server.inbox.mails) == 1


def test_a_damaged_entry_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool/one.json").write_text("{")
    with SmtpServer() as server, pytest.raises(MarkerError, match=r"one\.json cannot be read"):
        spool_at(tmp_path, server).deliver()
