"""A night as it was begun, in the state folder: its list belongs to it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from targets.errors import MarkerError
from targets.store.base import FileStore


def run_key_of(date: object, variant: str) -> str:
    """What names a night among those of its pipeline: 2021-04-30, 2021-04-30@month-2021-04."""
    return f"{date}@{variant}" if variant else str(date)


@dataclass(frozen=True)
class Night:
    dates: tuple[str, ...]
    run_id: str
    resume: str = ""
    running: bool = True


class StoredNight:
    """A night as it was begun, in the state folder."""

    def __init__(self, store: FileStore, pipeline: str, run_key: str) -> None:
        self._store = store
        self._path = f"nights/{pipeline}/{run_key}.json"

    def read(self) -> Night | None:
        if not self._store.exists(self._path):
            return None
        try:
            content = json.loads(self._store.read(self._path))
            return Night(**{**content, "dates": tuple(content["dates"])})
        except (ValueError, TypeError, KeyError) as error:
            raise MarkerError(
                f"{self._path} in {self._store!r} cannot be read: {error!r}.",
                "It holds the list of an unfinished night. Move it away and rerun: the night then "
                "works on the current list alone.",
            ) from error

    def write(self, night: Night) -> None:
        self._store.sweep(self._path)
        self._store.write(self._path, json.dumps(asdict(night)).encode())

    def remove(self) -> None:
        self._store.remove(self._path)

    def ended(self) -> None:
        """Its run ended in order, however it went."""
        night = self.read()
        if night is not None and night.running:
            self.write(replace(night, running=False))
