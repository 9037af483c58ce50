from __future__ import annotations

from collections.abc import Iterator

import luigi

from pipelines.parameters import CountParameter, PathParameter, SecondsParameter
from pipelines.settings import Section


class customer_backup_files(Section):
    manifest_file = luigi.Parameter(description="the manifest in the file store")
    packed_folder = PathParameter(description="where compressed files wait to be copied")
    delimiter = luigi.Parameter(description="between the customer and the source's file name")
    companion_suffix = luigi.Parameter(description="of the checksum file beside each file")
    temporary_suffixes = luigi.ListParameter(description="of files that are still being written")
    settle_seconds = SecondsParameter(description="younger files are left for the next run")
    quarantine_folder = luigi.Parameter(description="where files with a wrong checksum go")
    files_per_customer = CountParameter(description="of each type in one run, oldest first")
    files_per_run = CountParameter(description="of all customers in one run, oldest first")
    threads = CountParameter(description="files that are read at once")
    compression_level = CountParameter(description="0 (quick) to 3 (small)")
    staging_retention_days = CountParameter(description="how long manifests are kept")
    transfer_retention_days = CountParameter(description="how long the way of a file is known")

    def problems(self) -> Iterator[str]:
        if "{run_key}" not in self.manifest_file:
            yield (
                f"[customer_backup_files] manifest_file = {self.manifest_file!r} lacks {{run_key}}:"
                " two nights would write one file."
            )
        if self.compression_level > 3:
            yield (
                f"[customer_backup_files] compression_level = {self.compression_level} must be 0 "
                "to 3."
            )
        for key in ("threads", "files_per_customer", "files_per_run"):
            if not getattr(self, key):
                yield f"[customer_backup_files] {key} = 0: at least one is needed."
        name = self.quarantine_folder
        if not name or "/" in name or name.startswith("."):
            yield (
                f"[customer_backup_files] quarantine_folder = {name!r} must be a name: it is a "
                "folder within each folder of files."
            )
        if not self.companion_suffix.startswith("."):
            yield (
                f"[customer_backup_files] companion_suffix = {self.companion_suffix!r} must start "
                "with a dot."
            )
