"""The server's side of Thrift's SASL with Kerberos (GSSAPI), as an Impala in secure mode speaks it.

Messages while it is negotiated: one byte of status, four of length. After that each frame has its
length in front; no layer of encryption is offered.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import gssapi
from thrift.transport.TTransport import TTransportBase, TTransportException

_START, _OK, _BAD, _COMPLETE = 1, 2, 3, 5
_NO_LAYER = b"\x01\x00\x00\x00"


class GssapiServerTransport(TTransportBase):
    def __init__(self, inner: Any, service: str, keytab: Path) -> None:
        self._inner = inner
        self._service = service
        self._keytab = keytab
        self._reading = io.BytesIO()
        self._writing = io.BytesIO()
        self._negotiated = False

    def isOpen(self) -> bool:
        return bool(self._inner.isOpen())

    def open(self) -> None:
        """The inner one is open: it was accepted."""

    def close(self) -> None:
        self._inner.close()

    def read(self, size: int) -> bytes:
        if not self._negotiated:
            self._negotiate()
            self._negotiated = True
        data = self._reading.read(size)
        if not data:
            (length,) = struct.unpack(">I", self._inner.readAll(4))
            self._reading = io.BytesIO(self._inner.readAll(length))
            data = self._reading.read(size)
        return data

    def write(self, data: bytes) -> None:
        self._writing.write(data)

    def flush(self) -> None:
        data = self._writing.getvalue()
        self._writing = io.BytesIO()
        self._inner.write(struct.pack(">I", len(data)) + data)
        self._inner.flush()

    def _negotiate(self) -> None:
        status, mechanism = self._receive()
        if status != _START or mechanism != b"GSSAPI":
            self._send(_BAD, f"Unsupported mechanism type {mechanism.decode()}".encode())
            raise TTransportException(message="another mechanism")
        name = gssapi.Name(self._service, gssapi.NameType.hostbased_service)
        ours = gssapi.Credentials(name=name, usage="accept", store={"keytab": str(self._keytab)})
        context = gssapi.SecurityContext(creds=ours, usage="accept")
        _, token = self._receive()
        while not context.complete:
            answer = context.step(token)
            self._send(_OK, answer or b"")
            _, token = self._receive()
        self._send(_OK, context.wrap(_NO_LAYER, encrypt=False).message)
        self._receive()  # the layer that it chose: there is just one
        self._send(_COMPLETE, b"")

    def _receive(self) -> tuple[int, bytes]:
        status, length = struct.unpack(">BI", self._inner.readAll(5))
        return status, self._inner.readAll(length) if length else b""

    def _send(self, status: int, payload: bytes) -> None:
        self._inner.write(struct.pack(">BI", status, len(payload)) + payload)
        self._inner.flush()


class GssapiServerFactory:
    def __init__(self, service: str, keytab: Path) -> None:
        self._service = service
        self._keytab = keytab

    def getTransport(self, inner: Any) -> GssapiServerTransport:
        """Thrift asks once for reading and once for writing: it must be one and the same."""
        known = getattr(inner, "_gssapi", None)
        if known is None:
            known = inner._gssapi = GssapiServerTransport(inner, self._service, self._keytab)
        return known
