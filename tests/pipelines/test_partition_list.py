from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipelines.partition_list import days_of, digest_of, in_words, parse_list, read_list
from targets.errors import PartitionListError


def test_blank_lines_warnings_and_duplicates_are_left_out_and_the_order_kept() -> None:
    text = "2021-04-30\r\n\r\nWARN: late\n20210401\n  2021-04-30  \n2021-04-15\n"
    assert parse_list(text, "list") == ["2021-04-30", "2021-04-01", "2021-04-15"]


@pytest.mark.parametrize(
    "line",
    ["2021-4-28", "2021-02-30", "2021/04/28", "28-04-2021", "2021-04-28;", "x", "\uff12021-04-28"],
)
def test_any_other_line_refuses_the_whole_list(line: str) -> None:
    with pytest.raises(PartitionListError, match=r"list line 2: .* is not a date") as caught:
        parse_list(f"2021-04-01\n{line}\n", "list")
    assert "Nothing was changed" in str(caught.value)


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_list(tmp_path / "nothing") is None


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PartitionListError, match="cannot be read"):
        read_list(tmp_path / "list")


def test_a_byte_order_mark_is_tolerated(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"\xef\xbb\xbf2021-04-01\n")
    assert read_list(tmp_path / "list") == ["2021-04-01"]


def test_a_month_has_its_days_up_to_the_business_date() -> None:
    assert len(days_of("2021-02", date(2021, 4, 30))) == 28
    assert len(days_of("2024-02", date(2024, 2, 29))) == 29
    assert days_of("2021-04", date(2021, 4, 2)) == ["2021-04-01", "2021-04-02"]


def test_the_digest_follows_the_set_of_dates() -> None:
    assert digest_of(["a", "b"]) == digest_of(["b", "a"])
    assert digest_of(["a"]) != digest_of(["a", "b"])
    assert len(digest_of([])) == 12


def test_dates_in_words_are_short() -> None:
    assert in_words([]) == "none"
    days = ["2021-05-03", "2021-04-30", "2021-05-01"]
    assert in_words(days) == "2021-04-30..2021-05-01, 2021-05-03"
