"""The directories beside a table: what its partitions pointed at before, and for how long it stays.

`<table>.versions/<version>/<partition>=<value>/`. A record of each version says what it replaces;
it is written before anything is, and settled when all is switched. Only what a record names is
ever removed, and never what a partition points at.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from targets.errors import MarkerError
from targets.store.base import FileStore

_URL = re.compile(r"\w+://[^/]*(?=/)")


@dataclass(frozen=True)
class Superseded:
    """A directory that a partition pointed at."""

    partition: str
    location: str


@dataclass(frozen=True)
class Version:
    """One writing of a table, or one dropping: its directory, and what it replaced."""

    table: str
    name: str
    folder: str
    begun: float
    superseded: Sequence[Superseded] = ()
    settled: bool = False

    @property
    def shadow(self) -> str:
        """The table that it is written through."""
        return shadow_name(self.table, self.name)


class VersionRecords:
    def __init__(self, store: FileStore) -> None:
        self._store = store

    def intend(self, version: Version) -> None:
        content = json.dumps(asdict(version), indent=1)
        self._store.write(self._path(version), content.encode())

    def settle(self, version: Version) -> None:
        self.intend(replace(version, settled=True))

    def forget(self, version: Version) -> None:
        self._store.remove(self._path(version))

    def of(self, table: str) -> Iterator[Version]:
        """All records of a table, the oldest first."""
        found = []
        for info in self._store.list(f"versions/{table}"):
            try:
                content = json.loads(self._store.read(info.path))
                superseded = [Superseded(**each) for each in content.pop("superseded")]
                found.append(Version(**content, superseded=superseded))
            except (ValueError, TypeError, KeyError) as error:
                raise MarkerError(
                    f"{info.path} in the state folder cannot be read: {error}.",
                    "It says which directories of the table may be removed. Move the file away: "
                    "they then stay.",
                ) from error
        yield from sorted(found, key=lambda version: version.begun)

    @staticmethod
    def _path(version: Version) -> str:
        return f"versions/{version.table}/{version.name}.json"


def new_version(table: str, name: str, location: str) -> Version:
    return Version(table, name, f"{base_of(location)}.versions/{name}", time.time())


def shadow_name(table: str, version: str) -> str:
    """At most 128 letters, which is what a metastore takes."""
    tail = re.sub(r"[^a-z0-9]+", "_", version.lower())[-60:].strip("_")
    return f"{table[:60]}__{tail}"


def base_of(location: str) -> str:
    """The table's own directory, whichever version it points at."""
    return re.sub(r"\.versions/[^/]+(/[^/]+)?$", "", location.rstrip("/"))


def path_of(location: str) -> str:
    """A location as a path on its file system, relative to the root."""
    return _URL.sub("", location, count=1).strip("/")
