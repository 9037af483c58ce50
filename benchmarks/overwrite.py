"""`python -m benchmarks.overwrite DATE...`: aggregate the source right into the final table.

One `overwrite` of the embedded engine: written aside, audited, fsynced, switched. Its seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping

import duckdb  # noqa: F401  what both ways import is not measured
import jinja2  # noqa: F401

from pipelines import settings, wiring
from pipelines.statements import render
from pipelines.tables import table_statistics_customer_aggr as FINAL
from targets.warehouse.base import Totals


def main() -> None:
    days = sys.argv[1:]

    def audit(written: Mapping[str, Totals]) -> None:
        assert sorted(written) == sorted(days)

    settings.check()  # once a process, whatever it does then
    started = time.perf_counter()
    warehouse = wiring.warehouse()
    select = render("customer_aggr/create_file", warehouse, dates=days)
    warehouse.overwrite(FINAL, days, select, "bench", audit)
    warehouse.close()
    print(json.dumps({"seconds": {"all": time.perf_counter() - started}}))


if __name__ == "__main__":
    main()
