"""CustomerBackupFiles: manifest -> staging -> counts, then copy the files away and remove them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import luigi

from pipelines import clock, settings, staging, wiring
from pipelines.customer_backup_files.settings import customer_backup_files
from pipelines.customers import all_customers, in_words
from pipelines.night import Entry
from pipelines.publish import add, summed, verify_published
from pipelines.statements import render, union
from pipelines.step import Step
from pipelines.tables import customers_files_records_count as FINAL
from pipelines.words import named, size_in_words
from targets.errors import AuditError, DiskFullError
from targets.file import StoredFile
from targets.marker import Evidence
from targets.schema import Table
from targets.store.local import errors_named
from targets.warehouse.base import Statement, Totals

if TYPE_CHECKING:
    from pipelines.customer_backup_files.finding import Findings
    from pipelines.customer_backup_files.manifest import Listed, Manifest
    from pipelines.customer_backup_files.transfers import Transfer, Transfers

STAGING = FINAL.staging()
ALONE = ("backup-files",)  # two nights neither list nor send the same files at once


def copies_away() -> bool:
    return bool(settings.section(settings.mnaas).environment == "prod")


def all_transfers() -> Transfers:
    from pipelines.customer_backup_files.transfers import Transfers

    return Transfers(settings.section(settings.state).root / "transfers.sqlite")


class BackupStep(Step):
    task_namespace = "CustomerBackupFiles"

    @property
    def site(self) -> customer_backup_files:
        return settings.section(customer_backup_files)

    @cached_property
    def manifest_file(self) -> StoredFile:
        path = self.site.manifest_file.format(run_key=self.run_key)
        return StoredFile(wiring.files(), path)

    @property
    def packed_folder(self) -> Path:
        return Path(self.site.packed_folder) / self.run_key

    @cached_property
    def transfers(self) -> Transfers:
        return all_transfers()


class WriteManifest(BackupStep):
    """Read each file once: count, checksum, compressed copy; list all of them in one file."""

    legacy_flag = 1
    alone_with = ALONE

    def output(self) -> list[luigi.Target]:
        return [self.marker, self.manifest_file]

    def sweep(self) -> None:
        self.manifest_file.store.sweep(self.manifest_file.path)
        shutil.rmtree(self.packed_folder, ignore_errors=True)

    def work(self) -> Evidence:
        from pipelines.customer_backup_files.finding import find, quarantined
        from pipelines.customer_backup_files.manifest import (
            finish_quarantine,
            make_manifest,
            quarantine,
            write_rows,
        )

        sets = all_customers().file_sets
        finish_quarantine(sets, self.site)
        findings = find(sets, self.site, clock.zone())
        if copies_away():
            self.refuse_full_disk(findings)
        with errors_named(str(self.packed_folder)):
            packed = self.packed_folder if copies_away() else None
            manifest = make_manifest(findings.taken, self.site, packed, self.progress)
            for found in manifest.mismatched:
                quarantine(found, self.site.quarantine_folder)
        now = clock.local_now()
        self.transfers.record(self.run_key, [self.transfer(each, now) for each in manifest.listed])
        with (
            self.manifest_file.store.writing(self.manifest_file.path) as local,
            local.open("w") as out,
        ):
            write_rows(out, manifest.listed, self.site.delimiter)
        return self.evidence(findings, manifest, quarantined(sets, self.site))

    def transfer(self, listed: Listed, now: str) -> Transfer:
        from pipelines.customer_backup_files.transfers import LISTED, Transfer

        found, identity = listed.found, listed.found.identity
        return Transfer(
            run_key=self.run_key,
            path=str(found.path),
            process_name=found.file_set.process_name,
            customer=found.file_set.customer,
            companion=found.companion,
            size=identity.size,
            mtime_ns=identity.mtime_ns,
            inode=identity.inode,
            checksum=listed.facts.sha256,
            file_date=listed.file_date,
            far_path=listed.far_path,
            packed_name=listed.packed_name,
            packed_size=listed.facts.packed_size,
            packed_sha256=listed.facts.packed_sha256,
            state=LISTED,
            changed_at=now,
        )

    def refuse_full_disk(self, findings: Findings) -> None:
        """A compressed copy may be as large as its file, at worst."""
        needed = sum(found.identity.size for found in findings.taken)
        place = next(
            path for path in (self.packed_folder, *self.packed_folder.parents) if path.exists()
        )
        free = shutil.disk_usage(place).free
        if needed > free:
            raise DiskFullError(
                f"{place} has {size_in_words(free)} left, and compressing {len(findings.taken)} "
                f"files may take {size_in_words(needed)}. Nothing was changed.",
                "Free some space, or take fewer at a time: [customer_backup_files] files_per_run.",
            )

    def evidence(
        self, findings: Findings, manifest: Manifest, in_quarantine: Sequence[str]
    ) -> Evidence:
        told: list[tuple[str, Sequence[str]]] = [
            ("still being written, left for the next run", findings.left + manifest.left),
            ("refused", findings.refused + manifest.refused),
            ("belong to no customer of the configuration", findings.strangers),
            ("in quarantine, their checksum files say otherwise", in_quarantine),
        ]
        warnings = [f"{len(names)} {what}: {named(names)}" for what, names in told if names]
        if findings.waiting:
            warnings.append(f"{findings.waiting} wait for the next run: there are too many")
        return Evidence(
            rows=len(manifest.listed),
            sums={
                "records": str(sum(each.records for each in manifest.listed)),
                "bytes": str(sum(each.found.identity.size for each in manifest.listed)),
            },
            files=[staging.describe(self.manifest_file)],
            warnings=warnings,
        )


class LoadStaging(BackupStep):
    """Load the manifest into this night's partition of the staging table."""

    after = WriteManifest
    legacy_flag = 2

    def writes(self) -> Sequence[Table]:
        return (STAGING,)

    def work(self) -> Evidence:
        created = self.evidence_of(WriteManifest)
        staging.load(self, STAGING, self.manifest_file, created, WriteManifest)
        for key in staging.expire(self, STAGING, self.site.staging_retention_days):
            wiring.files().remove(self.site.manifest_file.format(run_key=key))
        oldest = self.date - timedelta(days=self.site.transfer_retention_days)
        self.transfers.forget_before(str(oldest))
        return staging.as_evidence(staging.staged_by(self, STAGING, FINAL.partitioned_by))


class PublishCounts(BackupStep):
    """Add the files that the table does not hold yet; what it holds stays counted."""

    after = LoadStaging
    legacy_flag = 3

    def writes(self) -> Sequence[Table]:
        return (FINAL,)

    def work(self) -> Evidence:
        from pipelines.customer_backup_files.transfers import COUNTED, LISTED

        read_at = clock.utc_now()
        staged = staging.staged_by(self, STAGING, FINAL.partitioned_by)
        staging.refuse_other_rows(self, STAGING, staged, LoadStaging)
        dates = sorted(staged)
        new = self.warehouse.totals_of(self.rendered("new_counts", dates), FINAL)
        there = self.warehouse.totals(FINAL, sorted(new))
        expected = {day: _together(there.get(day), totals) for day, totals in new.items()}
        add(self, FINAL, self.select(sorted(new)), expected, read_at)
        listed = [each for each in self.transfers.of(self.run_key) if each.state == LISTED]
        self.transfers.mark(listed, COUNTED, clock.local_now())
        # The same whether this run added them or a killed one before it.
        counted = self.warehouse.row_counts(FINAL, dates)
        return replace(staging.as_evidence(staged), partitions=counted)

    def select(self, dates: Sequence[str]) -> Statement:
        name = "customer_backup_files/publish_counts"
        return union(name, self.rendered("counted", dates), self.rendered("new_counts", dates))

    def rendered(self, name: str, dates: Sequence[str]) -> Statement:
        full = f"customer_backup_files/{name}"
        return render(full, self.warehouse, run_key=self.run_key, dates=dates)

    def verify(self, evidence: Evidence) -> None:
        verify_published(self, FINAL, evidence)
        if left := self.warehouse.query(self.rendered("new_counts", sorted(evidence.partitions))):
            raise AuditError(
                f"{FINAL.name} does not hold {len(left)} of the files that were added just now.",
                "Somebody else writes this table. Rerun when that has stopped.",
            )


class CopyToEdgeNode(BackupStep):
    """Copy each file, compressed, to the second edge node, and verify it there."""

    after = PublishCounts
    legacy_flag = 4
    alone_with = ALONE

    def work(self) -> Evidence:
        from pipelines.customer_backup_files.copying import Copying

        far = wiring.edge_node()
        try:
            copying = Copying(
                self.run_key,
                self.transfers,
                far,
                self.packed_folder,
                self.site.compression_level,
                self.progress,
            )
            return copying.copy_all()
        finally:
            far.close()

    def outlook(self) -> str:
        transfers = self.transfers.of(self.run_key)
        size = size_in_words(sum(each.size for each in transfers))
        return f"would copy {len(transfers)} files, {size}, to {wiring.edge_node()}"


class RemoveLocalFiles(BackupStep):
    """Remove what was sent and is unchanged, with its companion and its compressed copy."""

    after = CopyToEdgeNode
    legacy_flag = 5
    alone_with = ALONE

    def work(self) -> Evidence:
        from pipelines.customer_backup_files.copying import remove_sent

        removed, kept = remove_sent(self.transfers, self.run_key, self.progress)
        shutil.rmtree(self.packed_folder, ignore_errors=True)
        warnings = [f"{len(kept)} kept, changed since they were listed: {named(kept)}"]
        return Evidence(rows=removed, warnings=warnings if kept else ())

    def outlook(self) -> str:
        return f"would remove {len(self.transfers.of(self.run_key))} files that were copied"


class CustomerBackupFiles(Entry):
    """Count the customers' files, copy them to the second edge node, and remove them here."""

    last_step = RemoveLocalFiles

    @classmethod
    def last(cls) -> type[Step]:
        return RemoveLocalFiles if copies_away() else PublishCounts

    @classmethod
    def why_left_out(cls) -> str:
        return "environment = dev"

    @classmethod
    def checks(cls) -> Mapping[str, Callable[[], str | None]]:
        questions = {"customers": in_words, "edge node": lambda: wiring.edge_node().ping()}
        return questions if copies_away() else {"customers": in_words}

    def current_dates(self) -> Sequence[str] | None:
        all_customers()  # or an error, before anything begins
        return [str(self.date)]


def _together(there: Totals | None, new: Totals) -> Totals:
    rows, sums = summed([there, new] if there else [new])
    return Totals(rows, sums)
