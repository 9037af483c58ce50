"""CustomerAggr: source -> file -> staging -> final table, then drop what became empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import luigi

from pipelines import clock, configuration, settings, wiring
from pipelines.customer_aggr.settings import customer_aggr
from pipelines.night import Entry
from pipelines.parameters import BusinessMonth
from pipelines.partition_list import days_of, read_list
from pipelines.publish import (
    publish,
    summed,
    verify_published,
    verify_withdrawn,
    withdraw,
)
from pipelines.statements import render
from pipelines.step import Step
from pipelines.tables import table_statistics_customer_aggr as FINAL
from pipelines.tables import usage_trend_daily_aggr as SOURCE
from targets.errors import AuditError, MissingInputError
from targets.file import StoredFile
from targets.marker import Evidence
from targets.schema import Table
from targets.table import TablePartitions
from targets.warehouse.base import Statement, Totals

STAGING = FINAL.staging()


class CustomerAggrStep(Step):
    task_namespace = "CustomerAggr"

    @property
    def site(self) -> customer_aggr:
        return settings.section(customer_aggr)

    def staged(self) -> Mapping[str, Totals]:
        """The totals of this night's staged rows, by date."""
        return self.warehouse.totals(STAGING, [self.run_key], by="partition_date")

    def source(self, dates: Sequence[str]) -> TablePartitions:
        return TablePartitions(self.warehouse, SOURCE, dates)

    def refuse_missing(self, missing: Sequence[str]) -> None:
        if missing and self.site.missing_source == "refuse":
            raise MissingInputError(
                f"{SOURCE.name} has no partition {', '.join(missing)}, which the list names. "
                "Nothing was changed.",
                "Rerun when it is there. Was it listed by mistake? Mend the list, then: "
                f"{self.resume.replace(' run ', ' rewind ')} --from CreateFile --forget-list",
            )


class CreateFile(CustomerAggrStep):
    """Aggregate the listed dates of the source into one file."""

    legacy_flag = 1

    @cached_property
    def file(self) -> StoredFile:
        path = self.site.output_file.format(run_key=self.run_key)
        return StoredFile(wiring.files(), path)

    def output(self) -> list[luigi.Target]:
        return [self.marker, self.file]

    def sweep(self) -> None:
        self.file.store.sweep(self.file.path)

    def work(self) -> Evidence:
        read_at = clock.utc_now()
        missing = self.source(self.dates).missing()
        self.refuse_missing(missing)
        with self.file.store.writing(self.file.path) as local:
            rows = self.warehouse.export(self.select(self.dates), local, self.progress)
            vanished = set(self.source(self.dates).missing()) - set(missing)
            self.refuse_missing(sorted(vanished))
        warnings = [f"{SOURCE.name} has no partition {day}" for day in missing]
        if not self.dates:
            warnings.append("the list is empty: there is nothing to do")
        return Evidence(
            rows=rows,
            files=[self.description()],
            warnings=warnings,
            details={"source_read": read_at},
        )

    def select(self, dates: Sequence[str]) -> Statement:
        return render("customer_aggr/create_file", self.warehouse, dates=dates)

    def description(self) -> dict[str, str | int]:
        store, path = self.file.store, self.file.path
        return {"path": path, "size": store.size(path), "sha256": store.checksum(path)}


class LoadStaging(CustomerAggrStep):
    """Load the file into this night's partition of the staging table."""

    after = CreateFile
    legacy_flag = 3

    def writes(self) -> Sequence[Table]:
        return (STAGING,)

    def work(self) -> Evidence:
        create = self.sibling(CreateFile)
        created = create.marker.read().evidence
        if create.description() != created.files[0]:
            raise AuditError(
                f"{create.file.path} is not the file that CreateFile wrote.",
                "Remove the file and rerun: it is then made again.",
            )

        def audit(written: Mapping[str, Totals]) -> None:
            rows, _ = summed(written.values())
            if rows != created.rows:
                raise AuditError(
                    f"{create.file.path} has {created.rows} lines, and {rows} were staged.",
                    "Nothing was switched. Rerun.",
                )

        with create.file.store.reading(create.file.path) as local:
            self.warehouse.load_file(STAGING, self.run_key, local, self.version, audit)
        self._expire()
        staged = self.staged()
        rows, sums = summed(staged.values())
        return Evidence(
            rows=rows,
            sums=sums,
            partitions={day: totals.rows for day, totals in sorted(staged.items())},
        )

    def _expire(self) -> None:
        """Forget the staged rows and files of nights that are long over."""
        oldest = str(self.date - timedelta(days=self.site.staging_retention_days))
        expired = [key for key in self.warehouse.partitions(STAGING) if key[:10] < oldest]
        self.warehouse.drop_partitions(STAGING, expired)
        for key in expired:
            wiring.files().remove(self.site.output_file.format(run_key=key))


class PublishPartitions(CustomerAggrStep):
    """Replace the listed partitions of the final table that have staged rows."""

    after = LoadStaging
    legacy_flag = 4

    def writes(self) -> Sequence[Table]:
        return (FINAL,)

    def work(self) -> Evidence:
        staged = self.staged()
        loaded = self.evidence_of(LoadStaging).partitions
        if {day: totals.rows for day, totals in staged.items()} != loaded:
            raise AuditError(
                f"{STAGING.name} {self.run_key} does not hold the rows that LoadStaging wrote.",
                "Somebody else writes it, or it has expired. Redo it: "
                f"{self.resume.replace(' run ', ' rewind ')} --from LoadStaging",
            )
        source_read = self.evidence_of(CreateFile).details["source_read"]
        return publish(self, FINAL, self.select(sorted(staged)), staged, source_read)

    def select(self, dates: Sequence[str]) -> Statement:
        name = "customer_aggr/publish_partitions"
        return render(name, self.warehouse, run_key=self.run_key, dates=dates)

    def verify(self, evidence: Evidence) -> None:
        verify_published(self, FINAL, evidence)


class DropStalePartitions(CustomerAggrStep):
    """Drop the listed partitions whose source partition is there and empty."""

    after = PublishPartitions
    legacy_flag = 2

    def writes(self) -> Sequence[Table]:
        return (FINAL,)

    def work(self) -> Evidence:
        staged = self.evidence_of(LoadStaging).partitions
        listed: tuple[str, ...] = self.dates
        unstaged = [day for day in listed if day not in staged]
        missing = self.source(unstaged).missing()
        self.refuse_missing(missing)
        stale = self.source(unstaged).without_rows()
        filled = set(unstaged) - set(missing) - set(stale)
        if self.site.missing_source == "drop":
            stale += missing
        limit = self.site.max_drops if self.max_drops is None else self.max_drops
        evidence = withdraw(self, FINAL, sorted(stale), limit)
        late = [f"{day} kept: its source has rows by now; list it again" for day in sorted(filled)]
        return replace(evidence, warnings=[*evidence.warnings, *late])

    def verify(self, evidence: Evidence) -> None:
        verify_withdrawn(self, FINAL, evidence)


class CustomerAggr(Entry):
    """Daily customer statistics of the dates in the partition list, or of a whole month."""

    last_step = DropStalePartitions

    month = BusinessMonth(
        default="",
        description="YYYY-MM: rebuild every day of that month, up to --date, instead of the list",
    )

    def variant(self) -> str:
        return f"month-{self.month}" if self.month else ""

    def current_dates(self) -> Sequence[str] | None:
        return days_of(self.month, self.date) if self.month else read_list(self.delivered_as())

    def delivered_as(self) -> Path:
        return configuration.path(settings.section(customer_aggr).partition_list, date=self.date)
