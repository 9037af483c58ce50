"""A server process that does not outlive the tests, however they end."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

LOG4J = """log4j.rootLogger=WARN,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d %p %c{1}: %m%n
"""
LOG4J2 = """status = ERROR
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
"""
# What keeps a JVM small and quick.
JVM = (
    "-Dfile.encoding=UTF-8",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:ReservedCodeCacheSize=256m",  # without the second compiler it would be 48
    "-Xshare:auto",
    "-Djava.net.preferIPv4Stack=true",
)
_PR_SET_PDEATHSIG = 1


def write_site(file: Path, properties: Mapping[str, object]) -> None:
    """A configuration file as Hadoop and its kin read it."""
    lines = (
        f"<property><name>{name}</name><value>{escape(str(value))}</value></property>\n"
        for name, value in properties.items()
    )
    file.write_text(f"<configuration>\n{''.join(lines)}</configuration>\n")


class Server:
    """The kernel kills it when the process that started it is gone, even by SIGKILL."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], cwd: Path | None = None
    ) -> None:
        parent = os.getpid()

        def die_with_parent() -> None:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it went away meanwhile
                os._exit(1)

        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended:\n{self._tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} was not ready in {seconds} s:\n{self._tail()}")
            time.sleep(0.1)

    def wait_until_it_ends(self, seconds: float = 60) -> None:
        assert self._process
        if self._process.wait(seconds):
            raise RuntimeError(f"{self.name} failed:\n{self._tail()}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])
