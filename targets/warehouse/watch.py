"""Watch a running statement: report its progress, interrupt it at its deadline."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from targets.errors import DeadlineError
from targets.warehouse.base import Progress


@contextlib.contextmanager
def watched(
    name: str,
    deadline_seconds: float,
    interrupt: Callable[[], object],
    percentage: Callable[[], float],
    progress: Progress,
) -> Iterator[None]:
    over = threading.Event()
    late = threading.Event()

    def watch() -> None:
        deadline = time.monotonic() + deadline_seconds
        while not over.wait(min(0.25, deadline_seconds)):
            progress(max(0.0, percentage()) / 100, name)
            if time.monotonic() >= deadline:
                late.set()
                interrupt()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    except Exception as error:
        if not late.is_set():
            raise
        raise DeadlineError(
            f"{name} was stopped after {deadline_seconds:.0f} s.",
            "Rerun; [warehouse] deadline_seconds says how long a statement may take.",
        ) from error
    finally:
        over.set()
        thread.join()
