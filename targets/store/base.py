"""What every file store can do. A file is there whole or not at all."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from targets.errors import StoreError

_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part\Z")


@dataclass(frozen=True)
class FileInfo:
    path: str
    size: int
    modified: float


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
    def writing(self, path: str) -> contextlib.AbstractContextManager[Path]:
        """A local file to fill; at the end it is stored durably as `path`, or on an error not."""

    @abstractmethod
    def reading(self, path: str) -> contextlib.AbstractContextManager[Path]:
        """A local file with the content of `path`, to be read only."""

    @abstractmethod
    def sweep(self, prefix: str) -> None:
        """Remove what killed writers left of the files whose paths begin so; nobody else writes."""

    def read(self, path: str) -> bytes:
        with self.open(path) as stream:
            return stream.read()

    def write(self, path: str, data: bytes) -> None:
        with self.writing(path) as local:
            local.write_bytes(data)

    def put(self, local: Path, path: str) -> None:
        with self.writing(path) as target:
            shutil.copyfile(local, target)

    def get(self, path: str, local: Path) -> None:
        with self.open(path) as source, local.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)


def checked_path(path: str) -> str:
    """The path, when it stays below the store's root."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path:
        raise StoreError(f"{path!r} is not a path below the store's root.", "Leave out / and .. .")
    return path


def part_name(name: str) -> str:
    """A temporary name beside the final one, never listed."""
    return f".{name}.{secrets.token_hex(4)}.part"


def is_part(name: str) -> bool:
    return bool(_PART.match(name))
