"""A folder for what a process spills, locked while the process lives, swept when it is dead."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from pathlib import Path

from targets.locks import try_flock
from targets.store.local import make_folder


class ScratchFolder:
    def __init__(self, parent: Path) -> None:
        self._path = parent / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._descriptor = -1

    def open(self) -> Path:
        while self._descriptor < 0 or not self._path.is_dir():  # a sweep may come in between
            make_folder(self._path)
            with contextlib.suppress(FileNotFoundError):
                self._descriptor = os.open(self._path, os.O_RDONLY)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self._path

    def close(self) -> None:
        if self._descriptor >= 0:
            shutil.rmtree(self._path, ignore_errors=True)
            os.close(self._descriptor)
            self._descriptor = -1


def sweep_scratch(parent: Path) -> None:
    """Remove the folders of processes that are gone."""
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(parent):
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(entry.path, os.O_RDONLY)
                try:
                    if try_flock(descriptor, fcntl.LOCK_EX):
                        shutil.rmtree(entry.path, ignore_errors=True)
                finally:
                    os.close(descriptor)
