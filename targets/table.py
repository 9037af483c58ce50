"""Partitions of a table as a Luigi target."""

from __future__ import annotations

from collections.abc import Sequence

import luigi

from targets.schema import Table
from targets.warehouse.base import Warehouse


class TablePartitions(luigi.Target):
    """Are these partitions there? (There is not done: only a marker says that a step is done.)"""

    def __init__(self, warehouse: Warehouse, table: Table, values: Sequence[str]) -> None:
        self.warehouse = warehouse
        self.table = table
        self.values = values

    def __str__(self) -> str:
        return f"{self.table.name}: {', '.join(self.values)}"

    def exists(self) -> bool:
        return not self.missing()

    def missing(self) -> list[str]:
        there = set(self.warehouse.partitions(self.table))
        return [value for value in self.values if value not in there]

    def present(self) -> list[str]:
        missing = set(self.missing())
        return [value for value in self.values if value not in missing]

    def without_rows(self) -> list[str]:
        """The partitions that are there and empty."""
        present = self.present()
        filled = self.warehouse.row_counts(self.table, present)
        return [value for value in present if not filled.get(value)]
