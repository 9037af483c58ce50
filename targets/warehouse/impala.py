"""Impala, over impyla: it reads, and it is told of each partition that Hive switched."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

from targets.errors import MissingTableError
from targets.schema import Table
from targets.warehouse.base import Row, Statement
from targets.warehouse.driver import (
    BATCH,
    Access,
    Driver,
    ServerSaidError,
    is_finished,
    thrift_errors,
)
from targets.warehouse.reader import HiveServer2Reader

_MECHANISMS = {"NONE": "PLAIN", "NOSASL": "NOSASL", "LDAP": "LDAP", "KERBEROS": "GSSAPI"}


class ImpylaDriver(Driver):
    """Its socket has one timeout, set when it connects."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._cursor: Any = None
        self._seconds = 0.0

    def open(self, host: str, port: int, access: Access) -> None:
        from impala import dbapi

        self._seconds = access.timeout_seconds
        with contextlib.ExitStack() as failed, self._patient():
            failed.callback(self.abandon)
            self._connection = dbapi.connect(
                host,
                port,
                timeout=math.ceil(self._seconds),
                use_ssl=access.tls,
                ca_cert=access.ca_file or None,
                verify_cert=access.tls,
                auth_mechanism=_MECHANISMS[access.auth],
                user=access.user,
                password=access.password or "none",
                kerberos_service_name=access.service,
                retries=1,
            )
            # Or it opens the connection anew on its own, where the session is not.
            settings = {key: str(value) for key, value in access.settings.items()}
            self._cursor = self._connection.cursor(user=access.user or None, configuration=settings)
            self._cursor.arraysize = BATCH
            failed.pop_all()

    def start(self, sql: str, timeout_seconds: float) -> None:  # noqa: ARG002
        with self._patient():
            self._cursor.execute_async(sql)

    def finished(self, timeout_seconds: float) -> bool:  # noqa: ARG002
        with self._patient():
            answer = self._cursor._last_operation.get_state()
        return is_finished(answer)

    def fetch(self, rows: int, timeout_seconds: float) -> Sequence[Row]:  # noqa: ARG002
        with self._patient():
            found: list[Row] = self._cursor.fetchmany(rows)
            return found

    def cancel(self) -> None:
        with self._patient():
            self._cursor.cancel_operation(reset_state=False)

    def finish(self) -> None:
        with self._patient():
            self._cursor.close_operation()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                with self._patient():
                    self._cursor.close()
            finally:
                connection.close()

    def abandon(self) -> None:
        if self._connection is not None:
            self._connection.close()

    @contextlib.contextmanager
    def _patient(self) -> Iterator[None]:
        """impyla's and Thrift's errors become the session's; its RPCError is no DatabaseError."""
        from impala.error import Error

        with thrift_errors(self._seconds):
            try:
                yield
            except Error as error:
                raise ServerSaidError(str(error)) from error


class ImpalaReader(HiveServer2Reader):
    name = "impala"
    driver = ImpylaDriver

    def refresh(self, table: Table, partitions: Sequence[str]) -> None:
        """Show it switched partitions, one by one: a table's REFRESH keeps their old location."""
        for value in partitions:
            self._refresh(table, self.partition_of(table, value))

    def refresh_all(self, table: Table) -> None:
        """Show it files and partitions that came or went; not where switched ones are now."""
        self._refresh(table, "")

    def _refresh(self, table: Table, partition: str) -> None:
        name = self.spell(table)
        try:
            self.session.run(f"refresh of {table.name}", f"REFRESH {name} {partition}".strip())
        except MissingTableError:
            # Only for a table that it has never seen: it makes Impala forget all it knows of it.
            self.session.run(f"refresh of {table.name}", f"INVALIDATE METADATA {name}")

    def refresh_what_is_read(self, select: Statement, known: set[str]) -> None:
        """Tables whose files other writers may have changed since Impala looked."""
        for name in sorted(set(select.reads) - known):
            self.refresh_all(self.table(name))
            known.add(name)
