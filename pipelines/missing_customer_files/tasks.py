"""MissingCustomerFiles: compare what was received with what was counted, and mail what is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import luigi

from pipelines import clock, settings, wiring
from pipelines.customers import all_customers, in_words
from pipelines.delivery import Delivery, NightDelivery, NightDone
from pipelines.missing_customer_files.settings import missing_customer_files
from pipelines.night import Entry
from pipelines.staging import describe, refuse_changed
from pipelines.statements import render
from pipelines.step import Step
from pipelines.tables import (
    customers_files_records_count,
    kpi_measurement,
    telena_file_record_count,
)
from targets.errors import MissingInputError
from targets.file import StoredFile
from targets.marker import Evidence
from targets.table import TablePartitions
from targets.warehouse.base import Statement

if TYPE_CHECKING:
    from pipelines.missing_customer_files.report import Report

AWAITED = "CustomerBackupFiles"


class ReportStep(Step):
    task_namespace = "MissingCustomerFiles"

    @property
    def site(self) -> missing_customer_files:
        return settings.section(missing_customer_files)

    @cached_property
    def files(self) -> dict[str, StoredFile]:
        """The report as its mail needs it, and both lists as people do."""
        folder, day = self.site.report_folder, self.run_key
        names = {
            "report": f"report_{day}.json",
            "differences": f"kpi_differences_{day}.csv",
            "missing": f"missing_files_{day}.txt",
        }
        store = wiring.files()
        return {key: StoredFile(store, f"{folder}/{name}") for key, name in names.items()}


class CompareKpis(ReportStep):
    """Compare KPIs and file names of the date, by one query each."""

    legacy_flag = 1

    def output(self) -> list[luigi.Target]:
        return [self.marker, *self.files.values()]

    def sweep(self) -> None:
        for file in self.files.values():
            file.store.sweep(file.path)

    def work(self) -> Evidence:
        compared_at = clock.local_now()
        report = self.compare()
        contents = (report.as_json(), report.as_csv(), report.as_list())
        for file, content in zip(self.files.values(), contents, strict=True):
            file.store.write(file.path, content.encode())
        return Evidence(
            rows=report.missing,
            files=[describe(file) for file in self.files.values()],
            warnings=[*self.doubts(report)],
            details={"compared_at": compared_at, "summary": report.summary},
        )

    def select(self, dates: Sequence[str]) -> Statement:
        return self.rendered("missing_files", dates)

    def rendered(self, name: str, dates: Sequence[str]) -> Statement:
        full = f"missing_customer_files/{name}"
        return render(full, self.warehouse, dates=dates, processes=self.site.processes)

    def compare(self) -> Report:
        from pipelines.missing_customer_files.report import compared

        self.refuse_what_is_not_loaded()
        kpis = {
            (process, customer): (received, generated)
            for process, customer, received, generated in self.warehouse.query(
                self.rendered("kpis", self.dates)
            )
        }
        self.refuse_half_loaded(kpis)
        missing: dict[tuple[str, str], list[str]] = {}
        for process, customer, name in self.warehouse.query(self.select(self.dates)):
            missing.setdefault((process, customer), []).append(name)
        known = all_customers()
        groups = {customer: known.group(customer) for _, customer in {*kpis, *missing}}
        return compared(str(self.date), self.site.processes, kpis, missing, groups)

    def refuse_what_is_not_loaded(self) -> None:
        needed = [kpi_measurement, telena_file_record_count]
        if not self.site.require_backup_night:
            needed.append(customers_files_records_count)
        for table in needed:
            if TablePartitions(self.warehouse, table, self.dates).missing():
                raise self.not_loaded(f"{table.name} has no partition {self.date}")

    def refuse_half_loaded(
        self, kpis: dict[tuple[str, str], tuple[int | None, int | None]]
    ) -> None:
        for number, name in enumerate(("File Received", "File Generated")):
            if all(values[number] is None for values in kpis.values()):
                raise self.not_loaded(f"{kpi_measurement.name} has no {name} of {self.date}")

    def not_loaded(self, words: str) -> MissingInputError:
        return MissingInputError(
            f"{words}: it is not loaded yet. Nothing was compared.",
            f"Rerun when it is there: {self.resume}",
        )

    def doubts(self, report: Report) -> list[str]:
        unknown = sorted({cell.customer for cell in report.cells if cell.group == "unknown"})
        silent = [
            process
            for process in report.processes
            if not any(cell.process == process for cell in report.cells)
        ]
        doubts = [
            f"{cell.process} of {cell.customer}: a KPI is below 0"
            for cell in report.cells
            if cell.invalid
        ]
        if unknown:
            doubts.append(f"customers unknown to the configuration: {', '.join(unknown)}")
        return [*doubts, *(f"no KPI of the process {process}" for process in silent)]


class MailReports(ReportStep):
    """Mail the report, once for each date and content."""

    after = CompareKpis

    def work(self) -> Evidence:
        from pipelines.missing_customer_files.mail import mail_of
        from pipelines.missing_customer_files.report import read_report

        created = self.evidence_of(CompareKpis)
        file = self.files["report"]
        refuse_changed(file, created.files[0], CompareKpis)
        report = read_report(file.store.read(file.path))
        if not report.troubled and not self.site.mail_when_complete:
            return Evidence(details={"mail": "none: nothing is missing"})
        # Named by date and content: what was sent once is known, and not sent again.
        name = f"{self.pipeline()}-{self.date}.{created.files[0]['sha256'][:12]}"
        spool = wiring.spool()
        if spool.was_sent(name):
            self.progress.say(f"{name} was sent before")
        else:
            spool.put(name, mail_of(report, name, created.details["compared_at"]))
            spool.deliver()
        waiting = [mail.problem for mail in spool.waiting() if mail.name == name]
        return Evidence(
            rows=report.missing,
            details={"mail": name},
            warnings=[f"the mail waits in the spool: {problem}" for problem in waiting],
        )


class MissingCustomerFiles(Entry):
    """The files that were received for --date and never passed on."""

    last_step = MailReports

    @classmethod
    def checks(cls) -> Mapping[str, Callable[[], str | None]]:
        return {"customers": in_words}

    def current_dates(self) -> Sequence[str] | None:
        all_customers()  # or an error, before anything begins
        asked = settings.section(missing_customer_files)
        if asked.require_backup_night and not NightDone(AWAITED, str(self.date)).exists():
            return None
        return [str(self.date)]

    def delivery(self) -> Delivery:
        return self.delivered(NightDelivery, awaited=AWAITED)
