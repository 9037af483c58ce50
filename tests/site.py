"""A site in a temporary folder, and the real commands run on it."""

from __future__ import annotations

import configparser
import email
import email.message
import email.policy
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.tables import TABLES
from targets.schema import Table
from targets.store.base import FileStore
from targets.store.local import LocalStore
from targets.warehouse.base import Statement
from targets.warehouse.duckdb import DuckDBWarehouse

REPOSITORY = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
DATE = "2021-04-30"
# The tables and the folder of the file store that a pipeline writes.
LEAVES = {
    "CustomerAggr": (
        ("table_statistics_customer_aggr", "table_statistics_customer_aggr_staging"),
        "customer_aggr",
    ),
    "CustomerBackupFiles": (
        ("customers_files_records_count", "customers_files_records_count_staging"),
        "customer_backup_files",
    ),
    "CustomerInvoiceSummaryEstimated": (
        ("customer_invoice_summary_estimated", "customer_invoice_summary_estimated_staging"),
        "none",
    ),
    "MissingCustomerFiles": ((), "missing_customer_files"),
    "TrafficAdhocAggr": (("traffic_aggr_adhoc", "traffic_aggr_adhoc_staging"), "none"),
}
VOLATILE = ("run_id", "host", "version", "started", "ended", "attempts")


def says(process: subprocess.Popen[str], *words: str) -> bool:
    """Read on until it prints a line with all of these words; False when it ends without."""
    assert process.stdout
    return any(all(word in line for word in words) for line in process.stdout)


def configure(file: Path, section: str, **values: object) -> None:
    """Set some keys of a configuration file."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(file)
    if not config.has_section(section):
        config.add_section(section)
    for key, value in values.items():
        config.set(section, key, str(value))
    with file.open("w") as stream:
        config.write(stream)


@dataclass
class Site:
    root: Path

    @classmethod
    def copy_of(cls, sample: Path, root: Path) -> Site:
        shutil.copytree(sample, root)
        return cls(root)

    # Its configuration and inputs.

    @property
    def config_file(self) -> Path:
        return self.root / "config" / "luigi.cfg"

    def configure(self, section: str, **values: object) -> None:
        configure(self.config_file, section, **values)

    @property
    def list_file(self) -> Path:
        return self.root / "var/files/lists/traffic_partitions_daily_uniq.txt"

    def write_list(self, *dates: str) -> None:
        self.list_file.write_text("".join(f"{day}\n" for day in dates))

    # Its commands.

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "LUIGI_CONFIG_PATH": str(self.config_file),
        }

    def start(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        program = [str(BIN / command[0]), *command[1:]]
        options.setdefault("env", self.environment())
        options.setdefault("cwd", self.root)
        return subprocess.Popen(
            program,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def run(self, *command: str, **options: Any) -> Outcome:
        with self.start(*command, **options) as process:
            output, _ = process.communicate(timeout=120)
        return Outcome(process.returncode, output)

    def night_command(
        self, date: str = DATE, *more: str, local: bool = True, pipeline: str = "CustomerAggr"
    ) -> list[str]:
        scheduler = ["--local-scheduler"] if local else []
        return ["luigi", "--module", "pipelines", pipeline, "--date", date, *more, *scheduler]

    def night(
        self, date: str = DATE, *more: str, local: bool = True, pipeline: str = "CustomerAggr"
    ) -> Outcome:
        return self.run(*self.night_command(date, *more, local=local, pipeline=pipeline))

    # What it holds.

    def warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.root / "var/warehouse", "mnaas", TABLES)

    def store(self) -> FileStore:
        return LocalStore(self.root / "var/files")

    def rows(self, name: str, where: str = "true") -> list[tuple[Any, ...]]:
        warehouse = self.warehouse()
        sql = f"SELECT * FROM mnaas.{name} WHERE {where}"
        found = sorted(warehouse.query(Statement(name, sql, {name: None})), key=repr)
        warehouse.close()
        return found

    def final(self, where: str = "true") -> list[tuple[Any, ...]]:
        return self.rows("table_statistics_customer_aggr", where)

    def final_dates(self) -> list[str]:
        return self.partitions("table_statistics_customer_aggr")

    def partitions(self, name: str) -> list[str]:
        return self.warehouse().partitions(TABLES[name])

    def replace_source(
        self, day: str, select: str | None, name: str = "usage_trend_daily_aggr"
    ) -> None:
        """Other rows for one day of the source; None takes the partition away."""
        source: Table = TABLES[name]
        warehouse = self.warehouse()
        if select is None:
            warehouse.drop_partitions(source, [day])
        else:
            sql = f"SELECT * FROM mnaas.{source.name} WHERE {select}"
            changed = f"SELECT * REPLACE ('{day}' AS partition_date) FROM ({sql}) AS taken"
            reads = {source.name: None}
            statement = Statement("test", changed, reads)
            warehouse.overwrite(source, [day], statement, "test", lambda _written: None)
        warehouse.close()

    def markers(self) -> dict[str, dict[str, Any]]:
        folder = self.root / "var/state/markers"
        return {
            str(path.relative_to(folder)): json.loads(path.read_text())
            for path in sorted(folder.rglob("*.json"))
        }

    def rewrite(self, name: str, select: str, partition: str = "") -> None:
        """Other rows for a partition of a table, or for a table without partitions."""
        warehouse = self.warehouse()
        read = {table: None for table in TABLES if f"mnaas.{table} " in f"{select} "}
        statement = Statement("test", select, read)
        warehouse.overwrite(TABLES[name], [partition], statement, "test", lambda _written: None)
        warehouse.close()

    def state(self, pipeline: str = "CustomerAggr") -> dict[str, Any]:
        """All that a night leaves, without what differs from run to run."""
        tables, folder = LEAVES[pipeline]
        markers = self.markers()
        for marker in markers.values():
            for name in VOLATILE:
                del marker[name]
            for name in ("source_read", "compared_at", "superseded"):
                marker["evidence"]["details"].pop(name, None)
        files = self.store()
        return {
            "tables": {name: self.rows(name) for name in tables},
            "partitions": {name: self.partitions(name) for name in tables},
            "files": {info.path: files.checksum(info.path) for info in files.list(folder)},
            "markers": markers,
            "backups": self.backups(),
        }

    def backups(self) -> dict[str, str]:
        """The backup files here and on the second edge node, by their checksums."""
        store = LocalStore(self.root / "var")
        paths = [
            str(path.relative_to(store.root))
            for folder in ("files/backup", "edge-node-2", "packed")
            for path in sorted((store.root / folder).rglob("*"))
            if path.is_file()
        ]
        return {path: store.checksum(path) for path in paths}

    def mails(self) -> dict[str, email.message.EmailMessage]:
        """The mails in the folder, by the last part of their ids."""
        found = {}
        for path in sorted((self.root / "var/mail").glob("*.eml")):
            parsed = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            assert isinstance(parsed, email.message.EmailMessage)
            found[path.stem.rpartition(".")[2]] = parsed
        return found

    def log(self, pipeline: str = "CustomerAggr") -> str:
        """The newest log file of `mnaas run`."""
        files = (self.root / "var/log" / pipeline).iterdir()
        return max(files, key=lambda path: path.stat().st_mtime_ns).read_text()

    def leftovers(self) -> list[str]:
        """Temporary files and folders that only a killed run leaves."""
        return [
            str(path.relative_to(self.root))
            for path in (self.root / "var").rglob("*")
            if path.name.endswith((".part", ".versions")) or path.parent.name == ".scratch"
        ]


@dataclass(frozen=True)
class Outcome:
    code: int
    output: str

    def expect(self, code: int) -> Outcome:
        assert self.code == code, f"exit code {self.code}, not {code}:\n{self.output}"
        return self


def make_sample_site(root: Path) -> Path:
    """Configuration with short waits, and small sample data."""
    site = Site(root)
    site.config_file.parent.mkdir()
    for name in ("luigi.cfg", "customers.toml"):
        shutil.copy(REPOSITORY / "config" / name, site.config_file.with_name(name))
    site.configure("retry", first_wait_seconds=0.01, longest_wait_seconds=0.1)
    site.configure("run", reschedule_wait_seconds=0.2, scheduler="local")
    site.configure("worker", wait_interval=0.05, ping_interval=0.2)
    command = ["-m", "demo", "--data-only", "--customers", "3", "--days", "31", "--rows", "1240"]
    done = subprocess.run(
        [sys.executable, *command],
        env=site.environment(),
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return root
