from __future__ import annotations

import datetime
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from targets.errors import MailError
from targets.mailer import Delivery, FolderMailer, SmtpMailer
from tests.ports import free_port
from tests.smtp import SmtpServer

MAIL = b"Message-ID: <one.ticket@host>\r\nSubject: s\r\n\r\ntext\r\n"


def send(mailer: SmtpMailer, *recipients: str) -> tuple[Delivery, list[str]]:
    called: list[str] = []
    delivery = mailer.send(MAIL, "a@host", recipients, lambda: called.append("before data"))
    return delivery, called


def test_a_mail_reaches_every_recipient() -> None:
    with SmtpServer() as server:
        delivery, called = send(SmtpMailer("127.0.0.1", server.port), "x@host", "y@host")
    assert delivery == Delivery({}, {})
    assert called == ["before data"]
    assert server.inbox.recipients == [["x@host", "y@host"]]


def test_a_refused_recipient_does_not_keep_the_others_from_theirs() -> None:
    with SmtpServer() as server:
        server.inbox.refused = {"x@host": "550 unknown", "z@host": "451 later"}
        delivery, _ = send(SmtpMailer("127.0.0.1", server.port), "x@host", "y@host", "z@host")
    assert delivery == Delivery({"z@host": "451 later"}, {"x@host": "550 unknown"})
    assert server.inbox.recipients == [["y@host"]]


def test_when_all_are_refused_nothing_is_handed_over() -> None:
    with SmtpServer() as server:
        server.inbox.refused = {"x@host": "550 unknown"}
        delivery, called = send(SmtpMailer("127.0.0.1", server.port), "x@host")
    assert list(delivery.never) == ["x@host"]
    assert called == []
    assert server.inbox.mails == []


def test_a_refused_mail_has_certainly_not_arrived() -> None:
    with SmtpServer() as server:
        server.inbox.refuse_data = "554 no"
        with pytest.raises(MailError, match="refused the mail: 554 no") as caught:
            send(SmtpMailer("127.0.0.1", server.port), "x@host")
    assert not caught.value.may_have_arrived


def test_a_server_that_is_down_is_named() -> None:
    port = free_port()
    with pytest.raises(MailError, match=f"127.0.0.1:{port}") as caught:
        send(SmtpMailer("127.0.0.1", port), "x@host")
    assert not caught.value.may_have_arrived


def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        with pytest.raises(MailError):
            send(SmtpMailer("127.0.0.1", silent.getsockname()[1], timeout_seconds=0.3), "x@host")
        assert time.monotonic() - started < 5


def test_a_connection_lost_after_data_may_have_arrived() -> None:
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()

    def answer() -> None:
        connection, _ = server.accept()
        with connection, connection.makefile("rwb", buffering=0) as stream:
            stream.write(b"220 hello\r\n")
            while line := stream.readline():
                stream.write(b"354 go on\r\n" if line.startswith(b"DATA") else b"250 OK\r\n")
                if line.startswith(b"DATA"):
                    while stream.readline() != b".\r\n":
                        pass
                    return

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(MailError) as caught:
        send(SmtpMailer("127.0.0.1", server.getsockname()[1]), "x@host")
    assert caught.value.may_have_arrived
    thread.join()
    server.close()


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "cert", folder / "key"


def test_starttls_checks_the_certificate_and_logs_in(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    login = {"security": "starttls", "user": "me", "password": "right"}
    with SmtpServer(password="right", context=context) as server:
        good = SmtpMailer("localhost", server.port, ca_file=str(cert), **login)  # type: ignore[arg-type]
        assert send(good, "x@host")[0] == Delivery({}, {})
        unknown = SmtpMailer("localhost", server.port, **login)  # type: ignore[arg-type]
        with pytest.raises(MailError, match=r"(?i)certificate"):
            send(unknown, "x@host")
        login["password"] = "wrong"
        refused = SmtpMailer("localhost", server.port, ca_file=str(cert), **login)  # type: ignore[arg-type]
        with pytest.raises(MailError) as caught:
            send(refused, "x@host")
    assert "wrong" not in str(caught.value)
    assert len(server.inbox.mails) == 1


def test_in_a_folder_a_mail_is_a_file_named_by_its_id(tmp_path: Path) -> None:
    for _ in range(2):
        FolderMailer(tmp_path).send(MAIL, "a@host", ["x@host"], lambda: None)
    assert [path.name for path in tmp_path.iterdir()] == ["one.ticket.eml"]
    assert (tmp_path / "one.ticket.eml").read_bytes() == MAIL
