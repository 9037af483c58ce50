"""What an engine says of a table it has, and how that differs from what we declare."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from targets.schema import Table
from targets.warehouse.base import Row

_DELIMITER = re.compile(r"field\.delim=(.)")


@dataclass(frozen=True)
class Described:
    columns: Sequence[tuple[str, str]]
    partitioned_by: Sequence[str]
    location: str
    text: bool
    delimiter: str

    def differences(self, declared: Table, *, written: bool) -> Iterator[str]:
        """Of a table that we only read, more columns in another order are nobody's business."""
        there, ours = dict(self.columns), {c.name: c.type for c in declared.columns}
        missing = [name for name in ours if name not in there]
        if missing:
            yield f"no column {', '.join(missing)}"
        for name, kind in ours.items():
            if name in there and there[name] != _plain(kind):
                yield f"{name} is {there[name]}, not {_plain(kind)}"
        wanted = [declared.partitioned_by] if declared.partitioned_by else []
        if list(self.partitioned_by) != wanted:
            by = ", ".join(self.partitioned_by) or "nothing"
            yield f"partitioned by {by}, not by {declared.partitioned_by or 'nothing'}"
        if not written:
            return
        extra = [name for name in there if name not in ours]
        if extra:
            yield f"also has {', '.join(extra)}"
        elif not missing and list(there) != list(ours):
            yield f"columns in another order: {', '.join(there)}"
        if self.text != bool(declared.delimiter):
            yield f"kept as {'text' if self.text else 'Parquet'}"
        elif self.text and self.delimiter != declared.delimiter:
            yield f"delimiter {self.delimiter!r}, not {declared.delimiter!r}"


def read_description(rows: Sequence[Row]) -> Described:
    """DESCRIBE FORMATTED, as Hive and as Spark (which lists partition columns twice) answer it."""
    columns: list[tuple[str, str]] = []
    partitions: list[str] = []
    facts: dict[str, str] = {}
    section = "columns"
    for row in rows:
        first, second, third = (str(cell or "").strip() for cell in (*row, "", "")[:3])
        if first.startswith("#"):
            starts = {"# Partition Information": "partitions", "# Detailed": "facts"}
            section = next((to for words, to in starts.items() if first.startswith(words)), section)
        elif section == "facts":
            key, value = (first.rstrip(":"), second) if first else (second, third)
            facts.setdefault(key, value)
        elif first and section == "partitions":
            partitions.append(first)
        elif first:
            columns.append((first, _plain(second)))
    found = _DELIMITER.search(facts.get("Storage Properties", ""))
    return Described(
        columns=[column for column in columns if column[0] not in partitions],
        partitioned_by=partitions,
        location=facts.get("Location", ""),
        text="TextInputFormat" in facts.get("InputFormat", ""),
        delimiter=found[1] if found else facts.get("field.delim", ""),
    )


def planned_locations(column: str, lines: Iterable[str]) -> dict[str, str]:
    """Where the partitions are that a plan reads (EXPLAIN EXTENDED), by their values.

    Each is described by its value, then by its properties; those of the table follow.
    """
    found = {}
    value = None
    for before, line in itertools.pairwise(line.strip() for line in lines):
        word, _, rest = line.partition(" ")
        if before == "partition values:":
            value = rest if word == column else None
        elif word == "location" and value is not None:
            found[value] = rest
            value = None
    return found


def _plain(kind: str) -> str:
    return kind.lower().replace(" ", "")
