"""Files as Luigi targets."""

from __future__ import annotations

import luigi

from targets.store.base import FileStore


class StoredFile(luigi.Target):
    """A file in a store: is it there?"""

    def __init__(self, store: FileStore, path: str) -> None:
        self.store = store
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} in {self.store!r}"

    def exists(self) -> bool:
        return self.store.exists(self.path)
