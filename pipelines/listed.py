"""What the pipelines share whose night is a list of dates: from one source to one final table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import luigi

from pipelines import staging
from pipelines.delivery import Delivery, FileDelivery
from pipelines.night import Entry
from pipelines.partition_list import read_list
from pipelines.publish import publish, withdraw
from pipelines.refreshing import RefreshLoop
from pipelines.step import Step
from targets.errors import MissingInputError
from targets.marker import Evidence
from targets.schema import Table
from targets.table import TablePartitions


class ListSettings(Protocol):
    """The keys that each of them has in its section."""

    missing_source: str
    max_drops: int
    staging_retention_days: int


class ListedStep(Step):
    source: ClassVar[Table]
    final: ClassVar[Table]

    @property
    def site(self) -> ListSettings:
        raise NotImplementedError

    @property
    def staging(self) -> Table:
        return self.final.staging()

    def source_of(self, dates: Sequence[str]) -> TablePartitions:
        return TablePartitions(self.warehouse, self.source, dates)

    def refuse_missing(self, missing: Iterable[str]) -> None:
        if missing and self.site.missing_source == "refuse":
            raise MissingInputError(
                f"{self.source.name} has no partition {', '.join(missing)}, which the list names. "
                "Nothing was changed.",
                "Rerun when it is there. Was it listed by mistake? Mend the list, then: "
                f"{self.resume.replace(' run ', ' rewind ')} --from {self.chain()[0].__name__} "
                "--forget-list",
            )

    def missing_from_source(self) -> list[str]:
        """The listed dates that the source lacks, refused where the site says so."""
        missing = self.source_of(self.dates).missing()
        self.refuse_missing(missing)
        return missing

    def refuse_vanished(self, missing: Iterable[str]) -> None:
        """A partition that went away while it was read has been read as empty."""
        self.refuse_missing(sorted(set(self.source_of(self.dates).missing()) - set(missing)))

    def warnings_of(self, missing: Iterable[str]) -> list[str]:
        warnings = [f"{self.source.name} has no partition {day}" for day in missing]
        return warnings if self.dates else ["the list is empty: there is nothing to do"]

    def publish_staged(
        self,
        staged_in: type[Step],
        read_in: type[Step],
        in_place: RefreshLoop | None = None,
    ) -> Evidence:
        """Replace the listed partitions of the final table that have staged rows."""
        staged = staging.staged_by(self, self.staging, self.final.partitioned_by)
        staging.refuse_other_rows(self, self.staging, staged, staged_in)
        select = self.select(sorted(staged))
        assert select is not None
        source_read = self.evidence_of(read_in).details["source_read"]
        return publish(self, self.final, staged, select, staged, source_read, in_place=in_place)

    def drop_stale(self, staged_in: type[Step]) -> Evidence:
        """Drop the listed partitions whose source partition is there and empty."""
        staged = self.evidence_of(staged_in).partitions
        listed: tuple[str, ...] = self.dates
        unstaged = [day for day in listed if day not in staged]
        missing = self.source_of(unstaged).missing()
        self.refuse_missing(missing)
        stale = self.source_of(unstaged).without_rows()
        filled = set(unstaged) - set(missing) - set(stale)
        if self.site.missing_source == "drop":
            stale += missing
        limit = self.insisted.get("max_drops", self.site.max_drops)
        evidence = withdraw(self, self.final, sorted(stale), limit)
        return evidence.with_warnings(
            [f"{day} kept: its source has rows by now; list it again" for day in sorted(filled)]
        )


class ListedEntry(Entry):
    """A night that works on the dates in a file."""

    max_drops = luigi.OptionalIntParameter(
        default=None,
        significant=False,
        description="drop up to so many partitions, whatever the configuration allows",
    )

    def insisted(self) -> Mapping[str, Any]:
        return {} if self.max_drops is None else {"max_drops": self.max_drops}

    def current_dates(self) -> Sequence[str] | None:
        listed = self.list_file()
        assert listed is not None
        return read_list(listed)

    def delivery(self) -> Delivery:
        return self.delivered(FileDelivery, path=str(self.list_file()))
