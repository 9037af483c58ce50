"""What every engine can read, what a warehouse can write: write, audit, switch."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from targets.errors import SchemaError, UnknownTableError
from targets.schema import Column, Table

Value = str | int | Decimal | date | None
Row = tuple[Any, ...]
Progress = Callable[[float, str], None]
Switched = Callable[[str], None]


@dataclass(frozen=True)
class Statement:
    """One SELECT, the tables that it reads, and of which of them only some partitions."""

    name: str
    sql: str
    reads: Mapping[str, frozenset[str] | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Totals:
    """What an audit compares: the rows, the sum of each number, how often each text is set."""

    rows: int
    sums: Mapping[str, str]


Audit = Callable[[Mapping[str, Totals]], None]


def no_progress(_fraction: float, _message: str) -> None:
    pass


def no_audit(_written: Mapping[str, Totals]) -> None:
    """For rows that nothing vouches for: sample data, a rehearsal."""


def nobody_hears(_partition: str) -> None:
    pass


@dataclass
class Remarks:
    """What a step should say of its warehouse: what is odd, and what the switch left behind."""

    warnings: list[str] = field(default_factory=list)
    superseded: dict[str, str] = field(default_factory=dict)


class Reader(ABC):
    """Partitions are named by their values: `["2021-04-29", "2021-04-30"]`."""

    name: str
    most_values = 100_000

    def __init__(self, database: str, tables: Mapping[str, Table]) -> None:
        self.database = database
        self.tables = tables
        self.remarks = Remarks()

    @abstractmethod
    def ping(self) -> None:
        """An error when the warehouse does not answer."""

    @abstractmethod
    def query(self, select: Statement) -> list[Row]: ...

    @abstractmethod
    def export(self, select: Statement, path: Path, progress: Progress = no_progress) -> int:
        """Write the rows to a local file, `;` between values and `\\N` for null; how many rows."""

    @abstractmethod
    def partitions(self, table: Table) -> list[str]: ...

    def close(self) -> None:  # noqa: B027
        """Give back what the warehouse holds open."""

    def table(self, name: str) -> Table:
        """The declared table of that name."""
        if name in self.tables:
            return self.tables[name]
        near = difflib.get_close_matches(name, self.tables, n=1)
        hint = f"Did you mean {near[0]}?" if near else "Declare it in pipelines/tables.py."
        raise UnknownTableError(f"table {name} is not declared.", hint)

    def spell(self, table: Table) -> str:
        """The table's full name in SQL."""
        return f"{self.database}.{table.name}"

    def literal(self, value: Value) -> str:
        """A value spelled as SQL; nothing in it can end the literal."""
        if value is None:
            return "NULL"
        if isinstance(value, bool) or not isinstance(value, (str, int, Decimal, date)):
            raise SchemaError(
                f"{value!r} cannot be a literal in SQL.", "Pass text, numbers, dates."
            )
        if isinstance(value, (int, Decimal)):
            return str(value)
        return self.quoted(str(value))

    def quoted(self, text: str) -> str:
        if "\0" in text:
            raise SchemaError(f"{text!r} holds a NUL character.", "SQL has no spelling for it.")
        return "'" + text.replace("'", "''") + "'"

    def where_partition(self, table: Table, partitions: Iterable[str]) -> str:
        values = ", ".join(self.literal(value) for value in partitions)
        return f"{table.partitioned_by} IN ({values})"

    def totals(self, table: Table, partitions: Sequence[str], by: str = "") -> Mapping[str, Totals]:
        """Totals of these partitions, one for each value of the column `by` that has rows."""
        found: dict[str, Totals] = {}
        for some in [partitions] if by and partitions else self.portions(partitions):
            where = f"{self.spell(table)} WHERE {self.where_partition(table, some)}"
            sql = totals_sql(table, where, by or table.partitioned_by)
            select = Statement(f"totals of {table.name}", sql, {table.name: frozenset(some)})
            found.update(read_totals(table, by, self.query(select)))
        return found

    def totals_of(self, select: Statement, table: Table) -> Mapping[str, Totals]:
        """Totals of what a SELECT would put into a table, by partition."""
        by = table.partitioned_by
        sql = totals_sql(table, f"({select.sql}\n) rows_of_it", by)
        rows = self.query(Statement(f"totals of {select.name}", sql, select.reads))
        return read_totals(table, by, rows)

    def row_counts(self, table: Table, partitions: Sequence[str]) -> Mapping[str, int]:
        """The number of rows of each of these partitions that has any."""
        found: dict[str, int] = {}
        for some in self.portions(partitions):
            sql = (
                f"SELECT {table.partitioned_by}, COUNT(*) FROM {self.spell(table)} "
                f"WHERE {self.where_partition(table, some)} GROUP BY {table.partitioned_by}"
            )
            reads = {table.name: frozenset(some)}
            found.update(self.query(Statement(f"rows of {table.name}", sql, reads)))
        return found

    def portions(self, values: Sequence[str]) -> Iterator[Sequence[str]]:
        """So many of them as one statement may name."""
        for start in range(0, len(values), self.most_values):
            yield values[start : start + self.most_values]


class Warehouse(Reader):
    @abstractmethod
    def load_file(
        self, table: Table, partition: str, path: Path, version: str, audit: Audit
    ) -> Mapping[str, Totals]:
        """Replace one partition by the rows of a file that `export` wrote."""

    @abstractmethod
    def overwrite(
        self,
        table: Table,
        partitions: Sequence[str],
        select: Statement,
        version: str,
        audit: Audit,
        progress: Progress = no_progress,
        switched: Switched = nobody_hears,
        *,
        in_place: bool = False,
    ) -> Mapping[str, Totals]:
        """Replace exactly these partitions by the rows of a SELECT.

        The rows are written aside under `version`; `audit` gets their totals by partition and
        raises AuditError to stop; only then is each partition switched, one atomic step each, of
        which `switched` hears. `in_place`: the files must be where they always are.
        """

    @abstractmethod
    def drop_partitions(self, table: Table, partitions: Sequence[str]) -> None:
        """Drop them with their data; of one that is not there, no rows may come back either."""

    @abstractmethod
    def sweep(self, table: Table) -> None:
        """Remove what killed runs left beside the table; the caller holds the table's lock."""

    def sweep_scratch(self) -> None:
        """Remove what killed processes of this machine left, whatever they worked on."""

    def refresh(self, table: Table, partitions: Sequence[str]) -> None:
        """Make switched partitions visible to engines that cache; most have nothing to do."""


def totals_sql(table: Table, source: str, by: str) -> str:
    measured = "".join(
        f", SUM(CAST({column.name} AS DECIMAL(38,4)))"
        if column.is_number
        else f", COUNT({column.name})"
        for column in measured_columns(table, by)
    )
    return f"SELECT {by}, COUNT(*){measured} FROM {source} GROUP BY {by}"


def measured_columns(table: Table, by: str) -> list[Column]:
    return [column for column in table.columns if column.name != by]


def read_totals(table: Table, by: str, rows: Iterable[Row]) -> Mapping[str, Totals]:
    names = [column.name for column in measured_columns(table, by)]
    return {
        str(group): Totals(
            count, {name: spelled(value) for name, value in zip(names, sums, strict=True)}
        )
        for group, count, *sums in rows
    }


def spelled(value: Any) -> str:
    """A sum without the zeros behind its point: the same on every engine."""
    text = str(value or 0)
    return text.rstrip("0").rstrip(".") if "." in text else text
