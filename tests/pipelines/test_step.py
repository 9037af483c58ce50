"""A step's life, with a small pipeline of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import luigi
import pytest
from luigi.configuration import LuigiConfigParser
from luigi.interface import build
from luigi.rpc import RPCError

from pipelines import wiring
from pipelines.step import Step
from targets.errors import AuditError, LostConnectionError, StatementError
from targets.marker import Evidence, markers_of

DAY = date(2021, 4, 30)
calls: list[str] = []


class ToyStep(Step):
    task_namespace = "Toy"
    behaviour: ClassVar[Callable[[Step], None]] = staticmethod(lambda step: None)

    def work(self) -> Evidence:
        calls.append(f"{type(self).__name__} {self.version}")
        type(self).behaviour(self)
        return Evidence(rows=3)

    def verify(self, evidence: Evidence) -> None:
        calls.append(f"verify {evidence.rows}")


class First(ToyStep):
    legacy_flag = 1


class Second(ToyStep):
    after = First
    legacy_flag = 2


@pytest.fixture(autouse=True)
def fresh(configured: LuigiConfigParser, monkeypatch: pytest.MonkeyPatch) -> None:
    calls.clear()


def step(kind: type[Step], asked: str = "abc", **more: Any) -> Step:
    return kind(date=DAY, asked=asked, dates=("2021-04-30",), run_id="run", **more)


def markers() -> list[str]:
    return [marker.path.split("/")[1] for marker in markers_of(wiring.markers(), "Toy")]


def failing(*errors: Exception) -> Callable[[Step], None]:
    left: Iterator[Exception] = iter(errors)

    def behave(_step: Step) -> None:
        for error in left:
            raise error

    return behave


def test_the_marker_comes_last_and_holds_the_evidence() -> None:
    step(First).run()
    assert calls == ["First run-1", "verify 3"]
    record = step(First).marker.read()
    assert (record.pipeline, record.step, record.run_key) == ("Toy", "01-First", "2021-04-30")
    assert record.evidence.rows == 3
    assert record.attempts == 1
    assert record.inputs == {"dates": "2021-04-30"}


def test_a_passing_error_repeats_the_whole_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(First, "behaviour", failing(*[LostConnectionError("gone")] * 2))
    step(First).run()
    assert calls == ["First run-1", "First run-2", "First run-3", "verify 3"]
    assert step(First).marker.read().attempts == 3


def test_attempts_are_bounded(
    monkeypatch: pytest.MonkeyPatch, configured: LuigiConfigParser
) -> None:
    configured.set("retry", "attempts", "2")
    monkeypatch.setattr(First, "behaviour", failing(*[LostConnectionError("gone")] * 9))
    with pytest.raises(LostConnectionError):
        step(First).run()
    assert len(calls) == 2
    assert markers() == []


def test_no_attempt_begins_after_the_deadline(
    monkeypatch: pytest.MonkeyPatch, configured: LuigiConfigParser
) -> None:
    configured.set("retry", "deadline_seconds", "0")
    monkeypatch.setattr(First, "behaviour", failing(LostConnectionError("gone")))
    with pytest.raises(LostConnectionError):
        step(First).run()
    assert len(calls) == 1


def test_a_lasting_error_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(First, "behaviour", failing(StatementError("wrong")))
    with pytest.raises(StatementError):
        step(First).run()
    assert len(calls) == 1
    assert markers() == []


def test_a_failed_verification_leaves_no_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Step, _evidence: Evidence) -> None:
        raise AuditError("not as said")

    monkeypatch.setattr(First, "verify", refuse)
    with pytest.raises(AuditError):
        step(First).run()
    assert markers() == []


def test_markers_of_this_step_and_later_ones_go_before_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step(First, asked="old").run()
    step(Second, asked="old").run()
    seen = ["nothing yet"]
    monkeypatch.setattr(First, "behaviour", lambda _step: seen.__setitem__(slice(None), markers()))
    step(First, asked="new").run()
    assert seen == []
    assert markers() == ["01-First"]


def test_other_inputs_mean_not_done() -> None:
    step(First, asked="one").run()
    assert step(First, asked="one").complete()
    assert not step(First, asked="two").complete()
    assert step(First, asked="one").digest != step(First, asked="two").digest
    assert step(Second, asked="one").digest != step(First, asked="one").digest


def test_variants_do_not_touch_each_others_markers() -> None:
    step(First).run()
    step(First, variant="month-2021-04").run()
    assert len(markers()) == 2
    assert step(First, variant="month-2021-04").run_key == "2021-04-30@month-2021-04"


def test_a_step_done_meanwhile_is_not_done_again() -> None:
    late = step(First)
    step(First).run()
    calls.clear()
    late.run()
    assert calls == []


def test_a_step_fails_when_its_predecessor_is_gone() -> None:
    with pytest.raises(AuditError, match="First has to be done again"):
        step(Second).run()
    assert calls == []


def test_luigi_runs_a_step_after_the_one_before_it() -> None:
    assert build([step(Second)], local_scheduler=True, log_level="ERROR")
    assert [call for call in calls if "verify" not in call] == ["First run-1", "Second run-1"]


def test_progress_reaches_luigid_and_a_dead_luigid_does_not_stop_the_work() -> None:
    told: list[object] = []
    running = step(First)
    running.set_status_message = told.append
    running.set_progress_percentage = told.append
    running.run()
    assert told == ["3 rows", 100]

    def dead(_message: object) -> None:
        raise RPCError("luigid is gone")

    again = step(First, asked="again")
    again.set_status_message = again.set_progress_percentage = dead
    again.run()
    assert again.complete()


def test_a_killed_writer_of_a_marker_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "state/markers/Toy/01-First"
    folder.mkdir(parents=True)
    (folder / ".2021-04-30.0123.json.89abcdef.part").write_text("{")
    other = folder / ".2021-04-29.0123.json.89abcdef.part"
    other.write_text("{")
    step(First).run()
    assert [path.name for path in folder.glob(".*")] == [other.name]


def test_steps_of_two_pipelines_with_one_name_are_two_tasks() -> None:
    assert First.get_task_family() == "Toy.First"
    assert isinstance(step(First), luigi.Task)
