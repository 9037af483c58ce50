"""A TCP proxy on loopback that can be slow, or stop forwarding without closing anything."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque


class Proxy:
    """`delay_seconds` is how long everything takes in each direction."""

    def __init__(self, port: int, delay_seconds: float = 0) -> None:
        self._target = port
        self._delay_seconds = delay_seconds
        self._stalled_after: int | None = None
        self._forwarded = 0
        self._connections: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._server, *self._connections):
            each.close()

    def stall_after(self, more_bytes: int) -> None:
        """Forward so many bytes more, and then nothing, as a dead link does."""
        self._stalled_after = self._forwarded + more_bytes

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._connections.append(client)
                server = socket.create_connection(("127.0.0.1", self._target))
                self._connections.append(server)
                for source, sink in ((client, server), (server, client)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._forward(source, sink)

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        waiting: deque[tuple[float, bytes]] = deque()
        arrived = threading.Semaphore(0)

        def receive() -> None:
            data = b"-"
            while data:
                try:
                    data = source.recv(1 << 18)
                except OSError:
                    data = b""
                waiting.append((time.monotonic() + self._delay_seconds, data))
                arrived.release()

        def deliver() -> None:
            while True:
                arrived.acquire()
                due, data = waiting.popleft()
                time.sleep(max(0.0, due - time.monotonic()))
                if self._stalled_after is not None and self._forwarded >= self._stalled_after:
                    continue
                self._forwarded += len(data)
                with contextlib.suppress(OSError):
                    if data:
                        sink.sendall(data)
                        continue
                    sink.shutdown(socket.SHUT_WR)
                return

        for work in (receive, deliver):
            threading.Thread(target=work, daemon=True).start()
