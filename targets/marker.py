"""Marker: the proof that a step is done, and what it did.

It is named `<Pipeline>/<NN-Step>/<run key>.<digest>.json`. The digest covers what the step was
asked to do, so the name is the proof: other inputs, other name, not done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

import luigi

from targets.errors import MarkerError, MnaasError
from targets.store.base import FileStore


@dataclass(frozen=True)
class Evidence:
    """What a step did, as it writes it into its marker."""

    rows: int = 0
    partitions: Mapping[str, int] = field(default_factory=dict)
    sums: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def with_warnings(self, more: Sequence[str]) -> Evidence:
        return replace(self, warnings=[*self.warnings, *more])


@dataclass(frozen=True)
class Record:
    """A marker's content."""

    pipeline: str
    step: str
    run_key: str
    parameters: Mapping[str, str]
    inputs: Mapping[str, str]
    run_id: str
    host: str
    version: str
    started: str
    ended: str
    attempts: int
    evidence: Evidence


class Marker(luigi.Target):
    def __init__(
        self, store: FileStore, pipeline: str, step: str, run_key: str, digest: str
    ) -> None:
        self.store = store
        self.pipeline = pipeline
        self.step = step
        self.run_key = run_key
        self.path = f"{pipeline}/{step}/{run_key}.{digest}.json"

    def __str__(self) -> str:
        return self.path

    def exists(self) -> bool:
        """Is it there? A marker that is there and cannot be read is an error, never 'not done'."""
        if not self.store.exists(self.path):
            return False
        self.read()
        return True

    def read(self) -> Record:
        try:
            content = json.loads(self.store.read(self.path))
            evidence = Evidence(**content.pop("evidence"))
            return Record(**content, evidence=evidence)
        except (MnaasError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise MarkerError(
                f"the marker {self.path} cannot be read: {str(error).splitlines()[0]}.",
                f"Remove it from {self.store!r} and rerun: its step is then done again.",
            ) from error

    def write(self, record: Record) -> None:
        self.store.write(self.path, json.dumps(asdict(record), indent=1).encode())


@dataclass(frozen=True)
class MarkerFile:
    """A marker's place in the store, as its name tells it."""

    path: str
    step: str
    run_key: str


def markers_of(store: FileStore, pipeline: str, step: str = "") -> list[MarkerFile]:
    """All markers of a pipeline, or of one step: one listing a step."""
    found = []
    for folder in [step] if step else store.folders(pipeline):
        for info in store.list(f"{pipeline}/{folder}"):
            run_key, _, rest = PurePosixPath(info.path).name.partition(".")
            if rest.endswith(".json"):
                found.append(MarkerFile(info.path, folder, run_key))
    return found


def would_forget(store: FileStore, pipeline: str, run_key: str, from_step: str) -> list[str]:
    """The run key's markers of this step and those after it."""
    return [
        marker.path
        for marker in markers_of(store, pipeline)
        if marker.run_key == run_key and marker.step >= from_step
    ]


def forget(store: FileStore, pipeline: str, run_key: str, from_step: str) -> list[str]:
    """Remove the run key's markers of this step and those after it, the last step's first."""
    gone = would_forget(store, pipeline, run_key, from_step)
    for path in reversed(gone):
        store.remove(path)
    return gone
