"""The one place that builds engines, stores and locks from the settings."""

from __future__ import annotations

from pipelines import settings
from pipelines.tables import TABLES
from targets.locks import FileLocks, Locks
from targets.store.base import FileStore
from targets.store.local import LocalStore
from targets.warehouse.base import Warehouse


def warehouse() -> Warehouse:
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
    return LocalStore(settings.section(settings.files).root)


def state() -> FileStore:
    return LocalStore(settings.section(settings.state).root)


def markers() -> FileStore:
    return LocalStore(settings.section(settings.state).root / "markers")


def locks() -> Locks:
    return FileLocks(settings.section(settings.state).root / "locks")
