from __future__ import annotations

from collections.abc import Iterator

import luigi

from pipelines.parameters import AddressesParameter
from pipelines.settings import Section


class missing_customer_files(Section):
    processes = luigi.ListParameter(description="the file types that are compared")
    require_backup_night = luigi.BoolParameter(
        description="wait for the night of CustomerBackupFiles of the same date"
    )
    report_folder = luigi.Parameter(description="where in the file store the reports go")
    recipients = AddressesParameter(description="who gets the report")
    cc = AddressesParameter(description="who else")
    mail_when_complete = luigi.BoolParameter(description="a short mail when nothing is missing")

    def problems(self) -> Iterator[str]:
        if not self.processes:
            yield "[missing_customer_files] processes names none."
        if not self.recipients:
            yield "[missing_customer_files] recipients is empty: the report would go to nobody."
        if self.report_folder.startswith("/") or ".." in self.report_folder.split("/"):
            yield (
                f"[missing_customer_files] report_folder = {self.report_folder!r} must be a folder "
                "below the file store's root."
            )
