"""What the suite starts ends with it, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.servers.server import Server
from tests.journeys.test_nights import wait_for
from tests.site import REPOSITORY

pytestmark = pytest.mark.cluster


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_server_dies_with_a_killed_test_run(tmp_path: Path) -> None:
    script = (
        "import sys, os, signal; from pathlib import Path\n"
        "from tests.cluster.servers.server import Server\n"
        "server = Server('sleeper', Path(sys.argv[1])); server.start(['sleep', '600'], {})\n"
        "print(server._process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    pid = int(done.stdout)
    wait_for(lambda: not runs(pid), 10)


def test_a_server_that_does_not_come_up_fails_and_shows_its_log(tmp_path: Path) -> None:
    server = Server("broken", tmp_path)
    server.start(["sh", "-c", "echo out of luck; exit 1"], {})
    with pytest.raises(RuntimeError, match="out of luck"):
        server.wait_until(lambda: False, 10)
    server.start(["sleep", "60"], {})
    with pytest.raises(RuntimeError, match=r"was not ready in 0\.3 s"):
        server.wait_until(lambda: False, 0.3)
    server.stop()
