"""TrafficAdhocAggr: raw calls -> staging -> final table, then drop what became empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import luigi

from pipelines import clock, configuration, settings, staging, wiring
from pipelines.listed import ListedEntry, ListedStep
from pipelines.publish import conserved, verify_published, verify_withdrawn
from pipelines.refreshing import RefreshLoop
from pipelines.statements import render
from pipelines.tables import traffic_aggr_adhoc as FINAL
from pipelines.tables import traffic_details_raw_daily_with_no_dups as SOURCE
from pipelines.traffic_adhoc_aggr.settings import traffic_adhoc_aggr
from targets.errors import ConfigError
from targets.marker import Evidence
from targets.schema import Table
from targets.warehouse.base import Audit, Statement

STAGING = FINAL.staging()
CONSERVED = (
    "voice_usage_in_secs",
    "sms_usage",
    *(f"whole_sale_cost_{number}" for number in range(1, 6)),
)


class TrafficAdhocAggrStep(ListedStep):
    task_namespace = "TrafficAdhocAggr"
    source = SOURCE
    final = FINAL

    @property
    def site(self) -> traffic_adhoc_aggr:
        return settings.section(traffic_adhoc_aggr)


class AggregateStaging(TrafficAdhocAggrStep):
    """Aggregate the listed dates of the raw calls into this night's partition of the staging."""

    legacy_flag = 2

    def writes(self) -> Sequence[Table]:
        return (STAGING,)

    def work(self) -> Evidence:
        read_at = clock.utc_now()
        missing = self.missing_from_source()
        self.warehouse.overwrite(
            STAGING,
            [self.run_key],
            self.select(self.dates),
            self.version,
            self.nothing_lost(),
            self.progress,
        )
        odd = self.odd_lookups()
        self.refuse_vanished(missing)
        staging.expire(self, STAGING, self.site.staging_retention_days)
        staged = staging.staged_by(self, STAGING, "partition_date")
        evidence = staging.as_evidence(staged, {"source_read": read_at})
        return evidence.with_warnings([*self.warnings_of(missing), *odd])

    def select(self, dates: Sequence[str]) -> Statement:
        name = "traffic_adhoc_aggr/aggregate_staging"
        return render(name, self.warehouse, run_key=self.run_key, dates=dates)

    def nothing_lost(self) -> Audit:
        select = render("traffic_adhoc_aggr/source_sums", self.warehouse, dates=self.dates)
        [sums] = self.warehouse.query(select)
        return conserved(STAGING, dict(zip(CONSERVED, sums, strict=True)))

    def odd_lookups(self) -> list[str]:
        select = render("traffic_adhoc_aggr/odd_lookups", self.warehouse, dates=self.dates)
        return [
            f"{kind}: {keys} ({rows} rows), such as {example}"
            for kind, keys, rows, example in sorted(self.warehouse.query(select))
            if keys
        ]


class PublishPartitions(TrafficAdhocAggrStep):
    """Replace the listed partitions of the final table that have staged rows."""

    after = AggregateStaging
    legacy_flag = 3

    def writes(self) -> Sequence[Table]:
        return (FINAL,)

    def work(self) -> Evidence:
        return self.publish_staged(AggregateStaging, AggregateStaging, self.in_place())

    def in_place(self) -> RefreshLoop | None:
        if self.site.publish == "switch":
            return None
        dates: tuple[str, ...] = self.dates

        def refresh() -> None:
            warehouse = wiring.warehouse()  # of its own: the step's is busy loading
            try:
                warehouse.refresh(FINAL, dates)
            finally:
                warehouse.close()

        return RefreshLoop(refresh, self.site.refresh_passes, self.site.refresh_wait_seconds)

    def select(self, dates: Sequence[str]) -> Statement:
        name = "traffic_adhoc_aggr/publish_partitions"
        return render(name, self.warehouse, run_key=self.run_key, dates=dates)

    def verify(self, evidence: Evidence) -> None:
        verify_published(self, FINAL, evidence)


class DropStalePartitions(TrafficAdhocAggrStep):
    """Drop the listed partitions whose source partition is there and empty."""

    after = PublishPartitions
    legacy_flag = 1

    def writes(self) -> Sequence[Table]:
        return (FINAL,)

    def work(self) -> Evidence:
        return self.drop_stale(staged_in=AggregateStaging)

    def verify(self, evidence: Evidence) -> None:
        verify_withdrawn(self, FINAL, evidence)


class ListName(luigi.Parameter):
    def parse(self, value: str) -> str:
        try:
            names = traffic_adhoc_aggr().partition_lists
        except (ValueError, luigi.parameter.ParameterException):
            return value  # the check of the configuration says what is wrong with it
        if value not in names:
            raise SystemExit(
                f"UsageError: --partition-list {value!r} is none of: {', '.join(names)}."
            )
        return value


class TrafficAdhocAggr(ListedEntry):
    """Usage per customer, SIM and day, of the dates in a named list."""

    last_step = DropStalePartitions

    partition_list = ListName(
        default="daily", description="the name of the list of dates in the configuration"
    )

    def variant(self) -> str:
        return str(self.partition_list)

    def list_file(self) -> Path | None:
        lists: Mapping[str, str] = settings.section(traffic_adhoc_aggr).partition_lists
        if self.partition_list not in lists:
            raise ConfigError(
                f"[traffic_adhoc_aggr] partition_lists has no list {self.partition_list!r}.",
                f"There are: {', '.join(lists)}. Nothing was changed.",
            )
        return configuration.path(lists[self.partition_list], date=self.date)
