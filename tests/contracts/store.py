"""What every file store must do. A store's test inherits this class and makes `store`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from targets.errors import MissingInputError, StoreError
from targets.store.base import FileStore


class StoreContract:
    @pytest.fixture
    def store(self) -> FileStore:
        raise NotImplementedError

    def test_what_is_written_can_be_read(self, store: FileStore) -> None:
        store.write("a/b/c.txt", b"text")
        assert store.read("a/b/c.txt") == b"text"
        assert store.exists("a/b/c.txt")
        assert store.size("a/b/c.txt") == 4
        assert store.checksum("a/b/c.txt") == hashlib.sha256(b"text").hexdigest()

    def test_a_write_replaces(self, store: FileStore) -> None:
        store.write("a", b"old")
        store.write("a", b"new")
        assert store.read("a") == b"new"

    def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
        self, store: FileStore
    ) -> None:
        store.write("f/a", b"old")
        with pytest.raises(RuntimeError), store.writing("f/a") as local:
            local.write_bytes(b"half")
            raise RuntimeError
        assert store.read("f/a") == b"old"
        assert [info.path for info in store.list("f")] == ["f/a"]

    def test_a_half_written_file_is_not_listed_and_is_swept(self, store: FileStore) -> None:
        unfinished = store.writing("f/2021-04-30.x.json")
        unfinished.__enter__()
        assert store.list("f") == []
        assert not store.exists("f/2021-04-30.x.json")
        store.sweep("f/2021-04-29.")
        store.sweep("f/2021-04-30.")
        with pytest.raises(MissingInputError):  # what was to be stored is gone
            unfinished.__exit__(None, None, None)

    def test_list_shows_the_files_of_a_folder_by_name(self, store: FileStore) -> None:
        for name in ("b", "a", "c d", "ü", "deep/x"):
            store.write(f"f/{name}", name.encode())
        listed = store.list("f")
        assert [info.path for info in listed] == ["f/a", "f/b", "f/c d", "f/ü"]
        assert listed[0].size == 1
        assert store.folders("f") == ["deep"]
        assert store.list("nowhere") == []
        assert store.folders("nowhere") == []

    def test_put_and_get_copy_files(self, store: FileStore, tmp_path: Path) -> None:
        (tmp_path / "here").write_bytes(b"x" * 3_000_000)
        store.put(tmp_path / "here", "there")
        store.get("there", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == b"x" * 3_000_000
        with store.reading("there") as local:
            assert local.read_bytes() == b"x" * 3_000_000

    def test_rename_replaces(self, store: FileStore) -> None:
        store.write("a", b"a")
        store.write("b", b"b")
        store.rename("a", "b")
        assert store.read("b") == b"a"
        assert not store.exists("a")
        store.rename("b", "new/folder/b")
        assert store.read("new/folder/b") == b"a"

    def test_remove_is_content_when_nothing_is_there(self, store: FileStore) -> None:
        store.write("a", b"a")
        store.remove("a")
        store.remove("a")
        assert not store.exists("a")

    @pytest.mark.parametrize("verb", ["read", "size", "checksum"])
    def test_a_missing_file_is_named(self, store: FileStore, verb: str) -> None:
        with pytest.raises(MissingInputError, match="no/such"):
            getattr(store, verb)("no/such")

    @pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../b", "", "a\0b"])
    def test_paths_stay_below_the_root(self, store: FileStore, path: str) -> None:
        with pytest.raises(StoreError):
            store.write(path, b"")
