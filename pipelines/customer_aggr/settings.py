from __future__ import annotations

from collections.abc import Iterator

import luigi

from pipelines.parameters import CountParameter
from pipelines.settings import Section


class customer_aggr(Section):
    partition_list = luigi.Parameter(description="the list of dates with new or late data")
    output_file = luigi.Parameter(description="the aggregation file in the file store")
    missing_source = luigi.ChoiceParameter(
        choices=["refuse", "skip", "drop"],
        description="what to do with a listed date whose source partition is absent",
    )
    max_drops = CountParameter(description="more partitions are never dropped in one night")
    staging_retention_days = CountParameter(description="how long staged rows are kept")

    def problems(self) -> Iterator[str]:
        if "{run_key}" not in self.output_file:
            yield (
                f"[customer_aggr] output_file = {self.output_file!r} lacks {{run_key}}: two nights "
                "would write one file."
            )
        elif self.output_file.startswith("/") or ".." in self.output_file.split("/"):
            yield (
                f"[customer_aggr] output_file = {self.output_file!r} must be a path below the file "
                "store's root."
            )
