"""The servers together, and warehouses on them that begin empty."""

from __future__ import annotations

import configparser
import itertools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from targets.schema import Table
from targets.store.hdfs import HdfsStore
from targets.store.local import LocalStore
from targets.warehouse.base import Statement
from targets.warehouse.ddl import create_external
from targets.warehouse.driver import Access
from targets.warehouse.hive import HiveWarehouse
from targets.warehouse.hiveserver2 import HiveServer2Warehouse
from targets.warehouse.impala import ImpalaReader
from targets.warehouse.refreshing import RefreshingWarehouse
from targets.warehouse.spark import SparkWarehouse
from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.servers.kdc import CLIENT
from tests.site import REPOSITORY

_numbers = itertools.count(1)


def shipped_session() -> dict[str, str]:
    """The settings of each session, as config/luigi.cfg has them."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(REPOSITORY / "config/luigi.cfg")
    found: dict[str, str] = json.loads(config["hiveserver2"]["session"])
    return found


def new_database() -> str:
    return f"t{os.getpid()}_{next(_numbers)}"


def slowly(rows: Statement, milliseconds: int) -> Statement:
    """The same rows, with a sleep before each: slow, and no work for the processors."""
    sleep = f"java_method('java.lang.Thread', 'sleep', CAST(id * 0 + {milliseconds} AS BIGINT))"
    sql = f"SELECT * FROM ({rows.sql}) r WHERE COALESCE({sleep}, 'slept') <> 'never'"
    return replace(rows, sql=sql)


@dataclass(frozen=True)
class Place:
    """A database of a test's own on an engine."""

    engine: type[HiveServer2Warehouse]
    port: int
    hdfs: Hdfs
    database: str
    state: Path
    tables: Mapping[str, Table]
    kerberos: bool = False

    @classmethod
    def on(
        cls,
        engine: type[HiveServer2Warehouse],
        port: int,
        hdfs: Hdfs,
        state: Path,
        tables: Mapping[str, Table],
        kerberos: bool = False,
    ) -> Place:
        """A new database, with these tables, all of them empty."""
        place = cls(engine, port, hdfs, new_database(), state, tables, kerberos)
        with_tables(place.warehouse(), place.folder)
        return place

    def beside(self, database: str, state: Path) -> Place:
        """Another database on the same engine."""
        return replace(self, database=database, state=state)

    @property
    def folder(self) -> str:
        return f"{self.hdfs.name}/{self.engine.name}/{self.database}"

    def access(self, **changed: Any) -> Access:
        options: dict[str, Any] = {"hosts": ["127.0.0.1"], "port": self.port}
        options |= {"user": self.hdfs.user, "settings": shipped_session(), "timeout_seconds": 30}
        if self.kerberos:
            options |= {"hosts": ["localhost"], "auth": "KERBEROS", "user": CLIENT}
        return Access(**{**options, **changed})

    def store(self) -> HdfsStore:
        return HdfsStore(
            "",
            urls=[self.hdfs.url],
            user=self.hdfs.user,
            kerberos=self.kerberos,
            timeout_seconds=30,
        )

    def warehouse(self, access: Access | None = None, **changed: Any) -> HiveServer2Warehouse:
        options: dict[str, Any] = {
            "hdfs": self.store(),
            "folder": f"/mnaas/{self.database}",
            "records": LocalStore(self.state),
            "deadline_seconds": 120,
        }
        return self.engine(
            self.database, self.tables, access or self.access(), **{**options, **changed}
        )

    def with_impala(self, port: int, **changed: Any) -> RefreshingWarehouse:
        login = {"service": "impala"} if self.kerberos else {"auth": "NOSASL"}
        access = self.access(port=port, settings={}, section="impalad", **login, **changed)
        impala = ImpalaReader(self.database, self.tables, access, deadline_seconds=120)
        return RefreshingWarehouse(self.warehouse(), impala)

    def run(self, *statements: str) -> None:
        """What somebody else does, by hand."""
        other = self.warehouse()
        for sql in statements:
            other.session.run("by hand", sql.replace("DB", self.database))
        other.close()


def with_tables(warehouse: HiveServer2Warehouse, folder: str) -> None:
    run = warehouse.session.run
    run("database", f"CREATE DATABASE IF NOT EXISTS {warehouse.database}")
    for table in warehouse.tables.values():
        location = warehouse.quoted(f"{folder}/{table.name}")
        run(table.name, create_external(warehouse.spell(table), table, location))
    warehouse.close()


ENGINES: dict[str, type[HiveServer2Warehouse]] = {"hive": HiveWarehouse, "spark": SparkWarehouse}
