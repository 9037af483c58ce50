"""A stand-in for Impala: its wire and what of its catalogue matters to us, before a real Hive.

There is no Impala server to be had. This front speaks HiveServer2's protocol over Thrift as impyla
expects it of Impala (NOSASL or Kerberos, extra calls) and hands every statement to the real
HiveServer2, whose answers go back as they are.

Imitated: REFRESH t, REFRESH t PARTITION (...), INVALIDATE METADATA t and COMPUTE STATS t. For each
partition it remembers location and files as of the last REFRESH that covered it. A table's REFRESH
finds partitions and files that came or went and keeps the location of one that was switched, as
Impala does; only REFRESH t PARTITION moves it. A table that it was never told of is unknown, in
Impala's words.

Stricter than Impala: a SELECT that would read a partition whose state is not what the metastore
and HDFS say now fails with Impala's words for files that are gone; Impala would give old rows or
none where the old files are still there.

Not imitated: Impala's SQL dialect, types and results (they are Hive's), its query plans, memory
limits, load balancing, LDAP and TLS, and when its catalogue learns of changes by itself.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
import threading
from collections.abc import Callable
from typing import Any

import hdfs as webhdfs
from impala._thrift_gen.ImpalaService import ImpalaHiveServer2Service
from impala._thrift_gen.TCLIService import ttypes
from pyhive import hive
from thrift.protocol.TBinaryProtocol import TBinaryProtocolFactory
from thrift.server.TServer import TThreadedServer
from thrift.transport.TSocket import TServerSocket
from thrift.transport.TTransport import TBufferedTransportFactory

from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.servers.hive import Hive
from tests.cluster.servers.kdc import Kdc
from tests.ports import free_port

_REFRESH = re.compile(
    r"REFRESH\s+([\w.]+)(?:\s+PARTITION\s*\((\w+)='((?:[^'\\]|\\.)*)'\))?\s*\Z", re.IGNORECASE
)
_INVALIDATE = re.compile(r"INVALIDATE\s+METADATA\s+([\w.]+)\s*\Z", re.IGNORECASE)
_STATS = re.compile(r"COMPUTE\s+STATS\s+([\w.]+)\s*\Z", re.IGNORECASE)
_NOTHING = "USE default"  # what is executed in place of what only the front understands

State = tuple[str, tuple[tuple[str, int, int], ...]]  # location; names, sizes, times of the files
Refuse = Callable[[str], str | None]


class SaidNoError(Exception):
    pass


class Catalogue:
    """What Impala believes of each table: the state of each partition, "" for one without."""

    def __init__(self, connect: Callable[[], hive.Connection], hdfs: Hdfs) -> None:
        self._connect = connect
        self._files = hdfs.client()
        self._tables: dict[str, dict[str, State]] = {}
        self._lock = threading.Lock()

    def refresh(self, table: str, partition: str) -> None:
        with self._lock:
            self._known(table)
            if partition:
                self._tables[table][partition] = self._state(self._location(table, partition))
                return
            before = self._tables[table]
            places = {
                # A table without partitions is loaded anew, and with it where it is.
                name: before[name][0] if name and name in before else self._location(table, name)
                for name in self._names(table)
            }
            self._tables[table] = {name: self._state(place) for name, place in places.items()}

    def load(self, table: str) -> None:
        with self._lock:
            names = self._names(table)
            self._tables[table] = {name: self._state(self._location(table, name)) for name in names}

    def refuse_stale(self, select: str) -> None:
        """As Impala, when the files that it remembers are not those that are there."""
        with self._lock:
            try:
                [(text,)] = self._rows(f"EXPLAIN DEPENDENCY {select}")
            except hive.OperationalError:
                return  # Hive says itself what is wrong with it
            needs = json.loads(text)
            for entry in needs["input_tables"]:
                table = entry["tablename"].replace("@", ".")
                if table not in self._tables:
                    if table.startswith("_dummy"):
                        continue
                    words = f"AnalysisException: Could not resolve table reference: '{table}'"
                    raise SaidNoError(words)
                if "" in self._tables[table]:
                    self._compare(table, "")
            for entry in needs["input_partitions"]:
                database, table, partition = entry["partitionName"].split("@", 2)
                self._compare(f"{database}.{table}", partition)

    def _compare(self, table: str, partition: str) -> None:
        now = self._state(self._location(table, partition))
        if self._tables[table].get(partition) != now:
            raise SaidNoError(
                f"Disk I/O error: Failed to open HDFS file {now[0]}: Error(2): No such file or "
                f"directory. The file may have been deleted: this could be due to stale metadata. "
                f'Try running "refresh {table}".'
            )

    def _known(self, table: str) -> None:
        if table not in self._tables:
            raise SaidNoError(f"AnalysisException: Table does not exist: {table}")

    def _names(self, table: str) -> list[str]:
        try:
            return [name for (name,) in self._rows(f"SHOW PARTITIONS {table}")]
        except hive.OperationalError as error:
            if "is not a partitioned table" in str(error):
                return [""]
            raise SaidNoError(f"AnalysisException: Table does not exist: {table}") from error

    def _location(self, table: str, name: str) -> str:
        sql = f"DESCRIBE FORMATTED {table}"
        if name:
            column, _, value = name.partition("=")
            value = re.sub(r"%([0-9A-F]{2})", lambda code: chr(int(code[1], 16)), value)
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            sql += f" PARTITION ({column}='{escaped}')"
        rows = self._rows(sql)
        return next(str(row[1]).strip() for row in rows if str(row[0]).strip() == "Location:")

    def _state(self, location: str) -> State:
        path = re.sub(r"^\w+://[^/]*", "", location)
        try:
            found = self._files.list(path, status=True)
        except webhdfs.HdfsError:
            return location, ()
        return location, tuple(
            (name, info["length"], info["modificationTime"])
            for name, info in sorted(found)
            if not name.startswith((".", "_"))
        )

    def _rows(self, sql: str) -> list[Any]:
        with contextlib.closing(self._connect()) as metastore, metastore.cursor() as cursor:
            cursor.execute(sql)
            rows: list[Any] = cursor.fetchall()
            return rows


class Handler:
    """Each call goes to the real server, over a connection of its session's own."""

    def __init__(self, front: Impala) -> None:
        self._front = front
        self._upstream: dict[bytes, tuple[hive.Connection, threading.Lock]] = {}

    def OpenSession(self, request: Any) -> Any:
        connection = self._front.connect()
        answer = connection.client.OpenSession(request)
        if answer.sessionHandle is not None:
            self._upstream[answer.sessionHandle.sessionId.guid] = (connection, threading.Lock())
        return answer

    def CloseSession(self, request: Any) -> Any:
        answer = self._forward(request.sessionHandle.sessionId, "CloseSession", request)
        connection, _ = self._upstream.pop(request.sessionHandle.sessionId.guid)
        connection.close()
        return answer

    def ExecuteStatement(self, request: Any) -> Any:
        try:
            request.statement = self._front.replaced(request.statement)
        except SaidNoError as error:
            status = ttypes.TStatus(
                ttypes.TStatusCode.ERROR_STATUS, sqlState="HY000", errorMessage=str(error)
            )
            return ttypes.TExecuteStatementResp(status=status)
        session = request.sessionHandle.sessionId
        answer = self._forward(session, "ExecuteStatement", request)
        if answer.operationHandle is not None:
            guid = answer.operationHandle.operationId.guid
            self._upstream[guid] = self._upstream[session.guid]
        return answer

    def GetLog(self, request: Any) -> Any:
        return ttypes.TGetLogResp(ttypes.TStatus(ttypes.TStatusCode.SUCCESS_STATUS), "")

    def CloseImpalaOperation(self, request: Any) -> Any:
        plain = ttypes.TCloseOperationReq(request.operationHandle)
        return self.CloseOperation(plain)

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        def call(request: Any) -> Any:
            return self._forward(request.operationHandle.operationId, name, request)

        return call

    def _forward(self, which: Any, name: str, request: Any) -> Any:
        connection, lock = self._upstream[which.guid]
        with lock:
            return getattr(connection.client, name)(request)


class Impala:
    """`refuse` may answer a statement with an error, in the words that it returns."""

    def __init__(self, hive_server: Hive, hdfs: Hdfs, realm: Kdc | None = None) -> None:
        self._hive = hive_server
        self._realm = realm
        self.port = free_port()
        self.catalogue = Catalogue(self.connect, hdfs)
        self.seen: list[str] = []
        self.refuse: Refuse = lambda _statement: None
        self._server: TThreadedServer | None = None
        self._socket: TServerSocket | None = None

    def __enter__(self) -> Impala:
        logging.getLogger("thrift").setLevel(logging.CRITICAL)  # clients that are killed
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._socket = TServerSocket("127.0.0.1", self.port)
        self._socket.listen()
        self._server = TThreadedServer(
            ImpalaHiveServer2Service.Processor(Handler(self)),
            self._socket,
            self._transports(),
            TBinaryProtocolFactory(),
            daemon=True,
        )
        listening = (self._server, self._socket)
        threading.Thread(target=self._serve, args=listening, daemon=True).start()

    def stop(self) -> None:
        if self._socket is not None:
            self._socket.handle.shutdown(socket.SHUT_RDWR)  # or one more would be let in
            self._socket.close()
            self._socket = None

    def _transports(self) -> Any:
        if self._realm is None:
            return TBufferedTransportFactory()
        from tests.cluster.servers.sasl import GssapiServerFactory

        return GssapiServerFactory("impala@localhost", self._realm.keytab)

    def connect(self) -> hive.Connection:
        if self._realm is not None:
            login = {"auth": "KERBEROS", "kerberos_service_name": "hive"}
            return hive.connect("localhost", self._hive.port, **login)
        return hive.connect("127.0.0.1", self._hive.port, username="impala")

    def replaced(self, statement: str) -> str:
        """The statement as Hive is asked it, after what the catalogue has to say."""
        self.seen.append(statement)
        words = self.refuse(statement)
        if words is not None:
            raise SaidNoError(words)
        if found := _REFRESH.match(statement):
            table, column, value = found.groups()
            partition = ""
            if column:
                text = re.sub(r"\\(.)", r"\1", value)
                escaped = re.sub(
                    r"""["#%'*/:=?\\{\[\]^]""", lambda letter: f"%{ord(letter[0]):02X}", text
                )
                partition = f"{column}={escaped}"
            self.catalogue.refresh(table, partition)
            return _NOTHING
        if found := _INVALIDATE.match(statement):
            self.catalogue.load(found[1])
            return _NOTHING
        if _STATS.match(statement):
            return _NOTHING
        if statement.lstrip("( \n-").upper().startswith("SELECT"):
            self.catalogue.refuse_stale(statement)
        return statement

    def _serve(self, server: TThreadedServer, listening: TServerSocket) -> None:
        """Thrift's own loop would not end with its socket."""
        while self._socket is listening:
            try:
                client = listening.accept()
            except OSError:
                return
            threading.Thread(target=server.handle, args=(client,), daemon=True).start()
