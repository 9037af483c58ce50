"""Hive, over PyHive: what is Hive's own, and the driver that Spark uses too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from targets.schema import Table
from targets.warehouse.base import Row
from targets.warehouse.described import planned_locations
from targets.warehouse.driver import (
    BATCH,
    Access,
    Driver,
    ServerSaidError,
    is_finished,
    thrift_errors,
)
from targets.warehouse.hiveserver2 import HiveServer2Warehouse

if TYPE_CHECKING:
    from pyhive import hive


class PyHiveDriver(Driver):
    def __init__(self) -> None:
        self._connection: hive.Connection | None = None
        self._cursor: hive.Cursor | None = None
        self._socket: Any = None

    def open(self, host: str, port: int, access: Access) -> None:
        from pyhive import hive

        self._socket = _socket(host, port, access)
        with contextlib.ExitStack() as failed, self._patient(access.timeout_seconds):
            failed.callback(self._socket.close)
            self._connection = hive.connect(
                username=access.user or None,
                # With this prefix Spark takes them over into its own session too.
                configuration={
                    f"set:hiveconf:{key}": str(value) for key, value in access.settings.items()
                },
                thrift_transport=_transport(self._socket, host, access),
            )
            failed.pop_all()

    def start(self, sql: str, timeout_seconds: float) -> None:
        assert self._connection
        self._cursor = self._connection.cursor(arraysize=BATCH)
        with self._patient(timeout_seconds):
            self._cursor.execute(sql, async_=True)

    def finished(self, timeout_seconds: float) -> bool:
        assert self._cursor
        with self._patient(timeout_seconds):
            answer = self._cursor.poll(get_progress_update=False)
        return is_finished(answer)

    def fetch(self, rows: int, timeout_seconds: float) -> Sequence[Row]:
        assert self._cursor
        with self._patient(timeout_seconds):
            found: list[Row] = self._cursor.fetchmany(rows)
            return found

    def cancel(self) -> None:
        assert self._cursor
        with self._patient(5):
            self._cursor.cancel()

    def finish(self) -> None:
        if self._cursor is not None:
            with self._patient(5):
                self._cursor.close()
            self._cursor = None

    def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None  # a second close would raise
            try:
                with self._patient(5):
                    connection.close()
            finally:
                self._socket.close()

    def abandon(self) -> None:
        self._socket.close()

    @contextlib.contextmanager
    def _patient(self, seconds: float) -> Iterator[None]:
        """Wait so long for each answer; PyHive's and Thrift's errors become the session's."""
        from pyhive.exc import Error

        self._socket.setTimeout(seconds * 1000)
        with thrift_errors(seconds):
            try:
                yield
            except Error as error:
                status = getattr(error.args[0] if error.args else None, "status", None)
                if status is None:
                    raise ServerSaidError(str(error)) from error
                message = status.errorMessage or str(status.infoMessages or error)
                raise ServerSaidError(message, status.sqlState, status.errorCode) from error


def _socket(host: str, port: int, access: Access) -> Any:
    if not access.tls:
        from thrift.transport.TSocket import TSocket

        return TSocket(host, port)
    import ssl

    from thrift.transport.TSSLSocket import TSSLSocket

    return TSSLSocket(
        host, port, cert_reqs=ssl.CERT_REQUIRED, ca_certs=access.ca_file or _system_certificates()
    )


def _system_certificates() -> str:
    import ssl

    return ssl.get_default_verify_paths().cafile or ""


def _transport(to: Any, host: str, access: Access) -> Any:
    from thrift.transport.TTransport import TBufferedTransport

    if access.auth == "NOSASL":
        return TBufferedTransport(to)
    import thrift_sasl
    from pyhive.hive import get_installed_sasl

    mechanism = "GSSAPI" if access.auth == "KERBEROS" else "PLAIN"

    def client() -> Any:
        return get_installed_sasl(
            host=host,
            sasl_auth=mechanism,
            service=access.service,
            username=access.user,
            password=access.password or "none",
        )

    return thrift_sasl.TSaslClientTransport(client, mechanism, to)


class HiveWarehouse(HiveServer2Warehouse):
    name = "hive"
    driver = PyHiveDriver

    def locations(self, table: Table, values: Sequence[str]) -> Mapping[str, str | None]:
        """One plan tells them all; what it leaves open is asked one by one."""
        found: dict[str, str] = {}
        for some in self.portions(values):
            where = self.where_partition(table, some)
            sql = f"EXPLAIN EXTENDED SELECT * FROM {self.spell(table)} WHERE {where}"
            rows = self.session.rows(f"locations of {table.name}", sql)
            found |= planned_locations(table.partitioned_by, (str(row[0]) for row in rows))
        left = [value for value in values if value not in found]
        return {**found, **super().locations(table, left)}
