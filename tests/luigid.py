"""A real luigid on a free loopback port."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from pathlib import Path

from tests.ports import free_port
from tests.site import Site


class Luigid:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Luigid:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def serves(self, site: Site) -> None:
        """Make the site's commands use this luigid."""
        site.configure("core", scheduler_host="127.0.0.1", scheduler_port=self.port)

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        config = self.folder / "luigi.cfg"
        config.write_text("[scheduler]\nworker_disconnect_delay = 10\nprune_on_get_work = true\n")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("luigid")),
                    "--address=127.0.0.1",
                    f"--port={self.port}",
                    f"--state-path={self.folder / 'state.pickle'}",
                ],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        self._wait_until_ready()

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            try:
                connection.request("GET", "/api/graph")
                if connection.getresponse().status < 500:
                    return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            finally:
                connection.close()
