"""The second edge node, where backup files are copied to: its settings."""

from __future__ import annotations

from collections.abc import Iterator

import luigi
from luigi.configuration import get_config

from pipelines.configuration import path
from pipelines.parameters import CountParameter, PathParameter, SecondsParameter
from pipelines.settings import Section


class edge_node(Section):
    transport = luigi.ChoiceParameter(
        choices=["folder", "sftp"], description="a folder of this machine, or SFTP"
    )
    folder = luigi.Parameter(description="the folder that the files go below, here or there")
    host = luigi.Parameter(description="the machine")
    port = CountParameter(description="its SSH port")
    user = luigi.Parameter(description="the name to log in with")
    key_file = luigi.Parameter(description="the private key to log in with, mode 0600")
    known_hosts = PathParameter(description="the machine's host key; an unknown one is refused")
    timeout_seconds = SecondsParameter(description="how long to wait for an answer")
    channels = CountParameter(description="files in flight at once, over one connection")

    def problems(self) -> Iterator[str]:
        if not self.folder:
            yield "[edge_node] folder is empty: name the folder that the files go below."
        if not 1 <= self.channels <= 8:
            yield f"[edge_node] channels = {self.channels} must be 1 to 8: sshd admits ten."
        prod = get_config().get("mnaas", "environment", "") == "prod"
        if self.transport == "sftp" and prod:
            yield from self._problems_of_sftp()

    def _problems_of_sftp(self) -> Iterator[str]:
        for key in ("host", "user", "key_file"):
            if not getattr(self, key):
                yield (
                    f"[edge_node] {key} is empty, and environment = prod copies backups there. "
                    "Set it, or set environment = dev."
                )
        if self.key_file and not path(self.key_file).is_file():
            yield f"[edge_node] key_file = {self.key_file!r} is not a file."
        elif self.key_file and path(self.key_file).stat().st_mode & 0o077:
            yield f"[edge_node] key_file can be read by others: chmod 0600 {self.key_file}"
        if not self.known_hosts.is_file():
            yield (
                f"[edge_node] known_hosts = {str(self.known_hosts)!r} is not a file; make it with: "
                f"ssh-keyscan -p {self.port} {self.host or 'HOST'} > {self.known_hosts}, and "
                "compare the key with the machine's own."
            )
