"""The files of the backup pipeline, with their checksum companions, and the partition list."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from demo.data import EMPTIED_DAYS, LAST_DAY, LATE_DAYS, Size, passed_on
from targets.store.local import make_folder
from targets.warehouse.base import Statement, Warehouse


def write_list(path: Path, dates: Sequence[str]) -> None:
    make_folder(path.parent)
    path.write_text("".join(f"{day}\n" for day in dates))


def write_partition_list(path: Path) -> None:
    """The list as upstream leaves it, with its oddities."""
    dates = [*LATE_DAYS, EMPTIED_DAYS[0], "", "WARN: 2 late files"]
    lines = [*dates, LATE_DAYS[1], f"{LAST_DAY:%Y%m%d}"]
    write_list(path, lines)


def write_backup_files(warehouse: Warehouse, folder: Path, size: Size) -> int:
    """The files of the last day that were passed on, with call records of their customers."""
    calls = "traffic_details_raw_daily_with_no_dups"
    passed = f"SELECT * FROM ({passed_on(size)}) AS passed WHERE file_date = '{LAST_DAY}'"
    listed = warehouse.query(Statement("files", f"{passed} ORDER BY ALL"))
    for source, customer, name, _, process, _ in listed:
        rows = Statement(
            name,
            f"SELECT cdrid, sim, msisdn, bytes FROM mnaas.{calls} "
            f"WHERE tcl_secs_id = {100000 + int(customer[-4:])} "
            f"AND partition_date = '{LAST_DAY}' AND cdrid[-1] >= '{source[-9]}' ORDER BY cdrid",
            {calls: frozenset([str(LAST_DAY)])},
        )
        make_folder(folder / process)
        file = folder / process / name
        warehouse.export(rows, file)
        if process == "tolling":  # the one type whose files have a header
            file.write_text("cdrid;sim;msisdn;bytes\n" + file.read_text())
    for place in folder.iterdir():
        _write_companions(sorted(place.iterdir()))
    return len(listed)


def _write_companions(files: list[Path]) -> None:
    """Beside each file its .sem: what `cksum` prints of it; all of them an hour old."""
    printed = subprocess.run(
        ["cksum", *(file.name for file in files)],
        cwd=files[0].parent,
        check=True,
        capture_output=True,
        text=True,
    )
    hour_ago = time.time() - 3600
    for file, line in zip(files, printed.stdout.splitlines(), strict=True):
        companion = file.with_name(f"{file.name}.sem")
        companion.write_text(f"{line}\n")
        for each in (file, companion):
            os.utime(each, (hour_ago, hour_ago))
