"""Change a final table: readers see old rows or new ones, and older data never wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pipelines import clock, wiring
from pipelines.refreshing import RefreshLoop, not_needed
from pipelines.step import Step
from targets.errors import AuditError, TooManyDropsError
from targets.marker import Evidence
from targets.published import Publication, PublishedRecord
from targets.schema import Table
from targets.table import TablePartitions
from targets.warehouse.base import Audit, Statement, Totals, spelled


def publish(
    step: Step,
    final: Table,
    partitions: Iterable[str],
    select: Statement,
    expected: Mapping[str, Totals],
    source_read: str,
    *,
    force: bool = False,
    in_place: RefreshLoop | None = None,
) -> Evidence:
    """Overwrite partitions by the rows of a SELECT, whose totals are expected to be these.

    Those that were published from a source read later are left alone, unless by force.
    """
    record = PublishedRecord(wiring.state(), final.name)
    newer = {} if force else record.newer_than(source_read, partitions)
    leaving = [value for value in sorted(partitions) if value not in newer]
    publication = Publication(step.run_id, step.run_key, source_read)
    evidence = _overwrite(step, final, leaving, select, expected, publication, in_place)
    warnings = [left_alone(value, by) for value, by in sorted(newer.items())]
    return evidence.with_warnings(warnings)


def add(
    step: Step, final: Table, select: Statement, expected: Mapping[str, Totals], source_read: str
) -> Evidence:
    """Overwrite partitions by a SELECT that gives what they hold and more: no night takes away."""
    publication = Publication(step.run_id, step.run_key, source_read)
    return _overwrite(step, final, sorted(expected), select, expected, publication, None)


def _overwrite(
    step: Step,
    final: Table,
    partitions: Sequence[str],
    select: Statement,
    expected: Mapping[str, Totals],
    publication: Publication,
    in_place: RefreshLoop | None,
) -> Evidence:
    record = PublishedRecord(wiring.state(), final.name)
    record.write(partitions, publication)
    written: dict[str, Totals] = {}
    # In place, each partition is there as soon as it is written, and not when all of them are.
    portions = [[value] for value in partitions] if in_place else [partitions]
    with in_place or not_needed():
        for portion in portions:
            written |= step.warehouse.overwrite(
                final,
                portion,
                select,
                step.version,
                same_as({value: expected[value] for value in portion if value in expected}, final),
                step.progress,
                in_place=in_place is not None,
            )
    record.write(partitions, publication.confirmed())
    rows, sums = summed(written.values())
    return Evidence(
        rows=rows,
        sums=sums,
        partitions={value: written[value].rows if value in written else 0 for value in partitions},
        warnings=in_place.failures if in_place else (),
    )


def withdraw(step: Step, final: Table, stale: Sequence[str], max_drops: int) -> Evidence:
    """Drop the partitions whose source is empty, unless they were published from a later look."""
    asked_at = clock.utc_now()
    record = PublishedRecord(wiring.state(), final.name)
    newer = record.newer_than(asked_at, stale)
    leaving = [value for value in stale if value not in newer]
    present = TablePartitions(step.warehouse, final, leaving).present()
    if len(present) > max_drops:
        raise TooManyDropsError(
            f"{len(present)} partitions of {final.name} would be dropped, and max_drops is "
            f"{max_drops}: {', '.join(present)}. Nothing was dropped.",
            f"If that is meant, rerun with --max-drops {len(present)}.",
        )
    publication = Publication(step.run_id, step.run_key, asked_at)
    record.write(leaving, publication)
    # Also those that are not there: of them, no rows may come back either.
    step.warehouse.drop_partitions(final, leaving)
    record.write(leaving, publication.confirmed())
    return Evidence(
        partitions=dict.fromkeys(leaving, 0),
        warnings=[left_alone(value, by) for value, by in sorted(newer.items())],
    )


def verify_published(step: Step, final: Table, evidence: Evidence) -> None:
    there = step.warehouse.row_counts(final, list(evidence.partitions))
    for value, rows in evidence.partitions.items():
        if there.get(value, 0) != rows:
            raise AuditError(
                f"{final.name} {value} has {there.get(value, 0)} rows now, not {rows}.",
                "Somebody else writes this table. Rerun when that has stopped.",
            )


def verify_withdrawn(step: Step, final: Table, evidence: Evidence) -> None:
    back = TablePartitions(step.warehouse, final, list(evidence.partitions)).present()
    if back:
        raise AuditError(
            f"{final.name} has {', '.join(back)}, which was dropped just now.",
            "Somebody else writes this table. Rerun when that has stopped.",
        )


def same_as(expected: Mapping[str, Totals], table: Table) -> Audit:
    """An audit that stops the switch unless the totals are these."""

    def audit(written: Mapping[str, Totals]) -> None:
        for value in sorted(set(expected) | set(written)):
            if expected.get(value) != written.get(value):
                raise AuditError(
                    f"{table.name} {value}: written {written.get(value)}, "
                    f"expected {expected.get(value)}. Nothing was switched.",
                    "Rerun. If it comes again, compare the staged rows with the SQL file.",
                )

    return audit


def conserved(table: Table, source: Mapping[str, Any]) -> Audit:
    """An audit against sums of the source: joins have neither dropped rows nor doubled them."""
    expected = {name: spelled(value) for name, value in source.items()}

    def audit(written: Mapping[str, Totals]) -> None:
        _, sums = summed(written.values())
        staged = {name: sums.get(name, "0") for name in expected}
        if staged != expected:
            raise AuditError(
                f"{table.name}: the sums are {staged}, and those of the source {expected}. "
                "Nothing was switched.",
                "Rerun. If it comes again, look for a join in a SQL file of yours that doubles or "
                "drops rows.",
            )

    return audit


def summed(totals: Iterable[Totals]) -> tuple[int, dict[str, str]]:
    rows, sums = 0, dict[str, Decimal]()
    for one in totals:
        rows += one.rows
        for name, value in one.sums.items():
            sums[name] = sums.get(name, Decimal()) + Decimal(value)
    return rows, {name: str(value) for name, value in sums.items()}


def left_alone(value: str, publication: Publication) -> str:
    return (
        f"{value} left alone: {publication.run_key} published it from a source read later "
        f"({publication.source_read})"
    )
