"""Read a file once: its records, its checksums, and a compressed copy of it, in one pass."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Protocol

from targets.store.local import FILE_MODE

_BUFFER = 1 << 20
_of_thread = threading.local()
_NEWLINE = 10
_MIRRORED = bytes(int(f"{number:08b}"[::-1], 2) for number in range(256))


class Changed(Exception):
    """The file is still being written, or is not the one that was meant."""


@dataclass(frozen=True)
class Identity:
    """What tells that a file is still the same, without reading it."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Identity:
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


@dataclass(frozen=True)
class Facts:
    lines: int
    sha256: str
    cksum: str  # as `cksum` prints it: CRC and bytes; empty when nobody asked
    packed_size: int = 0
    packed_sha256: str = ""


class _Compressor(Protocol):
    def compress(self, data: memoryview) -> bytes: ...
    def flush(self) -> bytes: ...


class _Packed:
    """The compressed copy, written while its checksum is taken."""

    def __init__(self, out: FileIO, level: int) -> None:
        from isal import isal_zlib

        # 31 is gzip, with neither name nor time in its header: equal files give equal copies.
        self._compressor: _Compressor = isal_zlib.compressobj(level, isal_zlib.DEFLATED, 31)
        self._out = out
        self._digest = hashlib.sha256()
        self.size = 0

    def take(self, data: memoryview) -> None:
        self._write(self._compressor.compress(data))

    def finish(self) -> str:
        self._write(self._compressor.flush())
        return self._digest.hexdigest()

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self.size += self._out.write(data)


def identity(path: Path) -> Identity:
    """Of a regular file; links are not followed."""
    return Identity.of(path.lstat())


def read_once(
    path: Path, expected: Identity, *, with_cksum: bool, pack_to: Path | None, level: int
) -> Facts:
    """Everything about a file; Changed when it is not, or not any more, the expected one."""
    # Counts at memory speed and, unlike bytes.count, lets the other thread go on meanwhile.
    import numpy

    digest, lines, last = hashlib.sha256(), 0, _NEWLINE
    crc = _Cksum() if with_cksum else None
    buffer = _buffer()
    view, letters = memoryview(buffer), numpy.frombuffer(buffer, numpy.uint8)
    with _opened(path) as source, _packing(pack_to, level) as packed:
        if Identity.of(os.fstat(source.fileno())) != expected:
            raise Changed
        while count := source.readinto(buffer):
            data = view[:count]
            digest.update(data)
            lines += int(numpy.count_nonzero(letters[:count] == _NEWLINE))
            last = buffer[count - 1]
            if crc:
                crc.take(data)
            if packed:
                packed.take(data)
        if Identity.of(os.fstat(source.fileno())) != expected:
            raise Changed
        packed_sha256 = packed.finish() if packed else ""
        return Facts(
            lines + (last != _NEWLINE),  # a last line without its end is a line
            digest.hexdigest(),
            crc.printed() if crc else "",
            packed.size if packed else 0,
            packed_sha256,
        )


def _buffer() -> bytearray:
    """One for each thread: to make it anew for each of 1,000 files would take a tenth longer."""
    if not hasattr(_of_thread, "buffer"):
        _of_thread.buffer = bytearray(_BUFFER)
    found: bytearray = _of_thread.buffer
    return found


class _Cksum:
    """The CRC of POSIX `cksum`.

    It is the CRC-32 of zlib with the bits of each byte, and of the result, the other way round,
    starting from 0, over the content and then the digits of its length.
    """

    def __init__(self) -> None:
        self._value, self._size = 0xFFFFFFFF, 0

    def take(self, data: memoryview) -> None:
        from isal import isal_zlib

        self._size += len(data)
        self._value = isal_zlib.crc32(bytes(data).translate(_MIRRORED), self._value)

    def printed(self) -> str:
        from isal import isal_zlib

        size = self._size
        length = size.to_bytes((size.bit_length() + 7) // 8, "little")
        value = isal_zlib.crc32(length.translate(_MIRRORED), self._value)
        return f"{int(f'{value:032b}'[::-1], 2)} {size}"


@contextmanager
def _opened(path: Path) -> Iterator[FileIO]:
    """Open a regular file and nothing else: no link is followed, no pipe is waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as source:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Changed
        yield source


@contextmanager
def _packing(path: Path | None, level: int) -> Iterator[_Packed | None]:
    """Killed half-way it leaves a file that nobody has listed; its step sweeps it."""
    if path is None:
        yield None
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    try:
        with open(descriptor, "wb", buffering=0) as out:  # noqa: PTH123
            yield _Packed(out, level)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
