"""The store's contract on HDFS, whoever may enter there. A test inherits it and says `hdfs`."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from targets.store.base import FileStore
from targets.store.hdfs import HdfsStore
from tests.cluster.servers.hdfs import Hdfs
from tests.contracts.store import StoreContract

_numbers = itertools.count()


class HdfsContract(StoreContract):
    hdfs: Hdfs
    kerberos = False

    @pytest.fixture
    def root(self) -> Path:
        return Path(f"/contract/{next(_numbers)}")

    @pytest.fixture
    def store(self, root: Path) -> FileStore:
        user = "" if self.kerberos else self.hdfs.user
        options = {"user": user, "kerberos": self.kerberos, "timeout_seconds": 20}
        return HdfsStore(str(root), urls=[self.hdfs.url], **options)

    def leave(self, store: FileStore, root: Path, path: str) -> None:
        self.hdfs.client().write(f"{root}/{path}", data=b"half")

    def names(self, store: FileStore, root: Path) -> list[str]:
        walked = self.hdfs.client().walk(str(root))
        return sorted(name for _, _, files in walked for name in files)

    def test_files_and_folders_are_not_for_everybody(self, store: FileStore, root: Path) -> None:
        store.write("a/b/c", b"")
        asked = self.hdfs.client()
        modes = [asked.status(f"{root}/{path}")["permission"] for path in ("a", "a/b", "a/b/c")]
        assert modes == ["750", "750", "640"]
