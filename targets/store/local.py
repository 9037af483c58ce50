"""A file store in a local folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from targets.errors import DiskFullError, MissingInputError, StoreError
from targets.store.base import (
    FileInfo,
    FileStore,
    Outgoing,
    Sent,
    checked_path,
    corrupt,
    is_part,
    part_name,
    sending_name,
)

FILE_MODE = 0o640
FOLDER_MODE = 0o750


class LocalStore(FileStore):
    def __init__(self, root: Path) -> None:
        self.root = root

    def __repr__(self) -> str:
        return f"LocalStore({str(self.root)!r})"

    def path(self, path: str) -> Path:
        return self.root / checked_path(path)

    def exists(self, path: str) -> bool:
        with errors_named(path):
            return self.path(path).is_file()

    def size(self, path: str) -> int:
        with errors_named(path):
            return self.path(path).stat().st_size

    def list(self, folder: str) -> Sequence[FileInfo]:
        found = []
        with errors_named(folder), contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.path(folder)):
                if entry.is_file() and not is_part(entry.name):
                    stat = entry.stat()
                    found.append(FileInfo(f"{folder}/{entry.name}", stat.st_size, stat.st_mtime))
        return sorted(found, key=lambda info: info.path)

    def folders(self, folder: str) -> Sequence[str]:
        with errors_named(folder), contextlib.suppress(FileNotFoundError):
            return sorted(entry.name for entry in os.scandir(self.path(folder)) if entry.is_dir())
        return []

    def open(self, path: str) -> BinaryIO:
        with errors_named(path):
            return self.path(path).open("rb")

    def rename(self, old: str, new: str) -> None:
        with errors_named(old):
            make_folder(self.path(new).parent)
            replace_durably(self.path(old), self.path(new))
            sync(self.path(old).parent)

    def remove(self, path: str) -> None:
        with errors_named(path):
            self.path(path).unlink(missing_ok=True)

    def checksum(self, path: str) -> str:
        with errors_named(path):
            return _sha256(self.path(path))

    def put(self, local: Path, path: str) -> None:
        with self.writing(path) as target:
            shutil.copyfile(local, target)

    @contextlib.contextmanager
    def writing(self, path: str) -> Iterator[Path]:
        final = self.path(path)
        part = final.with_name(part_name(final.name))
        with errors_named(path):
            make_folder(final.parent)
            try:
                os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))
                yield part
                os.chmod(part, FILE_MODE)
                replace_durably(part, final)
            except BaseException:
                part.unlink(missing_ok=True)
                raise

    def send(self, files: Sequence[Outgoing], sent: Sent) -> None:
        for file in files:
            final = self.path(file.path)
            part = final.with_name(sending_name(final.name, file.sha256))
            with errors_named(file.path):
                make_folder(final.parent)
                shutil.copyfile(file.local, part)
                if _sha256(part) != file.sha256:
                    part.unlink()
                    raise corrupt([file.path], repr(self))
                os.chmod(part, FILE_MODE)
                replace_durably(part, final)
            sent([file])

    def ping(self) -> None:
        with errors_named(str(self.root)):
            make_folder(self.root)
            os.listdir(self.root)

    @contextlib.contextmanager
    def reading(self, path: str) -> Iterator[Path]:
        with errors_named(path):
            yield self.path(path).resolve(strict=True)

    def sweep(self, prefix: str) -> None:
        place = self.path(prefix)
        with errors_named(prefix), contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(place.parent):
                if is_part(entry.name) and entry.name.startswith(f".{place.name}"):
                    os.unlink(entry.path)


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(1 << 20))
    with file.open("rb") as stream:
        while count := stream.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


@contextlib.contextmanager
def errors_named(path: str) -> Iterator[None]:
    """Turn the system's errors into ours, with the path in them."""
    try:
        yield
    except FileNotFoundError as error:
        name = error.filename or path
        raise MissingInputError(
            f"{name} is not there.", "Look for who should have written it."
        ) from error
    except OSError as error:
        where = error.filename or path
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"{where}: no space left on the device.",
                "Nothing was published. Free some space and rerun.",
            ) from error
        raise StoreError(
            f"{where}: {error.strerror or error}.",
            "Check that the folder is there and that this user may write to it.",
        ) from error


def make_folder(folder: Path) -> None:
    if not folder.is_dir():
        make_folder(folder.parent)  # mkdir(parents=True) would give these the default mode
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)


def sync(path: Path) -> None:
    """What is in this file or folder survives a power cut from here on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_durably(part: Path, final: Path) -> None:
    sync(part)
    os.replace(part, final)
    sync(final.parent)
