"""The one place that builds engines, stores and locks from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import configuration, settings
from pipelines.edge_node import edge_node as edge_node_section
from pipelines.engines import hiveserver2, impalad
from pipelines.ledger import Ledger
from pipelines.namenode import namenode
from pipelines.tables import TABLES
from targets.locks import FileLocks, Locks
from targets.store.base import FileStore
from targets.store.local import LocalStore
from targets.warehouse.base import Warehouse

if TYPE_CHECKING:
    from pipelines.spool import Spool
    from targets.mailer import Mailer
    from targets.store.hdfs import HdfsStore
    from targets.warehouse.driver import Access
    from targets.warehouse.hiveserver2 import HiveServer2Warehouse
    from targets.warehouse.rehearsal import Rehearsal


def warehouse() -> Warehouse:
    asked = settings.section(settings.warehouse)
    writer = cluster()
    if writer is None:
        return embedded()
    if asked.engine != "hive+impala":
        return writer
    from targets.warehouse.impala import ImpalaReader
    from targets.warehouse.refreshing import RefreshingWarehouse

    impala = ImpalaReader(
        asked.database, TABLES, _access(impalad), deadline_seconds=asked.deadline_seconds
    )
    return RefreshingWarehouse(writer, impala)


def cluster() -> HiveServer2Warehouse | None:
    """The warehouse that writes, where it is on a cluster."""
    engine = settings.section(settings.warehouse).engine
    return None if engine == "duckdb" else _on_cluster(_writers()[engine])


def _writers() -> dict[str, type[HiveServer2Warehouse]]:
    from targets.warehouse.hive import HiveWarehouse
    from targets.warehouse.spark import SparkWarehouse

    return {"hive": HiveWarehouse, "hive+impala": HiveWarehouse, "spark": SparkWarehouse}


def rehearsal(engine: str) -> Rehearsal:
    from targets.warehouse.rehearsal import Rehearsal

    return Rehearsal(_writers()[engine], settings.section(settings.warehouse).database, TABLES)


def _on_cluster(kind: type[HiveServer2Warehouse]) -> HiveServer2Warehouse:
    asked = settings.section(settings.warehouse)
    return kind(
        asked.database,
        TABLES,
        _access(hiveserver2),
        hdfs=_hdfs(""),
        folder=settings.section(namenode).root,
        records=state(),
        keep_versions_days=asked.keep_versions_days,
        deadline_seconds=asked.deadline_seconds,
    )


def _access(kind: type[hiveserver2] | type[impalad]) -> Access:
    from targets.warehouse.driver import Access

    asked = settings.section(kind)
    return Access(
        section=kind.__name__,
        hosts=asked.hosts,
        port=asked.port,
        user=asked.user,
        auth=asked.auth,
        password=asked.secret(),
        service=asked.kerberos_service,
        tls=asked.tls,
        ca_file=asked.ca_file,
        timeout_seconds=asked.timeout_seconds,
        settings=asked.session,
    )


def embedded() -> Warehouse:
    """The engine that needs no cluster, whatever the configuration says."""
    from targets.warehouse.duckdb import DuckDBWarehouse

    asked = settings.section(settings.warehouse)
    return DuckDBWarehouse(
        asked.root,
        asked.database,
        TABLES,
        memory_limit=asked.memory_limit,
        threads=asked.threads,
        deadline_seconds=asked.deadline_seconds,
    )


def files() -> FileStore:
    asked = settings.section(settings.files)
    return _on_hdfs("files") if asked.store == "hdfs" else LocalStore(asked.root)


def edge_node() -> FileStore:
    """Where backup files are copied to."""
    asked = settings.section(edge_node_section)
    if asked.transport == "folder":
        return LocalStore(configuration.path(asked.folder))
    from targets.store.sftp import SftpStore

    return SftpStore(
        asked.folder,
        host=asked.host,
        port=asked.port,
        user=asked.user,
        key_file=configuration.path(asked.key_file),
        known_hosts=asked.known_hosts,
        timeout_seconds=asked.timeout_seconds,
        channels=asked.channels,
    )


def state() -> FileStore:
    return LocalStore(settings.section(settings.state).root)


def markers() -> FileStore:
    asked = settings.section(settings.state)
    return _on_hdfs("markers") if asked.markers == "hdfs" else LocalStore(asked.root / "markers")


def _on_hdfs(folder: str) -> FileStore:
    root = settings.section(namenode).root
    return _hdfs(f"{root.rstrip('/')}/{folder}", is_data=folder == "files")


def _hdfs(root: str, *, is_data: bool = True) -> HdfsStore:
    from targets.store.hdfs import HdfsStore

    asked = settings.section(namenode)
    return HdfsStore(
        root,
        urls=asked.urls,
        user=asked.user,
        kerberos=asked.auth == "kerberos",
        timeout_seconds=asked.timeout_seconds,
        trash=asked.trash and is_data,
    )


def mailer() -> Mailer:
    from targets.mailer import FolderMailer, SmtpMailer

    asked = settings.section(settings.mail)
    if asked.transport == "folder":
        return FolderMailer(asked.folder)
    return SmtpMailer(
        asked.host,
        asked.port,
        security=asked.security,
        user=asked.user,
        password=asked.secret(),
        ca_file=asked.ca_file,
        timeout_seconds=asked.timeout_seconds,
    )


def state_has(*folders: str) -> bool:
    """Whether any of these folders of the state holds a file."""
    return any(state().list(folder) for folder in folders)


def spool() -> Spool:
    from pipelines.spool import Spool

    return Spool(state(), mailer(), locks())


def ledger() -> Ledger:
    return Ledger(settings.section(settings.state).root / "ledger.sqlite")


def locks() -> Locks:
    return FileLocks(settings.section(settings.state).root / "locks")
