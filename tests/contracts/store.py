"""What every file store must do. A store's test inherits this class and makes `store`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from targets.errors import CorruptCopyError, MissingInputError, StoreError
from targets.store.base import FileStore, Outgoing


def outgoing(folder: Path, path: str) -> Outgoing:
    """A local file to send there."""
    content = f"content of {path}".encode()
    digest = hashlib.sha256(content).hexdigest()
    local = folder / digest
    local.write_bytes(content)
    return Outgoing(local, path, len(content), digest)


class StoreContract:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        """The folder in which the store keeps its files, where that is one of this machine."""
        return tmp_path / "root"

    @pytest.fixture
    def store(self, root: Path) -> FileStore:
        raise NotImplementedError

    def leave(self, store: FileStore, root: Path, path: str) -> None:
        """A file there that the store has not written."""
        (root / path).write_bytes(b"half")

    def names(self, store: FileStore, root: Path) -> list[str]:
        """The names of all files there, whatever the store says."""
        return sorted(path.name for path in root.rglob("*") if path.is_file())

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

    def test_a_half_written_file_is_not_listed(self, store: FileStore) -> None:
        with store.writing("f/2021-04-30.x.json") as local:
            local.write_bytes(b"half")
            assert store.list("f") == []
            assert not store.exists("f/2021-04-30.x.json")

    def test_what_killed_writers_left_is_swept_and_nothing_else(
        self, store: FileStore, root: Path
    ) -> None:
        for name in ("2021-04-29.json", "2021-04-30.json"):
            store.write(f"f/{name}", b"whole")
            self.leave(store, root, f"f/.{name}.0123abcd.part")
        store.sweep("f/2021-04-30.")
        assert self.names(store, root) == [
            ".2021-04-29.json.0123abcd.part",
            "2021-04-29.json",
            "2021-04-30.json",
        ]
        store.sweep("nowhere/x")

    def test_many_files_are_sent_and_told_of(
        self, store: FileStore, root: Path, tmp_path: Path
    ) -> None:
        files = [outgoing(tmp_path, f"far/{number % 3}/n {number}") for number in range(40)]
        told: list[str] = []
        store.send(files, lambda sent: told.extend(file.path for file in sent))
        assert told == [file.path for file in files]
        assert store.checksums([*told, "far/nowhere"]) == {f.path: f.sha256 for f in files}
        assert not [name for name in self.names(store, root) if name.endswith(".part")]
        store.send([], told.extend)

    def test_a_sent_file_replaces(self, store: FileStore, tmp_path: Path) -> None:
        store.write("a", b"old")
        store.send([outgoing(tmp_path, "a")], lambda _: None)
        assert store.read("a") == b"content of a"

    def test_a_copy_with_another_checksum_is_not_put_in_place(
        self, store: FileStore, root: Path, tmp_path: Path
    ) -> None:
        store.write("a", b"old")
        good, bad = outgoing(tmp_path, "b"), outgoing(tmp_path, "a")
        bad = replace(bad, sha256="0" * 64)
        with pytest.raises(CorruptCopyError) as error:
            store.send([good, bad], lambda _: None)
        assert error.value.paths == ["a"]
        assert store.read("a") == b"old"
        assert not [name for name in self.names(store, root) if name.endswith(".part")]

    def test_names_are_names_and_nothing_else(
        self, store: FileStore, root: Path, tmp_path: Path
    ) -> None:
        names = ["-rf", "a b", "it's", '"x"', "$(touch pwned)", "`id`", "*", "ü~", "a;b", "\\n"]
        files = [outgoing(tmp_path, f"odd/{name}") for name in names]
        store.send(files, lambda _: None)
        assert self.names(store, root) == sorted(names)
        expected = {file.path: file.sha256 for file in files if "\\" not in file.path}
        assert expected.items() <= store.checksums(list(expected)).items()

    def test_it_answers(self, store: FileStore) -> None:
        store.ping()

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
