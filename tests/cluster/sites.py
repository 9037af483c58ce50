"""A site with tables, files and markers on the cluster; an engine gets its sample once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.copying import copy_tables
from pipelines.tables import TABLES
from targets.schema import Table
from targets.store.base import FileStore
from targets.store.hdfs import HdfsStore
from targets.warehouse.base import Statement
from targets.warehouse.hiveserver2 import HiveServer2Warehouse
from targets.warehouse.parquet import ParquetFolder
from targets.warehouse.versions import path_of
from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.stack import Place, new_database, with_tables
from tests.site import DATE, LEAVES, Site

LISTED = ("2021-03-31", "2021-04-11", "2021-04-28", "2021-04-29", "2021-04-30")
DAYS = (*LISTED, "2021-04-27")
MONTHS = ("2021-03", "2021-04")
VERSION = "sample"


def sample_partitions(site: Site) -> dict[str, list[str]]:
    """What the nights need of the sample data, by table."""
    warehouse = site.warehouse()
    found = {}
    for name, table in TABLES.items():
        if not table.partitioned_by:
            found[name] = [""]
        elif table.partitioned_by != "run_key":
            there = set(warehouse.partitions(table))
            found[name] = sorted(there & {*DAYS, *MONTHS})
    warehouse.close()
    return found


@dataclass(frozen=True)
class Sample:
    """The sample data on an engine, that sites point at and never change."""

    place: Place
    partitions: Mapping[str, Sequence[str]]

    @classmethod
    def load(cls, place: Place, site: Site) -> Sample:
        """Text is written by the engine; Parquet is taken as the embedded one has it."""
        partitions = sample_partitions(site)
        text = {name: values for name, values in partitions.items() if TABLES[name].delimiter}
        source, target = site.warehouse(), place.warehouse()
        for _ in copy_tables(source, target, text, VERSION):
            pass
        source.close()
        target.close()
        sample = cls(place, partitions)
        for name in partitions.keys() - text.keys():
            sample._put_files(TABLES[name], site)
        return sample

    def _put_files(self, table: Table, site: Site) -> None:
        local = ParquetFolder(site.root / "var/warehouse", "mnaas", 0)
        store = self.place.store()
        for value in self.partitions[table.name]:
            for file in local.files(table, frozenset([value]) if value else None):
                store.put(file, f"{path_of(self.directory(table, value))}/{file.name}")

    def directory(self, table: Table, value: str) -> str:
        version = f"{self.place.folder}/{table.name}.versions/{VERSION}"
        return f"{version}/{table.partition(value).folder}" if value else version

    def shown_in(self, warehouse: HiveServer2Warehouse) -> None:
        """Let the tables of another database begin with the sample's directories."""
        run = warehouse.session.run
        for name, values in self.partitions.items():
            table = TABLES[name]
            if not table.partitioned_by:
                run(name, warehouse.pointing(table, "", self.directory(table, "")))
                continue
            listed = " ".join(
                f"{warehouse.partition_of(table, value)} LOCATION '{self.directory(table, value)}'"
                for value in values
            )
            if listed:
                run(name, f"ALTER TABLE {warehouse.spell(table)} ADD {listed}")


@dataclass
class ClusterSite(Site):
    place: Place = field(kw_only=True)
    engine: str = field(kw_only=True)

    @classmethod
    def on(
        cls, sample: Sample, sample_site: Path, root: Path, engine: str, impala: int
    ) -> ClusterSite:
        """A site of the test's own, with the sample data, on which no night has run yet."""
        local = Site.copy_of(sample_site, root)
        place = sample.place.beside(new_database(), root / "var/state")
        site = cls(local.root, place=place, engine=engine)
        warehouse = place.warehouse()
        with_tables(warehouse, place.folder)
        sample.shown_in(warehouse)
        warehouse.close()
        server = {"hosts": '["127.0.0.1"]', "user": place.hdfs.user, "timeout_seconds": 30}
        site.configure("warehouse", engine=engine, database=place.database, deadline_seconds=120)
        site.configure("hiveserver2", port=place.port, **server)
        site.configure("impalad", port=impala, **server)
        site.configure("files", store="hdfs")
        site.configure("state", markers="hdfs")
        site.configure(
            "namenode",
            urls=json.dumps([place.hdfs.url]),
            user=place.hdfs.user,
            root=site.folder,
            timeout_seconds=20,
        )
        site.write_list(*LISTED)
        return site

    @property
    def folder(self) -> str:
        return f"/sites/{self.place.database}"

    def on_hdfs(self, folder: str) -> HdfsStore:
        root = f"{self.folder}/{folder}"
        return HdfsStore(root, urls=[self.place.hdfs.url], user=self.place.hdfs.user)

    def rows(self, name: str, where: str = "true") -> list[tuple[Any, ...]]:
        warehouse = self.place.warehouse()
        table: Table = TABLES[name]
        columns = ", ".join(column.name for column in table.all_columns)
        sql = f"SELECT {columns} FROM {warehouse.spell(table)} WHERE {where}"
        found = sorted(warehouse.query(Statement(name, sql)), key=repr)
        warehouse.close()
        return found

    def markers(self) -> dict[str, dict[str, Any]]:
        store = self.on_hdfs("markers")
        found = {}
        for pipeline in LEAVES:
            for step in store.folders(pipeline):
                for info in store.list(f"{pipeline}/{step}"):
                    found[info.path] = json.loads(store.read(info.path))
        return found

    def store(self) -> FileStore:
        return self.on_hdfs("files")

    def partitions(self, name: str) -> list[str]:
        warehouse = self.place.warehouse()
        found = warehouse.partitions(TABLES[name])
        warehouse.close()
        return found

    def for_missing_files(self) -> None:
        """Counts of the date, as if the legacy job had written them: those of the day before."""
        counted = TABLES["customers_files_records_count"]
        self.configure("missing_customer_files", require_backup_night="false")
        warehouse = self.place.warehouse()
        place = warehouse.location(counted, "2021-04-29")
        add = f"ADD {warehouse.partition_of(counted, DATE)} LOCATION '{place}'"
        warehouse.session.run("counts", f"ALTER TABLE {warehouse.spell(counted)} {add}")
        warehouse.close()


def leftovers(site: ClusterSite, hdfs: Hdfs) -> list[str]:
    """Shadow tables and files that only a killed run leaves."""
    warehouse = site.place.warehouse()
    tables = warehouse.session.rows("tables", f"SHOW TABLES IN {warehouse.database}")
    warehouse.close()
    names = [str(row[-2] if len(row) > 1 else row[0]) for row in tables]
    store = HdfsStore("", urls=[hdfs.url], user=hdfs.user)
    loads = f"{site.folder.strip('/')}/loads"
    files = [
        f"{table}/{load}"
        for table in store.folders(loads)
        for load in store.folders(f"{loads}/{table}")
    ]
    return [name for name in names if "__" in name] + files
