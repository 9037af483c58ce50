"""A site to measure on: the source of CustomerAggr at a size, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from demo.data import Size, write_usage
from pipelines.tables import TABLES
from targets.store.local import LocalStore
from targets.warehouse.duckdb import DuckDBWarehouse
from tests.site import configure

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = "usage_trend_daily_aggr"
SIZE = Size(customers=500, days=32, rows=10_666_666)  # 30 filled days, ten million rows


class BenchSite:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.lists = root / "var/files/lists/traffic_partitions_daily_uniq.txt"

    def make(self) -> None:
        (self.root / "config").mkdir(parents=True)
        shutil.copy(REPOSITORY / "config/luigi.cfg", self.root / "config/luigi.cfg")
        warehouse = DuckDBWarehouse(
            self.root / "var/warehouse", "mnaas", TABLES, memory_limit="4GB"
        )
        write_usage(warehouse, SIZE)
        warehouse.close()
        self.list(self.days())

    def configure(self, section: str, **values: object) -> None:
        configure(self.root / "config/luigi.cfg", section, **values)

    def days(self) -> list[str]:
        return sorted(
            name.partition("=")[2]
            for name in LocalStore(self.root / "var/warehouse").folders(f"mnaas/{SOURCE}")
        )

    def list(self, days: list[str]) -> None:
        self.lists.parent.mkdir(parents=True, exist_ok=True)
        self.lists.write_text("".join(f"{day}\n" for day in days))

    def forget(self) -> None:
        shutil.rmtree(self.root / "var/state", ignore_errors=True)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LUIGI_CONFIG_PATH": str(self.root / "config/luigi.cfg"),
            "PYTHONPATH": str(REPOSITORY),
        }

    def run(self, *command: str) -> str:
        """Run a command of our environment there; what it printed."""
        program = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
        done = subprocess.run(
            program,
            env=self.environment(),
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def multiplied(self, copies: int, root: Path) -> BenchSite:
        """The same days with so many times the rows, by links to the same files."""
        site = BenchSite(root)
        (root / "config").mkdir(parents=True)
        shutil.copy(self.root / "config/luigi.cfg", root / "config/luigi.cfg")
        for file in (self.root / f"var/warehouse/mnaas/{SOURCE}").rglob("*.parquet"):
            for number in range(copies):
                link = root / file.relative_to(self.root).with_name(f"part-{number}.parquet")
                link.parent.mkdir(parents=True, exist_ok=True)
                os.link(file, link)
        site.list(self.days())
        return site

    def with_stored_days(self, count: int, root: Path) -> BenchSite:
        """The same days, and so many older ones beside them."""
        site = self.multiplied(1, root)
        folder = root / f"var/warehouse/mnaas/{SOURCE}"
        [file, *_] = folder.rglob("*.parquet")
        for number in range(count):
            day = folder / f"partition_date=2020-{number // 28 + 1:02d}-{number % 28 + 1:02d}"
            day.mkdir()
            os.link(file, day / "data.parquet")
        return site
