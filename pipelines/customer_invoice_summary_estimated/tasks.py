"""CustomerInvoiceSummaryEstimated: four charge tables -> staging -> the months' partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import luigi

from pipelines import settings, staging, tables
from pipelines.customer_invoice_summary_estimated.settings import (
    customer_invoice_summary_estimated,
)
from pipelines.night import Entry
from pipelines.publish import conserved, publish, verify_published
from pipelines.statements import render
from pipelines.step import Step
from pipelines.tables import customer_invoice_summary_estimated as FINAL
from targets.errors import MissingInputError, SourceError
from targets.marker import Evidence
from targets.schema import Table
from targets.table import TablePartitions
from targets.warehouse.base import Audit, Statement

STAGING = FINAL.staging()
CHARGES = (
    tables.billable_subscriptions,
    tables.usage_overage_charges,
    tables.service_based_charges,
    tables.sebs_non_invoice_charges,
)
CONSERVED = ("base_amount", "overage_amount", "service_amount", "non_invoice_amount")


class EstimateStep(Step):
    task_namespace = "CustomerInvoiceSummaryEstimated"

    @property
    def site(self) -> customer_invoice_summary_estimated:
        return settings.section(customer_invoice_summary_estimated)

    def rendered(self, name: str, months: Sequence[str]) -> Statement:
        full = f"customer_invoice_summary_estimated/{name}"
        return render(full, self.warehouse, run_key=self.run_key, months=months)


class BuildEstimate(EstimateStep):
    """Sum the charges of the months into this night's partition of the staging table."""

    legacy_flag = 1

    def writes(self) -> Sequence[Table]:
        return (STAGING,)

    def work(self) -> Evidence:
        months, warnings = self.months_to_build()
        self.refuse_odd_rates(months)
        self.warehouse.overwrite(
            STAGING,
            [self.run_key] if months else [],
            self.select(months),
            self.version,
            self.nothing_lost(months),
            self.progress,
        )
        gaps = self.gaps()
        staging.expire(self, STAGING, self.site.staging_retention_days)
        staged = staging.staged_by(self, STAGING, "partition_date")
        details = {"months": months, "as_of": str(self.date)}
        return staging.as_evidence(staged, details).with_warnings([*warnings, *gaps])

    def select(self, dates: Sequence[str]) -> Statement:
        return self.rendered("build_estimate", dates)

    def months_to_build(self) -> tuple[list[str], list[str]]:
        """Those that some charge table has, and warnings of what is missing."""
        months: tuple[str, ...] = self.dates
        lacking: dict[str, list[str]] = {month: [] for month in months}
        for charge in CHARGES:
            for month in TablePartitions(self.warehouse, charge, self.dates).missing():
                lacking[month].append(charge.name)
        empty = [month for month, names in lacking.items() if len(names) == len(CHARGES)]
        if empty and self.site.missing_source == "refuse":
            raise MissingInputError(
                f"no charge table has a partition {', '.join(empty)}. Nothing was changed.",
                "Rerun when the charges are loaded, or set [customer_invoice_summary_estimated] "
                "missing_source = skip.",
            )
        warnings = [
            f"{', '.join(names)} without a partition {month}: "
            + ("the month is skipped" if month in empty else "counted as nothing")
            for month, names in lacking.items()
            if names
        ]
        return [month for month in lacking if month not in empty], warnings

    def refuse_odd_rates(self, months: Sequence[str]) -> None:
        odd = [
            f"{count} rates from {currency} to USD in {month} ({lowest} to {highest})"
            for month, currency, count, lowest, highest in sorted(
                self.warehouse.query(self.rendered("odd_rates", months))
            )
        ]
        if odd:
            raise SourceError(
                f"{tables.gbs_curr_avgconv_rate.name} has {'; '.join(odd)}: one above 0 is "
                "expected. Nothing was changed.",
                f"Mend the table and rerun: {self.resume}",
            )

    def nothing_lost(self, months: Sequence[str]) -> Audit:
        [sums] = self.warehouse.query(self.rendered("source_sums", months))
        return conserved(STAGING, dict(zip(CONSERVED, sums, strict=True)))

    def gaps(self) -> list[str]:
        return [
            f"{month}: {kind}: {of_what} ({rows} rows)"
            for kind, month, of_what, rows in sorted(
                self.warehouse.query(self.rendered("gaps", self.dates))
            )
        ]


class PublishEstimate(EstimateStep):
    """Replace the months' partitions of the final table, unless a later date has done so."""

    after = BuildEstimate
    legacy_flag = 2

    def writes(self) -> Sequence[Table]:
        return (FINAL,)

    def work(self) -> Evidence:
        staged = staging.staged_by(self, STAGING, "partition_date")
        staging.refuse_other_rows(self, STAGING, staged, BuildEstimate)
        built = self.evidence_of(BuildEstimate).details
        evidence = publish(
            self,
            FINAL,
            built["months"],
            self.select(built["months"]),
            staged,
            built["as_of"],
            force=self.insisted.get("force_older", False),
        )
        if evidence.warnings:
            again = f"{self.resume} --from PublishEstimate --force-older"
            return evidence.with_warnings([f"to overwrite it all the same: {again}"])
        return evidence

    def select(self, dates: Sequence[str]) -> Statement:
        return self.rendered("publish_estimate", dates)

    def verify(self, evidence: Evidence) -> None:
        verify_published(self, FINAL, evidence)


class CustomerInvoiceSummaryEstimated(Entry):
    """The estimated invoice of the month of --date, early in a month also of the one before."""

    last_step = PublishEstimate

    force_older = luigi.BoolParameter(
        default=False,
        significant=False,
        description="overwrite an estimate that was made for a later date",
    )

    def insisted(self) -> Mapping[str, Any]:
        return {"force_older": True} if self.force_older else {}

    def current_dates(self) -> Sequence[str] | None:
        early = settings.section(customer_invoice_summary_estimated).early_days
        return months_of(self.date, early)


def months_of(day: date, early_days: int) -> list[str]:
    """The months to estimate as of a day, in order."""
    first = day.replace(day=1)
    before = first - timedelta(days=1)
    months = [f"{before:%Y-%m}"] if day.day <= early_days else []
    return [*months, f"{first:%Y-%m}"]
