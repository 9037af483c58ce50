"""The refresh loop of a table that is published in place, as the legacy job had one.

It belongs to the step that publishes: it starts and stops with it. What it cannot do is a warning;
the refresh after each partition is the step's own, and fatal.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

from targets.errors import MnaasError

log = logging.getLogger("luigi-interface.mnaas")

not_needed = contextlib.nullcontext


class RefreshLoop:
    """`refresh` is called in a thread of its own, every so many seconds, so many times."""

    def __init__(self, refresh: Callable[[], None], passes: int, wait_seconds: float) -> None:
        self._refresh = refresh
        self._passes = passes
        self._wait_seconds = wait_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="refresh loop", daemon=True)
        self.failures: list[str] = []

    def __enter__(self) -> RefreshLoop:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        for number in range(1, self._passes + 1):
            if self._over.wait(self._wait_seconds):
                return
            try:
                self._refresh()
            except MnaasError as error:
                self.failures.append(f"refresh {number} of the loop failed: {error.message}")
                log.warning(self.failures[-1])
