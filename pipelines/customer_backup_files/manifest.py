"""The manifest of a night: every file read once, in a few threads, and what became of it."""

from __future__ import annotations

import contextlib
import csv
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from pipelines.customer_backup_files.finding import Found
from pipelines.customer_backup_files.reading import Changed, Facts, read_once
from pipelines.customer_backup_files.settings import customer_backup_files
from pipelines.customers import FileSet
from targets.store.local import make_folder, sync

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Listed:
    """A file in the manifest."""

    found: Found
    facts: Facts
    packed_name: str  # of its compressed copy, made now or later

    @property
    def records(self) -> int:
        return max(0, self.facts.lines - self.found.file_set.header)

    @property
    def file_date(self) -> str:
        return f"{self.found.timestamp:%Y-%m-%d}"

    @property
    def far_path(self) -> str:
        return f"{self.found.file_set.far_folder}/{self.found.name}.gz"

    def row(self, delimiter: str) -> list[object]:
        """The columns of the table, and its partition at the end."""
        file_set, name = self.found.file_set, self.found.name
        return [
            file_set.customer,
            file_set.process_name,
            name.removeprefix(f"{file_set.customer}{delimiter}"),
            name,
            f"{self.found.timestamp:%Y-%m-%d %H:%M:%S}",
            self.records,
            self.found.identity.size,
            self.facts.sha256,
            self.found.companion or "\\N",
            self.file_date,
        ]


class Mismatch(Exception):
    """The checksum file says otherwise."""


@dataclass
class Manifest:
    listed: list[Listed] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    mismatched: list[Found] = field(default_factory=list)


def make_manifest(
    taken: Sequence[Found],
    asked: customer_backup_files,
    packed_folder: Path | None,
    progress: Progress,
) -> Manifest:
    """Read all of them; compressed copies go to the folder, when there is one."""
    manifest, lock = Manifest(), threading.Lock()
    total, read = sum(found.identity.size for found in taken) or 1, 0
    if packed_folder:
        make_folder(packed_folder)

    def read_one(number: int) -> None:
        nonlocal read
        found = taken[number]
        name = f"{number:07d}.gz"
        packed = packed_folder / name if packed_folder else None
        outcome = _read(found, packed, asked.compression_level)
        with lock:
            _sort_in(manifest, found, outcome, name)
            read += found.identity.size
            progress(read / total, f"{number + 1} of {len(taken)} files read")

    with ThreadPoolExecutor(asked.threads) as threads:
        for _ in threads.map(read_one, range(len(taken))):
            pass  # the first error stops the step
    manifest.listed.sort(key=_in_order)
    return manifest


def write_rows(out: TextIO, listed: Sequence[Listed], delimiter: str) -> None:
    writer = csv.writer(out, delimiter=";", lineterminator="\n")
    writer.writerows(each.row(delimiter) for each in listed)


def quarantine(found: Found, folder_name: str) -> None:
    """Move a file and its companion aside, into a folder of their own that was not there."""
    folder = found.file_set.folder
    place = _free_place(folder / folder_name, found.name)
    make_folder(place)
    # The companion last: killed in between, the file alone would pass for one that has none.
    for name in (found.name, found.companion):
        os.replace(folder / name, place / name)
        sync(place)
    sync(folder)


def _free_place(quarantine_folder: Path, name: str) -> Path:
    """What came before under the same name stays."""
    names = itertools.chain([name], (f"{name}.{number}" for number in itertools.count(2)))
    return next(
        place for each in names if not os.path.lexists((place := quarantine_folder / each) / name)
    )


def finish_quarantine(sets: Iterable[FileSet], asked: customer_backup_files) -> None:
    """Let companions follow whose files were moved by a run that was killed right then."""
    for folder in dict.fromkeys(each.folder for each in sets):
        for file in (folder / asked.quarantine_folder).glob("*/*"):
            companion = f"{file.name}{asked.companion_suffix}"
            alone = not (file.parent / companion).exists() and not (folder / file.name).exists()
            if alone and not file.name.endswith(asked.companion_suffix):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(folder / companion, file.parent / companion)


def _read(found: Found, packed: Path | None, level: int) -> Facts | Exception:
    """What it is; Mismatch when its companion says otherwise."""
    try:
        facts = read_once(
            found.path,
            found.identity,
            with_cksum=bool(found.companion),
            pack_to=packed,
            level=level,
        )
        if found.companion and not _matches(found, facts):
            if packed:
                packed.unlink()
            return Mismatch()
        return facts
    except (Changed, FileNotFoundError, PermissionError) as error:
        return error


def _sort_in(
    manifest: Manifest, found: Found, outcome: Facts | Exception, packed_name: str
) -> None:
    if isinstance(outcome, PermissionError):
        manifest.refused.append(f"{found.name}: it cannot be read by this user")
    elif isinstance(outcome, Mismatch):
        manifest.mismatched.append(found)
    elif isinstance(outcome, Exception):
        manifest.left.append(found.name)
    else:
        manifest.listed.append(Listed(found, outcome, packed_name))


def _matches(found: Found, facts: Facts) -> bool:
    """Whether the companion says, as `cksum` prints it, what was read."""
    companion = found.file_set.folder / found.companion
    with companion.open("rb") as stream:
        text = stream.read(4096).decode(errors="replace")
    words = text.split(maxsplit=2)
    named = Path(words[2].strip()).name if len(words) > 2 else ""
    return " ".join(words[:2]) == facts.cksum and named in ("", found.name)


def _in_order(listed: Listed) -> tuple[str, str, str]:
    found = listed.found
    return found.file_set.process_name, found.file_set.customer, found.name
