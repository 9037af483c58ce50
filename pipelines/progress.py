"""How far a step is: in luigid's visualiser, and as a bar where a person looks on."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import luigi
from luigi.rpc import RPCError

if TYPE_CHECKING:
    import rich.progress

log = logging.getLogger("luigi-interface.mnaas")


class Progress:
    """Call it with a fraction and a message; it passes on one a second."""

    def __init__(self, task: luigi.Task) -> None:
        self._task = task
        self._told = time.monotonic()  # work that ends within a second is not worth a bar
        self._luigid_answers = True
        self._bar: rich.progress.Progress | None = None
        self._row: rich.progress.TaskID | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, fraction: float, message: str) -> None:
        now = time.monotonic()
        if now - self._told < 1:
            return
        self._told = now
        self._tell_luigid(fraction, message)
        self._draw(fraction, message)

    def finish(self, message: str) -> None:
        self._tell_luigid(1.0, message)

    def say(self, message: str) -> None:
        """A message that counts by itself: log it and show it."""
        log.info("%s: %s", self._task.get_task_family(), message)
        self._tell_luigid(None, message)

    def _tell_luigid(self, fraction: float | None, message: str) -> None:
        tell: Callable[[str], None] | None = self._task.set_status_message
        show: Callable[[int], None] | None = self._task.set_progress_percentage
        if not self._luigid_answers or tell is None or show is None:
            return
        try:
            tell(message)
            if fraction is not None:
                show(round(100 * min(fraction, 1.0)))
        except RPCError:  # the step is worth more than its progress
            self._luigid_answers = False

    def _draw(self, fraction: float, message: str) -> None:
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            import rich.console
            import rich.progress

            self._bar = rich.progress.Progress(
                "{task.description}",
                rich.progress.BarColumn(),
                rich.progress.TaskProgressColumn(),
                rich.progress.TimeElapsedColumn(),
                console=rich.console.Console(stderr=True),
                transient=True,
            )
            self._row = self._bar.add_task(message, total=1.0)
            self._bar.start()
        if self._row is not None:
            self._bar.update(self._row, completed=fraction, description=message)
