"""`make bench`: one line a figure, and the same in var/bench.json."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import click

from benchmarks.backups import measure_backups
from benchmarks.figures import Figure, paired, timed
from benchmarks.missing import measure_missing
from benchmarks.site import REPOSITORY, SOURCE, BenchSite
from pipelines import CustomerAggr
from pipelines.ledger import Ledger
from pipelines.tables import TABLES
from targets.store.local import LocalStore
from targets.warehouse.base import Statement
from targets.warehouse.duckdb import DuckDBWarehouse


def seconds(site: BenchSite, *command: str) -> float:
    """What a module of ours says that its own work took."""
    printed = json.loads(site.run("python", "-m", *command))
    return float(sum(printed["seconds"].values()))


def steps(site: BenchSite, days: list[str]) -> float:
    site.forget()
    return seconds(site, "benchmarks.steps", *days)


def overwrite(site: BenchSite, days: list[str]) -> float:
    return seconds(site, "benchmarks.overwrite", *days)


def bare(site: BenchSite, days: list[str], way: str) -> float:
    return seconds(site, "benchmarks.bare", str(site.root), way, *days)


def night(site: BenchSite) -> str:
    command = ["--module", "pipelines", "CustomerAggr", "--date", "2021-04-30"]
    return site.run("luigi", *command, "--local-scheduler")


def measure(folder: Path, groups: Sequence[str]) -> Iterator[Figure]:
    if not groups or "night" in groups:
        site = BenchSite(folder / "site")
        site.make()
        yield from _against_bare_duckdb(site, folder)
        yield from _against_the_shell(site)
        yield from _whole_commands(site)
        yield from _ledger(site, folder)
        yield from _marker_listing(folder)
        yield from _recorded(site, folder)
    if not groups or "missing" in groups:
        yield from measure_missing(folder / "missing")
    if not groups or "backups" in groups:
        yield from measure_backups(folder)


def _against_bare_duckdb(site: BenchSite, folder: Path) -> list[Figure]:
    days, one = site.days(), site.days()[-1:]
    stored = site.with_stored_days(300, folder / "stored")
    return [
        paired(
            "10 million rows aggregated, 30 published",
            lambda: overwrite(site, days),
            lambda: bare(site, days, "table"),
            1.5,
            "bare DuckDB",
        ),
        paired(
            "  the same by the four steps of the night",
            lambda: steps(site, days),
            lambda: bare(site, days, "night"),
            1.5,
            "bare DuckDB by the same files",
        ),
        paired(
            "1 of 30 partitions refreshed",
            lambda: overwrite(site, one),
            lambda: bare(site, one, "table"),
            1.5,
            "bare DuckDB",
        ),
        paired(
            "  the same by the four steps of the night",
            lambda: steps(site, one),
            lambda: bare(site, one, "night"),
            None,
            "bare DuckDB by the same files",
        ),
        paired(
            "  the same with 330 partitions stored",
            lambda: steps(stored, one),
            lambda: steps(site, one),
            1.2,
            "ours with 30 stored",
        ),
    ]


AWK = r"""
{ key = $1 ";" $2 ";" $12; for (i = 4; i <= 11; i++) sum[key, i] += $i; seen[key] }
END { for (key in seen) { line = key
      for (i = 4; i <= 11; i++) line = line ";" sum[key, i]; print line } }"""


def _against_the_shell(site: BenchSite) -> list[Figure]:
    """One day's rows as text, summed by awk: what a Bash job would do without a warehouse."""
    [day] = site.days()[-1:]
    text = site.root / "rows.txt"
    warehouse = DuckDBWarehouse(site.root / "var/warehouse", "mnaas", TABLES)
    rows = f"SELECT * FROM mnaas.{SOURCE} WHERE partition_date = '{day}'"
    warehouse.export(Statement("rows", rows, {SOURCE: frozenset([day])}), text)
    warehouse.close()

    def by_awk() -> None:
        with (site.root / "summed.txt").open("w") as out:
            subprocess.run(["awk", "-F;", AWK, text], stdout=out, check=True)

    return [
        paired(
            "1 partition of 333,333 rows, four steps",
            lambda: steps(site, [day]),
            lambda: timed(by_awk),
            None,
            "awk over the same rows as text, nothing loaded or published",
        )
    ]


def _whole_commands(site: BenchSite) -> list[Figure]:
    (site.root / "trivial.py").write_text(
        "import luigi\nclass Trivial(luigi.Task):\n    def complete(self): return True\n"
    )
    trivial = ["--module", "trivial", "Trivial", "--local-scheduler"]
    environment = site.environment()

    def run_trivial() -> None:
        site.run("luigi", *trivial)

    def run_again() -> str:
        site.forget()
        return night(site)

    whole = paired(
        "the whole night as a command, 30 partitions",
        lambda: timed(run_again),
        lambda: timed(lambda: bare(site, site.days(), "night")),
        None,
        "a Python script with DuckDB alone",
    )
    site.environment = lambda: {  # type: ignore[method-assign]
        **environment,
        "PYTHONPATH": f"{site.root}:{REPOSITORY}",
    }
    night_named = ["CustomerAggr", "--date", "2021-04-30"]
    against = "luigi running one trivial task"

    def compared(name: str, ours: Callable[[], object], goal: float) -> Figure:
        return paired(name, lambda: timed(ours), lambda: timed(run_trivial), goal, against)

    return [
        whole,
        compared("a night already done, luigi", lambda: night(site), 1.5),
        compared(
            "a night already done, mnaas run", lambda: site.run("mnaas", "run", *night_named), 2
        ),
        compared("mnaas plan of one night", lambda: site.run("mnaas", "plan", *night_named), 2),
    ]


def _ledger(site: BenchSite, folder: Path) -> list[Figure]:
    """What a step's history costs, and how long a year of it takes to show."""
    ledger = Ledger(folder / "ledger.sqlite")

    def step_told() -> None:
        ledger.step_began("run", "01-Step", "2021-05-01 02:10:00+00:00")
        now = "2021-05-01 02:10:01+00:00"
        ledger.step_ended("run", "01-Step", "done", now, attempts=1, rows=1, error="")

    step_told()
    cost = statistics.median(timed(step_told) for _ in range(50))
    year = Ledger(site.root / "var/state/ledger.sqlite")
    for number in range(365 * 5):
        day = date(2020, 1, 1) + timedelta(days=number // 5)
        year.run_began(
            f"r{number}", f"Pipeline{number % 5}", str(day), "host", f"{day} 02:10:00+00:00"
        )
        year.run_ended(f"r{number}", "done", f"{day} 02:11:00+00:00")
    everything = ["history", "--last", "100000"]
    shown = paired(
        "mnaas history of 365 nights x 5 pipelines",
        lambda: timed(lambda: site.run("mnaas", *everything)),
        lambda: timed(lambda: site.run("mnaas", "--help")),
        None,
        "mnaas --help",
    )
    assert shown.other
    return [
        Figure("the ledger's cost of a step", cost, 0.005, 1, against="5 ms"),
        shown,
        Figure("  more than mnaas --help", shown.ours - shown.other, 0.3, 1, against="0.3 s"),
    ]


def _marker_listing(folder: Path) -> list[Figure]:
    days = [date(2021, 1, 1) + timedelta(days=number) for number in range(365)]
    store = LocalStore(folder / "markers")
    step = f"CustomerAggr/{CustomerAggr.last_step.folder()}"
    for day in days:
        store.write(f"{step}/{day}.0123456789ab.json", b"{}")

    def one_listing() -> None:
        done = {info.path.rpartition("/")[2][:10] for info in store.list(step)}
        assert all(str(day) in done for day in days)

    def many_stats() -> None:
        assert all(store.exists(f"{step}/{day}.0123456789ab.json") for day in days)

    return [
        paired(
            "365 dates checked",
            lambda: timed(one_listing),
            lambda: timed(many_stats),
            1.0,
            "365 stats",
        )
    ]


def _recorded(site: BenchSite, folder: Path) -> list[Figure]:
    large = site.multiplied(5, folder / "large")
    printed = json.loads(large.run("python", "-m", "benchmarks.steps", *large.days()))
    seconds = printed["seconds"]
    return [
        Figure("50 million rows, 30 partitions", sum(seconds.values())),
        *(Figure(f"  {step}", cost) for step, cost in seconds.items()),
        Figure("  peak memory", printed["peak"] / 1e9, unit="GB"),
    ]


@click.command()
@click.argument("groups", nargs=-1, type=click.Choice(["night", "missing", "backups"]))
def main(groups: Sequence[str]) -> None:
    """Measure all groups of figures, or some."""
    click.echo(f"{'figure':<48}{'ours':>11}{'other':>11}{'ratio':>7}{'goal':>6}")
    figures = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for figure in measure(Path(folder), groups):
            click.echo(figure.line())
            figures.append(figure)
    result = REPOSITORY / "var" / "bench.json"
    result.parent.mkdir(exist_ok=True)
    content = [
        {**asdict(figure), "ratio": figure.ratio, "verdict": figure.verdict} for figure in figures
    ]
    result.write_text(json.dumps(content, indent=1))
    click.echo(f"written to {result}")


if __name__ == "__main__":
    main()
