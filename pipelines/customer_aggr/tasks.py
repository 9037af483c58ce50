"""CustomerAggr: source -> file -> staging -> final table, then drop what became empty."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import luigi

from pipelines import clock, configuration, settings, staging, wiring
from pipelines.customer_aggr.settings import customer_aggr
from pipelines.listed import ListedEntry, ListedStep
from pipelines.parameters import BusinessMonth
from pipelines.partition_list import days_of
from pipelines.publish import verify_published, verify_withdrawn
from pipelines.statements import render
from pipelines.tables import table_statistics_customer_aggr as FINAL
from pipelines.tables import usage_trend_daily_aggr as SOURCE
from targets.file import StoredFile
from targets.marker import Evidence
from targets.schema import Table
from targets.warehouse.base import Statement

STAGING = FINAL.staging()


class CustomerAggrStep(ListedStep):
    task_namespace = "CustomerAggr"
    source = SOURCE
    final = FINAL

    @property
    def site(self) -> customer_aggr:
        return settings.section(customer_aggr)


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
        missing = self.missing_from_source()
        with self.file.store.writing(self.file.path) as local:
            rows = self.warehouse.export(self.select(self.dates), local, self.progress)
            self.refuse_vanished(missing)
        return Evidence(
            rows=rows,
            files=[staging.describe(self.file)],
            warnings=self.warnings_of(missing),
            details={"source_read": read_at},
        )

    def select(self, dates: Sequence[str]) -> Statement:
        return render("customer_aggr/create_file", self.warehouse, dates=dates)


class LoadStaging(CustomerAggrStep):
    """Load the file into this night's partition of the staging table."""

    after = CreateFile
    legacy_flag = 3

    def writes(self) -> Sequence[Table]:
        return (STAGING,)

    def work(self) -> Evidence:
        create = self.sibling(CreateFile)
        staging.load(self, STAGING, create.file, create.marker.read().evidence, CreateFile)
        for key in staging.expire(self, STAGING, self.site.staging_retention_days):
            wiring.files().remove(self.site.output_file.format(run_key=key))
        return staging.as_evidence(staging.staged_by(self, STAGING, "partition_date"))


class PublishPartitions(CustomerAggrStep):
    """Replace the listed partitions of the final table that have staged rows."""

    after = LoadStaging
    legacy_flag = 4

    def writes(self) -> Sequence[Table]:
        return (FINAL,)

    def work(self) -> Evidence:
        return self.publish_staged(staged_in=LoadStaging, read_in=CreateFile)

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
        return self.drop_stale(staged_in=LoadStaging)

    def verify(self, evidence: Evidence) -> None:
        verify_withdrawn(self, FINAL, evidence)


class CustomerAggr(ListedEntry):
    """Daily customer statistics of the dates in the partition list, or of a whole month."""

    last_step = DropStalePartitions

    month = BusinessMonth(
        default="",
        description="YYYY-MM: rebuild every day of that month, up to --date, instead of the list",
    )

    def variant(self) -> str:
        return f"month-{self.month}" if self.month else ""

    def list_file(self) -> Path | None:
        if self.month:
            return None
        return configuration.path(settings.section(customer_aggr).partition_list, date=self.date)

    def current_dates(self) -> Sequence[str] | None:
        return days_of(self.month, self.date) if self.month else super().current_dates()
