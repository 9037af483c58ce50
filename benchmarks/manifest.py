"""`python -m benchmarks.manifest read|pack`: the manifest of the site's files, its seconds."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import isal.isal_zlib  # noqa: F401  a night's process starts once, whatever the number of files
import numpy  # noqa: F401

from pipelines import clock, settings
from pipelines.customer_backup_files.finding import find
from pipelines.customer_backup_files.manifest import make_manifest, write_rows
from pipelines.customer_backup_files.settings import customer_backup_files
from pipelines.customers import all_customers


def main() -> None:
    started = time.perf_counter()
    asked = settings.section(customer_backup_files)
    taken = find(all_customers().file_sets, asked, clock.zone()).taken
    packed = Path(asked.packed_folder) / "bench" if sys.argv[1] == "pack" else None
    manifest = make_manifest(taken, asked, packed, lambda _fraction, _message: None)
    with Path("manifest.csv").open("w") as out:
        write_rows(out, manifest.listed, asked.delimiter)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
