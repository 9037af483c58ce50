"""Which files there are, which of them are taken, and why the others are not."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pipelines.customer_backup_files.reading import Identity
from pipelines.customer_backup_files.settings import customer_backup_files
from pipelines.customers import FileSet
from targets.errors import MissingInputError

_TIMESTAMP = re.compile(r"(?<!\d)(20\d{6})(\d{6}|\d{4})?(?!\d)")
_LONGEST = 230  # a copy adds .gz, and while it travels a checksum, to at most 255
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Found:
    """A file that may be taken."""

    file_set: FileSet
    name: str
    identity: Identity
    timestamp: datetime
    companion: str  # its name; empty when there is none

    @property
    def path(self) -> Path:
        return self.file_set.folder / self.name


@dataclass
class Findings:
    """Everything in the folders, by what becomes of it."""

    taken: list[Found] = field(default_factory=list)
    waiting: int = 0  # for a next run: there were too many
    left: list[str] = field(default_factory=list)  # still being written
    refused: list[str] = field(default_factory=list)  # by name, each with the reason
    strangers: list[str] = field(default_factory=list)  # of no customer


def find(sets: Sequence[FileSet], asked: customer_backup_files, zone: ZoneInfo) -> Findings:
    """One listing a folder, whatever the number of customers."""
    findings = Findings()
    found: dict[FileSet, list[Found]] = {}
    for folder in dict.fromkeys(each.folder for each in sets):
        finder = _Finder(folder, [each for each in sets if each.folder == folder], asked, zone)
        for one in finder.look(findings):
            found.setdefault(one.file_set, []).append(one)
    for files in found.values():
        files.sort(key=_age)
        findings.waiting += max(0, len(files) - asked.files_per_customer)
        findings.taken += files[: asked.files_per_customer]
    findings.taken.sort(key=_age)
    findings.waiting += max(0, len(findings.taken) - asked.files_per_run)
    del findings.taken[asked.files_per_run :]
    return findings


def quarantined(sets: Iterable[FileSet], asked: customer_backup_files) -> list[str]:
    """The files that lie in quarantine, without their companions."""
    return [
        str(file.relative_to(folder.parent))
        for folder in dict.fromkeys(each.folder for each in sets)
        for file in sorted((folder / asked.quarantine_folder).glob("*/*"))
        if not file.name.endswith(asked.companion_suffix)
    ]


def _age(found: Found) -> tuple[datetime, str]:
    return found.timestamp, found.name


def why_refused(name: str) -> str:
    """Why a name cannot stand in a table of text and on another machine; empty when it can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if not name.isprintable():
        return "its name holds control characters"
    if len(name.encode()) > _LONGEST:
        return f"its name is longer than {_LONGEST} bytes"
    if ";" in name or "\\" in name:
        return "its name holds ; or \\"
    return ""


class _Finder:
    """The files of one folder."""

    def __init__(
        self,
        folder: Path,
        sets: Sequence[FileSet],
        asked: customer_backup_files,
        zone: ZoneInfo,
    ) -> None:
        self._folder = folder
        self._asked = asked
        self._zone = zone
        # By the literal start of their patterns: a file is compared with few of 2,000 patterns.
        self._sets: dict[str, list[tuple[re.Pattern[str], FileSet]]] = {}
        for each in sets:
            start, regex = _compiled(each)
            self._sets.setdefault(start, []).append((regex, each))
        self._lengths = sorted({len(start) for start in self._sets}, reverse=True)

    def look(self, findings: Findings) -> Iterator[Found]:
        entries = self._entries()
        young = time.time() - self._asked.settle_seconds
        suffix = self._asked.companion_suffix
        for name, status in sorted(entries.items()):
            if name.endswith(suffix) and name[: -len(suffix)] in entries:
                continue
            file_set = self._set_of(name)
            companion = entries.get(name + suffix)
            if self._is_temporary(name):
                findings.left.append(name)
            elif file_set is None:
                findings.strangers.append(ascii(name)[1:-1])
            elif not stat.S_ISREG(status.st_mode):
                findings.refused.append(f"{ascii(name)[1:-1]}: it is not a regular file")
            elif why := why_refused(name):
                findings.refused.append(f"{ascii(name)[1:-1]}: {why}")
            elif max(status.st_mtime, companion.st_mtime if companion else 0) > young:
                findings.left.append(name)
            else:
                moment = self._timestamp(name, status)
                companion_name = name + suffix if companion else ""
                yield Found(file_set, name, Identity.of(status), moment, companion_name)

    def _entries(self) -> dict[str, os.stat_result]:
        try:
            with os.scandir(self._folder) as entries:
                return {
                    entry.name: entry.stat(follow_symlinks=False)
                    for entry in entries
                    if entry.name != self._asked.quarantine_folder
                }
        except FileNotFoundError:
            raise MissingInputError(
                f"{self._folder} is not there.",
                "Make the folder, or mend it in the file that [customers] file names.",
            ) from None

    def _set_of(self, name: str) -> FileSet | None:
        for length in self._lengths:
            for regex, file_set in self._sets.get(name[:length], ()):
                if regex.match(name):
                    return file_set
        return None

    def _is_temporary(self, name: str) -> bool:
        return name.startswith(".") or name.endswith(tuple(self._asked.temporary_suffixes))

    def _timestamp(self, name: str, status: os.stat_result) -> datetime:
        """As the name says it, or else when the file was last written."""
        for day, hours in _TIMESTAMP.findall(name):
            try:
                return datetime.strptime(f"{day}{hours:0<6}", "%Y%m%d%H%M%S")
            except ValueError:
                continue
        written = datetime.fromtimestamp(int(status.st_mtime), self._zone)
        return written.replace(tzinfo=None)


def _compiled(file_set: FileSet) -> tuple[str, re.Pattern[str]]:
    """The literal start of a pattern, and the whole; the customer's name stands for itself."""
    before, found, after = file_set.pattern.partition("{customer}")
    wild = _WILD.search(before)
    start = before[: wild.start()] if wild else before
    if found and not wild:
        wild = _WILD.search(after)
        start += file_set.customer + (after[: wild.start()] if wild else after)
    escaped = re.sub(r"([*?\[])", r"[\1]", file_set.customer)
    pattern = file_set.pattern.replace("{customer}", escaped)
    return start, re.compile(fnmatch.translate(pattern))
