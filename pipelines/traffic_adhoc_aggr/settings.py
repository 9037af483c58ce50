from __future__ import annotations

import re
from collections.abc import Iterator

import luigi

from pipelines.parameters import CountParameter, SecondsParameter
from pipelines.settings import Section

_NAME = re.compile(r"[a-z0-9_-]+\Z")


class traffic_adhoc_aggr(Section):
    partition_lists = luigi.DictParameter(description="named lists of dates: a variant each")
    missing_source = luigi.ChoiceParameter(
        choices=["refuse", "skip", "drop"],
        description="what to do with a listed date whose source partition is absent",
    )
    max_drops = CountParameter(description="more partitions are never dropped in one night")
    staging_retention_days = CountParameter(description="how long staged rows are kept")
    publish = luigi.ChoiceParameter(
        choices=["switch", "in_place"], description="all partitions at once, or one by one"
    )
    refresh_passes = CountParameter(description="in_place: refreshes while it is being loaded")
    refresh_wait_seconds = SecondsParameter(description="in_place: the wait before each of them")

    def problems(self) -> Iterator[str]:
        if not self.partition_lists:
            yield "[traffic_adhoc_aggr] partition_lists names no list."
        for name, file in self.partition_lists.items():
            if not _NAME.match(name):
                yield (
                    f"[traffic_adhoc_aggr] partition_lists: {name!r} is not a name: use a-z, 0-9, "
                    "_ and -."
                )
            if not isinstance(file, str) or not file:
                yield f"[traffic_adhoc_aggr] partition_lists: {name} names no file but {file!r}."
