"""Tables: in colours on a terminal, plain and aligned in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if sys.stdout.isatty():
        import rich.console
        import rich.table
        import rich.text

        table = rich.table.Table(*heads, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            table.add_row(*(rich.text.Text(cell, _COLOURS.get(cell, "")) for cell in row))
        rich.console.Console().print(table)
        return
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    for row in [heads, *rows]:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


_COLOURS = {
    "DONE": "green",
    "done": "green",
    "ok": "green",
    "RUN": "yellow",
    "running": "yellow",
    "BLOCKED": "red",
    "failed": "red",
    "died": "red",
    "PROBLEM": "bold red",
    "LEFT OUT": "dim",
}


def coloured(cells: str) -> str:
    """The letters of a calendar, in colours on a terminal."""
    if not sys.stdout.isatty():
        return cells
    colours = {"D": "green", "F": "red", "R": "yellow"}
    return "".join(click.style(cell, fg=colours.get(cell)) for cell in cells)
