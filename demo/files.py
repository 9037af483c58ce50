"""The files of the backup pipeline, with their checksum companions, and the partition list."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from demo.data import EMPTIED_DAYS, LAST_DAY, LATE_DAYS, Size
from targets.store.local import make_folder
from targets.warehouse.base import Statement, Warehouse

TYPES = ("traffic", "tolling", "actives", "activations")
CUSTOMERS_WITH_FILES = 5


def write_list(path: Path, dates: Sequence[str]) -> None:
    make_folder(path.parent)
    path.write_text("".join(f"{day}\n" for day in dates))


def write_partition_list(path: Path) -> None:
    """The list as upstream leaves it, with its oddities."""
    dates = [*LATE_DAYS, EMPTIED_DAYS[0], "", "WARN: 2 late files"]
    lines = [*dates, LATE_DAYS[1], f"{LAST_DAY:%Y%m%d}"]
    write_list(path, lines)


def write_backup_files(warehouse: Warehouse, folder: Path, size: Size) -> int:
    """Call records of the last day as files of a few customers, one COPY a file."""
    written = []
    for kind in TYPES:
        make_folder(folder / kind)
        for number in range(min(CUSTOMERS_WITH_FILES, size.customers)):
            name = f"customer_{number + 1:04d}_HOL_01_{LAST_DAY:%Y%m%d}0200.csv"
            rows = Statement(
                name,
                "SELECT cdrid, sim, msisdn, bytes FROM "
                f"mnaas.traffic_details_raw_daily_with_no_dups "
                f"WHERE tcl_secs_id = {100001 + number} ORDER BY cdrid",
                {"traffic_details_raw_daily_with_no_dups": frozenset([str(LAST_DAY)])},
            )
            warehouse.export(rows, folder / kind / name)
            written.append(folder / kind / name)
    _write_companions(written)
    return len(written)


def _write_companions(files: list[Path]) -> None:
    """Beside each file its .sem: what `cksum` prints of it."""
    for file in files:
        printed = subprocess.run(
            ["cksum", file.name], cwd=file.parent, check=True, capture_output=True, text=True
        )
        file.with_name(f"{file.name}.sem").write_text(printed.stdout)
