"""HDFS, where files and markers may be kept: its settings."""

from __future__ import annotations

from collections.abc import Iterator

import luigi
from luigi.configuration import get_config

from pipelines.parameters import SecondsParameter
from pipelines.settings import Section


class namenode(Section):
    urls = luigi.ListParameter(description="the WebHDFS addresses of all NameNodes")
    auth = luigi.ChoiceParameter(
        choices=["simple", "kerberos"], description="how the NameNodes know us"
    )
    user = luigi.Parameter(description="the user that files belong to")
    root = luigi.Parameter(description="the folder on HDFS that everything of ours goes below")
    trash = luigi.BoolParameter(description="move removed files to the cluster's trash")
    timeout_seconds = SecondsParameter(description="how long to wait for an answer")

    def problems(self) -> Iterator[str]:
        config = get_config()  # a wrong value there is told there
        used = (config.get("files", "store", ""), config.get("state", "markers", ""))
        if "hdfs" not in used and config.get("warehouse", "engine", "") == "duckdb":
            return
        if not self.urls:
            yield (
                "[namenode] urls is empty, and [files] store or [state] markers is hdfs, or "
                "[warehouse] engine works on it."
            )
        for url in self.urls:
            if not str(url).startswith(("http://", "https://")):
                yield f"[namenode] urls: {url!r} is not an address like http://namenode-1:9870."
        if not self.user:
            yield "[namenode] user is empty: name the user that files on HDFS belong to."
        if not self.root.startswith("/") or ":" in self.root:
            yield f"[namenode] root = {self.root!r} must be a folder like /mnaas, without a colon."
