"""What is missing on a date, as values, as CSV, as a list of names, and as a grid."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

GROUPS = {
    "regular": "Regular customers",
    "infonova": "Infonova customers",
    "unknown": "Customers that the configuration does not know",
}


@dataclass(frozen=True)
class Cell:
    """One customer's files of one process."""

    process: str
    customer: str
    group: str
    received: int | None
    generated: int | None
    missing: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        return self.received != self.generated or self.invalid

    @property
    def invalid(self) -> bool:
        return min(self.received or 0, self.generated or 0) < 0

    @property
    def state(self) -> str:
        if self.invalid:
            return "invalid"
        if self.missing:
            return "missing"
        return "differs" if self.differs else "complete"

    @property
    def words(self) -> str:
        if self.invalid:
            return f"invalid KPI: {_count(self.generated)} of {_count(self.received)}"
        if self.missing:
            return f"{len(self.missing)} missing"
        if self.differs:
            return f"{_count(self.generated)} of {_count(self.received)}"
        return "ok"


@dataclass(frozen=True)
class Report:
    date: str
    processes: Sequence[str]
    cells: Sequence[Cell]

    @property
    def customers(self) -> int:
        return len({cell.customer for cell in self.cells})

    @property
    def troubled(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.state != "complete"]

    @property
    def missing(self) -> int:
        return sum(len(cell.missing) for cell in self.cells)

    @property
    def summary(self) -> str:
        incomplete = len({cell.customer for cell in self.troubled})
        if not incomplete:
            return f"nothing missing, {self.customers} customers complete"
        files = f"{self.missing} file{'s' * (self.missing != 1)}"
        return f"{files} missing, {incomplete} of {self.customers} customers incomplete"

    def grid(self) -> dict[str, dict[str, list[Cell | None]]]:
        """By group, by customer that is not complete: a cell for each process."""
        grid: dict[str, dict[str, list[Cell | None]]] = {}
        known = {(cell.customer, cell.process): cell for cell in self.cells}
        for group, title in GROUPS.items():
            names = sorted({cell.customer for cell in self.troubled if cell.group == group})
            if names:
                grid[title] = {
                    name: [known.get((name, process)) for process in self.processes]
                    for name in names
                }
        return grid

    def as_csv(self) -> str:
        """The KPIs that differ."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(
            ["process_name", "customer", "group", "received", "generated", "difference"]
        )
        for cell in self.cells:
            if cell.differs:
                difference = (cell.received or 0) - (cell.generated or 0)
                names = (cell.process, _line(cell.customer), cell.group)
                writer.writerow([*names, cell.received, cell.generated, difference])
        return text.getvalue()

    def as_list(self) -> str:
        """The names that are missing, each on a line: process, customer, name."""
        return "".join(
            f"{_line(cell.process)}\t{_line(cell.customer)}\t{_line(name)}\n"
            for cell in self.cells
            for name in cell.missing
        )

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


def read_report(text: bytes) -> Report:
    content = json.loads(text)
    cells = [Cell(**{**cell, "missing": tuple(cell["missing"])}) for cell in content["cells"]]
    return Report(content["date"], content["processes"], cells)


def compared(
    date: str,
    processes: Sequence[str],
    kpis: Mapping[tuple[str, str], tuple[int | None, int | None]],
    missing: Mapping[tuple[str, str], Sequence[str]],
    groups: Mapping[str, str],
) -> Report:
    """The cells of everything that a KPI or a missing file is known of, in order."""
    cells = [
        Cell(
            process,
            customer,
            groups[customer],
            *kpis.get((process, customer), (None, None)),
            missing=tuple(sorted(missing.get((process, customer), ()))),
        )
        for process, customer in sorted({*kpis, *missing})
    ]
    return Report(date, list(processes), cells)


def sample_report() -> Report:
    """A report to look at."""
    kpis: dict[tuple[str, str], tuple[int | None, int | None]] = {
        (process, f"customer_{number:04d}"): (4, 4)
        for process in ("traffic", "actives", "activations", "tolling")
        for number in range(1, 41)
    }
    kpis["traffic", "customer_0003"] = (4, 3)
    kpis["tolling", "customer_0004"] = (4, 3)
    missing = {("traffic", "customer_0003"): ["customer_0003_HOL_01_20210430060000.csv"]}
    groups = {customer: "infonova" if customer.endswith("4") else "regular" for _, customer in kpis}
    return compared(
        "2021-04-30", ["traffic", "actives", "activations", "tolling"], kpis, missing, groups
    )


def _count(value: int | None) -> str:
    return "none" if value is None else str(value)


def _line(text: str) -> str:
    """Text on one line, whatever it holds."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()
