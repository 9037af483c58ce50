"""The text in which rows go from step to step: `;` between values, `\\N` for null, `"` around what
needs it. As DuckDB writes it, so that equal rows are equal files on every engine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from targets.warehouse.base import Row

NULL = "\\N"
_NEEDS_QUOTES = re.compile(r'[;"\r\n]|\A\\N\Z')


def lines(rows: Iterable[Row]) -> str:
    return "".join(f"{';'.join(_cell(value) for value in row)}\n" for row in rows)


def _cell(value: Any) -> str:
    if value is None:
        return NULL
    if isinstance(value, Decimal):
        return f"{value:f}"
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text
