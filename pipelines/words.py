"""Sizes and long lists of names, for people."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED = 20  # names beyond these are counted, not listed


def size_in_words(size: int) -> str:
    amount = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def named(names: Sequence[str]) -> str:
    shown = sorted(names)[:_NAMED]
    return ", ".join([*shown, "..."] if len(names) > _NAMED else shown)
