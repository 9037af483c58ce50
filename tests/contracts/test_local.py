from __future__ import annotations

from pathlib import Path

import pytest

from targets.errors import StoreError
from targets.store.base import FileStore
from targets.store.local import LocalStore
from tests.contracts.store import StoreContract


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, root: Path) -> FileStore:
        return LocalStore(root)


def test_files_and_folders_are_not_for_everybody(tmp_path: Path) -> None:
    LocalStore(tmp_path / "root").write("a/b/c", b"")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "root").rglob("*")}
    assert modes == {"a": 0o750, "b": 0o750, "c": 0o640}


def test_what_the_system_refuses_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="File exists"):
        LocalStore(tmp_path / "file").write("a/b", b"")
