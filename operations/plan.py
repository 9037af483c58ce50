"""What a run would do now, and why. Touches nothing and takes no lock."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines import wiring
from pipelines.night import Entry
from pipelines.partition_list import in_words
from pipelines.step import Step
from pipelines.stored import Night
from targets.errors import MnaasError
from targets.marker import Marker, markers_of


@dataclass(frozen=True)
class PlannedStep:
    step: str
    legacy_flag: int | None
    state: str
    reason: str
    sql: str = ""


@dataclass(frozen=True)
class Plan:
    night: str
    dates: list[str]
    steps: list[PlannedStep] = field(default_factory=list)


def plan(entry: Entry, engine: str = "") -> Plan:
    """`engine`: show the statements that it would be sent, whatever the configuration says."""
    name = f"{entry.task_family} {entry.run_key}"
    night = entry.planned_night()
    if night is None:
        return Plan(name, [], _blocked(entry, f"missing: {entry.delivery().words()}"))
    if holder := wiring.locks().holder(entry.lock_name()):
        return Plan(name, list(night.dates), _blocked(entry, f"running: {holder}"))
    return Plan(name, list(night.dates), _planned(entry, night, engine))


def _blocked(entry: Entry, reason: str) -> list[PlannedStep]:
    return [
        PlannedStep(kind.__name__, kind.legacy_flag, "BLOCKED", reason) for kind in entry.steps()
    ]


def _planned(entry: Entry, night: Night, engine: str) -> list[PlannedStep]:
    """Luigi asks from the end: everything up to the last step that is complete is done."""
    steps = [entry.step(kind, night) for kind in entry.steps()]
    here = len(entry.last().chain())
    done = 0
    for number, step in enumerate(steps, start=1):
        if step.complete():
            done = number
    planned = []
    for number, step in enumerate(steps, start=1):
        first = number == done + 1
        if number > here:
            state, reason = "LEFT OUT", f"{entry.why_left_out()}: {step.outlook()}"
        elif number <= done:
            state, reason = "DONE", _done(step)
        elif holders := _holders(step):
            state, reason = "BLOCKED", holders
        else:
            state, reason = "RUN", _why(step, first, night)
        sql = _statements(step, night, engine) if engine else _sql(step, night)
        planned.append(PlannedStep(type(step).__name__, step.legacy_flag, state, reason, sql))
    return planned


def _holders(step: Step) -> str:
    """Who has the tables that the step would write, or what else it needs alone."""
    locks = wiring.locks()
    held = {name.removeprefix("table/"): locks.holder(name) for name in step.locked()}
    return "; ".join(f"{name} is held by {who}" for name, who in held.items() if who)


def _done(step: Step) -> str:
    if not step.marker.exists():
        return "a later step is done"
    record = step.marker.read()
    return f"{record.ended[:19]}, {record.evidence.rows} rows, run {record.run_id}"


def _why(step: Step, first: bool, night: Night) -> str:
    if not first:
        return f"after {step.before().__class__.__name__}" if step.after else "from the start"
    if step.marker.exists():
        return "its file is gone"
    others = [
        marker
        for marker in markers_of(wiring.markers(), step.pipeline(), step.folder())
        if marker.run_key == step.run_key
    ]
    if not others:
        return "not done yet"
    return f"done with another list ({_listed(others[-1].path, step)}), now {in_words(night.dates)}"


def _listed(path: str, step: Step) -> str:
    digest = path.split(".")[-2]
    marker = Marker(wiring.markers(), step.pipeline(), step.folder(), step.run_key, digest)
    try:
        return marker.read().inputs.get("dates", "unknown")
    except MnaasError:
        return "unreadable"


def _sql(step: Step, night: Night) -> str:
    statement = step.select(night.dates)
    return statement.sql if statement else ""


def _statements(step: Step, night: Night, engine: str) -> str:
    """All that the step would send to an engine on a cluster, of what changes or reads tables."""
    rehearsal = wiring.rehearsal(engine)
    try:
        step.warehouse = rehearsal.warehouse
        select, written = step.select(night.dates), step.writes()
        if not written:
            return select.sql if select else ""
        [table] = written
        ours = table.partitioned_by == "run_key"
        partitions = [step.run_key] if ours else list(night.dates)
        if select:
            sent = rehearsal.overwrite(table, partitions, select)
        elif ours:
            sent = rehearsal.load_file(table, step.run_key)
        else:
            sent = rehearsal.drop(table, partitions)
        return ";\n".join(sent) + ";"
    finally:
        rehearsal.close()
