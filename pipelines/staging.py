"""Our own staging tables: one partition a night, made anew when the night is, kept for a while."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pipelines.publish import summed
from pipelines.step import Step
from targets.errors import AuditError
from targets.file import StoredFile
from targets.marker import Evidence
from targets.schema import Table
from targets.warehouse.base import Audit, Totals


def describe(file: StoredFile) -> Mapping[str, str | int]:
    """What a marker says of a file: any other content is another file."""
    store, path = file.store, file.path
    return {"path": path, "size": store.size(path), "sha256": store.checksum(path)}


def refuse_changed(file: StoredFile, described: Mapping[str, Any], by: type[Step]) -> None:
    if describe(file) != described:
        raise AuditError(
            f"{file.path} is not the file that {by.__name__} wrote.",
            "Remove the file and rerun: it is then made again.",
        )


def load(step: Step, staging: Table, file: StoredFile, created: Evidence, by: type[Step]) -> None:
    """Load the file of an earlier step into the night's partition, when it is still that file."""
    refuse_changed(file, created.files[0], by)
    audit = as_many_rows(created.rows, f"{file.path} has {created.rows} lines")
    with file.store.reading(file.path) as local:
        step.warehouse.load_file(staging, step.run_key, local, step.version, audit)


def as_many_rows(rows: int, words: str) -> Audit:
    """An audit that stops the switch unless there are so many rows."""

    def audit(written: Mapping[str, Totals]) -> None:
        staged, _ = summed(written.values())
        if staged != rows:
            raise AuditError(f"{words}, and {staged} were staged.", "Nothing was switched. Rerun.")

    return audit


def expire(step: Step, staging: Table, days: int) -> list[str]:
    """Forget the staged rows of nights that are long over; their run keys."""
    oldest = str(step.date - timedelta(days=days))
    expired = [key for key in step.warehouse.partitions(staging) if key[:10] < oldest]
    step.warehouse.drop_partitions(staging, expired)
    return expired


def staged_by(step: Step, staging: Table, column: str) -> Mapping[str, Totals]:
    """The totals of the night's staged rows, one for each value of a column."""
    return step.warehouse.totals(staging, [step.run_key], by=column)


def refuse_other_rows(
    step: Step, staging: Table, staged: Mapping[str, Totals], by: type[Step]
) -> None:
    """The staged totals must be what the step that staged them left."""
    if {value: totals.rows for value, totals in staged.items()} != step.evidence_of(by).partitions:
        raise AuditError(
            f"{staging.name} {step.run_key} does not hold the rows that {by.__name__} wrote.",
            "Somebody else writes it, or it has expired. Redo it: "
            f"{step.resume.replace(' run ', ' rewind ')} --from {by.__name__}",
        )


def as_evidence(staged: Mapping[str, Totals], details: Mapping[str, Any] | None = None) -> Evidence:
    rows, sums = summed(staged.values())
    partitions = {value: totals.rows for value, totals in sorted(staged.items())}
    return Evidence(rows=rows, sums=sums, partitions=partitions, details=details or {})
