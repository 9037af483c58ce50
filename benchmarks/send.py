"""`python -m benchmarks.send FOLDER PORT KEY`: its files to the far side, verified; its seconds."""

from __future__ import annotations

import getpass
import hashlib
import sys
import time
from pathlib import Path

import paramiko  # noqa: F401  a night's process starts once, whatever the number of files

from targets.store.base import Outgoing
from targets.store.sftp import SftpStore


def main() -> None:
    folder, port, key = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    store = SftpStore(
        str(folder / "far"),
        host="127.0.0.1",
        port=port,
        user=getpass.getuser(),
        key_file=key,
        known_hosts=folder / "known_hosts",
        channels=8,
    )
    files = [_outgoing(file, folder / "in") for file in sorted((folder / "in").rglob("*.gz"))]
    started = time.perf_counter()
    store.send(files, lambda _sent: None)
    store.close()
    print(time.perf_counter() - started)


def _outgoing(file: Path, root: Path) -> Outgoing:
    content = file.read_bytes()
    path = str(file.relative_to(root))
    return Outgoing(file, path, len(content), hashlib.sha256(content).hexdigest())


if __name__ == "__main__":
    main()
