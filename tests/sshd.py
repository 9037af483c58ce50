"""A real OpenSSH server on a free loopback port, with keys of its own."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Protocol

from targets.store.sftp import SftpStore
from tests.ports import free_port

PROGRAM = "/usr/sbin/sshd"


class Configurable(Protocol):
    def configure(self, section: str, **values: object) -> None: ...


class Sshd:
    """`only_sftp`: the account may execute nothing."""

    def __init__(self, folder: Path, *, only_sftp: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self._only_sftp = only_sftp
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Sshd:
        self.folder.mkdir(parents=True)
        for name in ("host_key", "key", "other_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run(command, check=True)
        (self.folder / "authorized_keys").write_bytes((self.folder / "key.pub").read_bytes())
        self.know("host_key")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def know(self, key: str) -> None:
        """Expect this host key."""
        public = " ".join((self.folder / f"{key}.pub").read_text().split()[:2])
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public}\n")

    def know_nothing(self) -> None:
        self.known_hosts.write_text("")

    def store(self, root: Path, **changed: Any) -> SftpStore:
        options: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "key_file": self.folder / "key",
            "known_hosts": self.known_hosts,
            "timeout_seconds": 10,
        }
        return SftpStore(str(root), **{**options, **changed})

    def serves(self, site: Configurable, root: Path, **changed: Any) -> None:
        """Make the site copy its files to this server."""
        options = {
            "transport": "sftp",
            "folder": root,
            "host": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "key_file": self.folder / "key",
            "known_hosts": self.known_hosts,
            "timeout_seconds": 10,
        }
        site.configure("edge_node", **{**options, **changed})

    def start(self) -> None:
        config = self.folder / "sshd_config"
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.folder / 'host_key'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            "UsePAM no",
            "StrictModes no",
            "PidFile none",
            "Subsystem sftp internal-sftp",
            *(["ForceCommand internal-sftp"] if self._only_sftp else []),
        ]
        config.write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd insists on it
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-D", "-e", "-f", str(config)], stdout=log, stderr=log
            )
        self._wait_until_ready()

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=2) as probe:
                    if probe.recv(4) == b"SSH-":
                        return
            except OSError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.02)
