"""Renders .sql files: one SELECT each, in the dialect that all engines share.

In a file, `{{ value }}` becomes a quoted literal, a list becomes literals with commas between, and
`{{ table("name") }}` the full name of a declared table; there is no way to paste raw text.
`{{ table("name", dates) }}` says that only those partitions are read, as the WHERE must say too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipelines import configuration, settings
from targets.errors import MissingInputError, StatementError
from targets.warehouse.base import Statement, Value, Warehouse

if TYPE_CHECKING:
    import jinja2


class _Name(str):
    """A checked name, the only text that goes into SQL unquoted."""


def render(name: str, warehouse: Warehouse, **values: Value | Iterable[Value]) -> Statement:
    """The statement of `<pipeline>/<step>`, ours or the site's own."""
    import jinja2

    reads: dict[str, frozenset[str] | None] = {}

    def table(table_name: str, partitions: Iterable[str] | None = None) -> _Name:
        declared = warehouse.table(table_name)
        reads[table_name] = None if partitions is None else frozenset(partitions)
        return _Name(warehouse.spell(declared))

    def literal(value: Any) -> str:
        if isinstance(value, _Name):
            return value
        if isinstance(value, jinja2.Undefined):
            return str(value)  # raises: undefined is strict
        if isinstance(value, (list, tuple, set, frozenset)):
            return ", ".join(warehouse.literal(item) for item in value) or "NULL"
        return warehouse.literal(value)

    try:
        sql = _template(source(name), literal).render({**values, "table": table})
    except jinja2.TemplateError as error:
        raise StatementError(
            f"{name}.sql cannot be rendered: {error}.",
            "Mend the file that [statements] replace names, or remove it from there.",
        ) from error
    return Statement(name, sql.strip().rstrip(";"), reads)


def union(name: str, *statements: Statement) -> Statement:
    """The rows of all of them."""
    reads: dict[str, frozenset[str] | None] = {}
    for statement in statements:
        reads.update(statement.reads)
    return Statement(name, "\nUNION ALL\n".join(each.sql for each in statements), reads)


def source(name: str) -> str:
    """The text of a statement's file."""
    replaced: Mapping[str, str] = settings.section(settings.statements).replace
    if name in replaced:
        return (configuration.origin.base / replaced[name]).read_text()
    pipeline, _, step = name.partition("/")
    ours = files(f"pipelines.{pipeline}") / "sql" / f"{step}.sql"
    if not ours.is_file():
        raise MissingInputError(f"there is no statement {name}.", "Statements are in */sql/*.sql.")
    return ours.read_text()


def _template(text: str, literal: Callable[[Any], str]) -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, finalize=literal)
    return environment.from_string(text)
