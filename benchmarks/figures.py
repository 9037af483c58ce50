"""A figure: our cost, the other way's, and how they are measured in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

PAIRS = 5


@dataclass(frozen=True)
class Figure:
    name: str
    ours: float
    other: float | None = None
    goal: float | None = None
    unit: str = "s"
    against: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.other if self.other else None

    @property
    def verdict(self) -> str:
        if self.goal is None or self.ratio is None:
            return "recorded"
        return "holds" if self.ratio <= self.goal else "falls short"

    def line(self) -> str:
        other = f"{self.other:.3f} {self.unit}" if self.other else ""
        ratio = f"{self.ratio:.2f}" if self.ratio else ""
        goal = f"{self.goal:.2f}" if self.goal else ""
        ours = f"{self.ours:.3f} {self.unit}"
        figures = f"{self.name:<48}{ours:>11}{other:>11}{ratio:>7}{goal:>6}"
        return f"{figures}  {self.verdict:<11} {self._times()}{self.against}".rstrip()

    def _times(self) -> str:
        return f"{1 / self.ratio:.1f} times " if self.ratio and self.ratio < 0.6 else ""


def paired(
    name: str,
    ours: Callable[[], float],
    other: Callable[[], float],
    goal: float | None,
    against: str,
    pairs: int = PAIRS,
) -> Figure:
    """Both ways in turns: medians. One round before does not count, where there are several."""
    if pairs > 1:
        ours(), other()
    measured = [(ours(), other()) for _ in range(pairs)]
    mine, theirs = (statistics.median(side) for side in zip(*measured, strict=True))
    return Figure(name, mine, theirs, goal, against=against)


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
