"""The declared tables against what the warehouse has, and what earlier writings of them left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines import settings
from pipelines.night import Entry
from pipelines.tables import TABLES
from targets.schema import Table
from targets.warehouse.hiveserver2 import HiveServer2Warehouse

MISSING = "missing"


@dataclass(frozen=True)
class Compared:
    table: Table
    state: str  # ok, missing, or differs: ...
    location: str = ""


def compare(warehouse: HiveServer2Warehouse) -> Iterator[Compared]:
    written = written_tables()
    for table in TABLES.values():
        found = warehouse.describe(table)
        if found is None:
            yield Compared(table, MISSING)
            continue
        differences = list(found.differences(table, written=table.name in written))
        state = f"differs: {'; '.join(differences)}" if differences else "ok"
        yield Compared(table, state, found.location)


def written_tables() -> set[str]:
    """Ours, and those that each has a staging table of ours for."""
    staged = {name for name in TABLES if f"{name}_staging" in TABLES}
    return staged | {f"{name}_staging" for name in staged}


@dataclass(frozen=True)
class Kept:
    """A directory that a partition pointed at before."""

    table: str
    partition: str
    version: str
    written: str
    state: str
    location: str


def kept_versions(
    warehouse: HiveServer2Warehouse, pipeline: type[Entry], only: str
) -> Iterator[Kept]:
    days = settings.section(settings.warehouse).keep_versions_days
    names = {table.name for step in pipeline.steps() for table in _writes(step)}
    for name in sorted(names):
        if only and name != only:
            continue
        for version in warehouse.versions(TABLES[name]):
            until = time.strftime("%Y-%m-%d", time.localtime(version.begun + days * 86400))
            state = f"kept until {until}" if version.settled else "not finished"
            written = time.strftime("%Y-%m-%d %H:%M", time.localtime(version.begun))
            for each in version.superseded:
                yield Kept(name, each.partition, version.name, written, state, each.location)


def _writes(step: type) -> list[Table]:
    from datetime import date

    made = step(date=date(2021, 4, 30), asked="", dates=())
    return list(made.writes())
