"""Run `luigi` and SIGKILL it right before its n-th change to some folders.

`python killed_luigi.py FOLDERS N ARGUMENTS...`, with commas between; with N = 0 it runs to its end
and prints, on its last line, how many changes there were. Python's audit hooks see every open for
writing, rename, removal and new folder: the kill falls on the very instants at which a half-done
thing can remain.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}


class Killer:
    def __init__(self, folders: str, at: int) -> None:
        self.folders = tuple(folders.split(","))
        self.at = at
        self.changes: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_change(event, arguments):
            return
        self.changes.append(f"{event} {arguments[0]}")
        if len(self.changes) == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_change(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            writes = bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            return writes and self._is_ours(arguments[0])
        return event in CHANGES and self._is_ours(arguments[0])

    def _is_ours(self, path: object) -> bool:
        return isinstance(path, (str, os.PathLike)) and (
            os.fspath(path).startswith(self.folders) and not os.fspath(path).endswith(".lock")
        )


def main() -> None:
    from luigi.cmdline import luigi_run

    killer = Killer(sys.argv[1], int(sys.argv[2]))
    sys.addaudithook(killer)
    try:
        luigi_run(sys.argv[3:])
    finally:
        print(f"changes: {len(killer.changes)}")


if __name__ == "__main__":
    main()
