"""What every file store can do. A file is there whole or not at all."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from targets.errors import CorruptCopyError, StoreError

_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part\Z")


@dataclass(frozen=True)
class FileInfo:
    path: str
    size: int
    modified: float


@dataclass(frozen=True)
class Outgoing:
    """A local file, where it is to go, and what it must be when it is there."""

    local: Path
    path: str
    size: int
    sha256: str


Sent = Callable[[Sequence[Outgoing]], None]


class FileStore(ABC):
    """Paths are relative to the store's root and use `/`."""

    @abstractmethod
    def exists(self, path: str) -> bool: ...

    @abstractmethod
    def size(self, path: str) -> int: ...

    @abstractmethod
    def list(self, folder: str) -> Sequence[FileInfo]:
        """The files right in this folder, by name; none when there is no such folder."""

    @abstractmethod
    def folders(self, folder: str) -> Sequence[str]:
        """The names of the folders right in this folder."""

    @abstractmethod
    def open(self, path: str) -> BinaryIO: ...

    @abstractmethod
    def rename(self, old: str, new: str) -> None:
        """Replaces `new` when it exists."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Nothing happens when it is not there."""

    @abstractmethod
    def checksum(self, path: str) -> str:
        """SHA-256, in hex."""

    @abstractmethod
    def put(self, local: Path, path: str) -> None:
        """Store a local file durably as `path`, or on an error not."""

    @abstractmethod
    def sweep(self, prefix: str) -> None:
        """Remove what killed writers left of the files whose paths begin so; nobody else writes."""

    @abstractmethod
    def send(self, files: Sequence[Outgoing], sent: Sent) -> None:
        """Store many files; `sent` hears of those that are there.

        Each appears under its name only when its checksum, taken where it is stored, is the right
        one; else CorruptCopyError.
        """

    @abstractmethod
    def ping(self) -> None:
        """An error when the store does not answer."""

    def close(self) -> None:  # noqa: B027
        """Give back what the store holds open."""

    def checksums(self, paths: Sequence[str]) -> Mapping[str, str]:
        """Those of the files that are there."""
        return {path: self.checksum(path) for path in paths if self.exists(path)}

    def read(self, path: str) -> bytes:
        with self.open(path) as stream:
            return stream.read()

    def write(self, path: str, data: bytes) -> None:
        with self.writing(path) as local:
            local.write_bytes(data)

    @contextlib.contextmanager
    def writing(self, path: str) -> Iterator[Path]:
        """A local file to fill; at the end it is stored durably as `path`, or on an error not."""
        with tempfile.TemporaryDirectory(prefix="mnaas-") as folder:
            local = Path(folder) / "file"
            local.touch()
            yield local
            self.put(local, path)

    @contextlib.contextmanager
    def reading(self, path: str) -> Iterator[Path]:
        """A local file with the content of `path`, to be read only."""
        with tempfile.TemporaryDirectory(prefix="mnaas-") as folder:
            local = Path(folder) / "file"
            self.get(path, local)
            yield local

    def get(self, path: str, local: Path) -> None:
        with self.open(path) as source, local.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)


def corrupt(paths: Sequence[str], where: str) -> CorruptCopyError:
    return CorruptCopyError(
        f"{', '.join(paths)} arrived in {where} with another checksum than it left with.",
        "It was not put in place; it is sent again.",
        paths,
    )


def checked_path(path: str) -> str:
    """The path, when it stays below the store's root."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise StoreError(f"{path!r} is not a path below the store's root.", "Leave out / and .. .")
    return path


def part_name(name: str) -> str:
    """A temporary name beside the final one, never listed."""
    return f".{name}.{secrets.token_hex(4)}.part"


def sending_name(name: str, sha256: str) -> str:
    """Always the same temporary name: sent again, what a killed run left is written over."""
    return f".{name}.{sha256[:8]}.part"


def is_part(name: str) -> bool:
    return bool(_PART.match(name))
