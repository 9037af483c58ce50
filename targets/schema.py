"""Table, Partition, Column: frozen values that spell themselves in SQL and in paths."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

from targets.errors import SchemaError

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*\Z")
_TYPE = re.compile(r"STRING\Z|BIGINT\Z|DECIMAL\(\d{1,2},\d{1,2}\)\Z")
# Hive percent-encodes these in the names of partition directories (FileUtils.charToEscape).
_HIVE_ESCAPES = re.compile(r"""["#%'*/:=?\\{\[\]^]""")


def identifier(name: str) -> str:
    """The name itself, when it can stand in SQL unquoted; an error when not."""
    if not _IDENTIFIER.match(name):
        raise SchemaError(
            f"{name!r} cannot be a name in SQL.", "Names are lower-case letters, digits and _."
        )
    return name


@dataclass(frozen=True)
class Column:
    name: str
    type: str

    def __post_init__(self) -> None:
        identifier(self.name)
        if not _TYPE.match(self.type):
            raise SchemaError(
                f"column {self.name}: {self.type!r} is not a type that we use.",
                "Types are STRING, BIGINT and DECIMAL(p,s); a DOUBLE would round differently "
                "on each engine.",
            )

    @property
    def is_number(self) -> bool:
        return self.type != "STRING"


@dataclass(frozen=True)
class Partition:
    """One partition of a table: `partition_date = '2021-04-30'`."""

    column: str
    value: str

    def __post_init__(self) -> None:
        if not self.value or any(ord(letter) < 32 or ord(letter) == 127 for letter in self.value):
            raise SchemaError(
                f"{self.value!r} cannot be a value of the partition {self.column}.",
                "It must be text without control characters, and not empty.",
            )

    @property
    def folder(self) -> str:
        """The directory's name, spelled as Hive spells it."""
        value = _HIVE_ESCAPES.sub(lambda letter: f"%{ord(letter[0]):02X}", self.value)
        return f"{self.column}={value}"

    @classmethod
    def from_folder(cls, folder: str) -> Partition:
        column, _, value = folder.partition("=")
        return cls(column, unquote(value))


@dataclass(frozen=True)
class Table:
    """A declared table; its database is the warehouse's.

    On a cluster it is kept as Parquet, or with a delimiter as text; the embedded engine knows only
    Parquet.
    """

    name: str
    columns: tuple[Column, ...]
    partitioned_by: str = ""
    delimiter: str = ""

    def __post_init__(self) -> None:
        identifier(self.name)
        if self.partitioned_by:
            identifier(self.partitioned_by)

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The columns as SELECT * shows them: the partition column last."""
        if not self.partitioned_by:
            return self.columns
        return (*self.columns, Column(self.partitioned_by, "STRING"))

    def partition(self, value: str) -> Partition:
        return Partition(self.partitioned_by, value)

    def staging(self) -> Table:
        """Our own table to stage this one in: the same columns, partitioned by run key."""
        return replace(
            self,
            name=f"{self.name}_staging",
            columns=self.all_columns,
            partitioned_by="run_key",
            delimiter="",
        )


def table(name: str, columns: str, partitioned_by: str = "", delimiter: str = "") -> Table:
    """Declare a table: `table("t", "id BIGINT, name STRING", "partition_date")`."""
    pairs = (pair.split() for pair in re.split(r",(?![^(]*\))", columns))
    typed = tuple(Column(column, kind) for column, kind in pairs)
    return Table(name, typed, partitioned_by, delimiter)
