"""Who published each partition of a final table, from a source read when.

One small record a table, written as an intent before a switch and confirmed after it, under the
table's lock: so that an older night, resumed late, never overwrites newer data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from targets.errors import MarkerError
from targets.store.base import FileStore


@dataclass(frozen=True)
class Publication:
    run_id: str
    run_key: str
    source_read: str
    state: str = "intended"

    def confirmed(self) -> Publication:
        return replace(self, state="published")


class PublishedRecord:
    def __init__(self, store: FileStore, table: str) -> None:
        self._store = store
        self._path = f"published/{table}.json"

    def read(self) -> Mapping[str, Publication]:
        if not self._store.exists(self._path):
            return {}
        try:
            content = json.loads(self._store.read(self._path))
            return {value: Publication(**entry) for value, entry in content.items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise MarkerError(
                f"{self._path} cannot be read: {error}.",
                "It says which night published which partition. If no older night is unfinished, "
                "move the file away and rerun.",
            ) from error

    def newer_than(self, source_read: str, partitions: Iterable[str]) -> dict[str, Publication]:
        """Those of the partitions that were published from a source read later than this."""
        record = self.read()
        return {
            value: record[value]
            for value in partitions
            if value in record and record[value].source_read > source_read
        }

    def write(self, partitions: Iterable[str], publication: Publication) -> None:
        record = {value: asdict(entry) for value, entry in self.read().items()}
        record.update({value: asdict(publication) for value in partitions})
        self._store.sweep(self._path)
        self._store.write(self._path, json.dumps(record, indent=1, sort_keys=True).encode())
