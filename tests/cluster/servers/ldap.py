"""A directory that answers simple binds, which is all that HiveServer2 asks of LDAP."""

from __future__ import annotations

import io
import socketserver
import threading
from collections.abc import Mapping
from typing import BinaryIO

BASE = "ou=people,dc=mnaas,dc=test"
_BIND, _UNBIND, _BOUND = 0x60, 0x42, 0x61
_SUCCESS, _INVALID_CREDENTIALS = 0, 49


class Ldap:
    """`people`: their passwords. No search is answered: a site's filters are Hive's business."""

    def __init__(self, people: Mapping[str, str]) -> None:
        known = {(f"uid={name},{BASE}", password) for name, password in people.items()}

        class Connection(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while (message := _element(self.rfile)) is not None:
                    number, kind, body = _asked(message[1])
                    if kind == _UNBIND:
                        return
                    right = kind == _BIND and _name_and_password(body) in known
                    result = _SUCCESS if right else _INVALID_CREDENTIALS
                    answer = bytes([_BOUND, 7, 0x0A, 1, result, 4, 0, 4, 0])
                    self.wfile.write(bytes([0x30, len(number) + len(answer)]) + number + answer)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection)
        self._server.daemon_threads = True

    @property
    def hive(self) -> Mapping[str, object]:
        """What hive-site.xml says of it."""
        host, port = self._server.server_address[:2]
        return {
            "hive.server2.authentication": "LDAP",
            "hive.server2.authentication.ldap.url": f"ldap://{host!s}:{port}",
            "hive.server2.authentication.ldap.baseDN": BASE,
            "hive.server2.authentication.ldap.guidKey": "uid",
        }

    def __enter__(self) -> Ldap:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _element(stream: BinaryIO) -> tuple[int, bytes] | None:
    """The next element of BER: its tag and its content; None when there is no more."""
    head = stream.read(2)
    if len(head) < 2:
        return None
    tag, length = head
    if length & 0x80:
        length = int.from_bytes(stream.read(length & 0x7F), "big")
    return tag, stream.read(length)


def _elements(content: bytes) -> list[tuple[int, bytes]]:
    stream = io.BytesIO(content)
    return list(iter(lambda: _element(stream), None))


def _asked(message: bytes) -> tuple[bytes, int, bytes]:
    """A message's number as it was sent, what it asks, and the content of that."""
    (tag, number), (kind, body), *_ = _elements(message)
    return bytes([tag, len(number)]) + number, kind, body


def _name_and_password(body: bytes) -> tuple[str, str]:
    _version, (_, name), (_, password) = _elements(body)
    return name.decode(), password.decode()
