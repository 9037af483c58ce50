"""`python -m benchmarks.steps DATE...`: the steps of one night in this process, their seconds."""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import date

import duckdb  # noqa: F401  what both ways import is not measured
import jinja2  # noqa: F401
import tenacity  # noqa: F401

from pipelines import CustomerAggr
from pipelines.stored import Night


def main() -> None:
    entry = CustomerAggr(date=date(2021, 4, 30))
    night = Night(tuple(sys.argv[1:]), "bench")
    seconds = {}
    for kind in entry.steps():
        started = time.perf_counter()
        entry.step(kind, night).run()
        seconds[kind.__name__] = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak": peak}))


if __name__ == "__main__":
    main()
