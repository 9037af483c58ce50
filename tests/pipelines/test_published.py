from __future__ import annotations

from pathlib import Path

import pytest

from targets.errors import MarkerError
from targets.published import Publication, PublishedRecord
from targets.store.local import LocalStore


def test_a_later_reading_is_newer_and_the_same_is_not(tmp_path: Path) -> None:
    record = PublishedRecord(LocalStore(tmp_path), "t")
    record.write(["a"], Publication("run", "2021-04-30", "2021-05-01T00:00:05Z"))
    assert list(record.newer_than("2021-05-01T00:00:04Z", ["a", "b"])) == ["a"]
    assert record.newer_than("2021-05-01T00:00:05Z", ["a", "b"]) == {}


def test_an_intent_counts_until_it_is_confirmed_and_others_stay(tmp_path: Path) -> None:
    record = PublishedRecord(LocalStore(tmp_path), "t")
    first = Publication("one", "k", "1")
    record.write(["a", "b"], first)
    record.write(["b"], Publication("two", "k", "2").confirmed())
    assert record.read()["a"] == first
    assert record.read()["b"].state == "published"


def test_a_damaged_record_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "published").mkdir()
    (tmp_path / "published/t.json").write_text("[1]")
    with pytest.raises(MarkerError, match="cannot be read"):
        PublishedRecord(LocalStore(tmp_path), "t").read()
