"""One log file for each run, with times; the same to syslog and to a terminal where wanted."""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from luigi.setup_logging import InterfaceLogging

from pipelines import clock, settings
from pipelines.redaction import Redaction
from targets.store.local import FILE_MODE, errors_named, make_folder


class ZonedFormatter(logging.Formatter):
    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__("%(asctime)s %(levelname)s: %(message)s")
        self._zone = zone

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002
        return datetime.fromtimestamp(record.created, self._zone).strftime("%Y-%m-%d %H:%M:%S")


class Syslog(logging.Handler):
    """Never waits, and is given up when it does not take a line: a night goes before its log."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        severity = 3 if record.levelno >= logging.ERROR else 6
        line = f"<{8 + severity}>mnaas[{os.getpid()}]: {record.getMessage()}"
        try:
            self._socket.sendto(line.encode(errors="replace"), self._path)
        except OSError:
            self.setLevel(logging.CRITICAL + 1)


def new_log_file(pipeline: str, run_key: str) -> Path:
    root: Path = settings.section(settings.log).folder
    folder = root / pipeline
    file = folder / f"{run_key}.{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log"
    with errors_named(str(file)):
        make_folder(folder)
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, FILE_MODE))
    return file


def log_to(file: Path) -> None:
    """Set up Luigi's logger ourselves, before Luigi would."""
    InterfaceLogging._configured = True
    formatter = ZonedFormatter(clock.zone())
    handlers: list[logging.Handler] = [logging.FileHandler(file)]
    if sys.stderr.isatty():
        handlers.append(logging.StreamHandler())
    asked = settings.section(settings.log)
    if asked.syslog:
        handlers.append(Syslog(asked.syslog_socket))
    logger = logging.getLogger("luigi-interface")
    logger.setLevel(logging.INFO)
    logger.handlers.clear()
    for handler in handlers:
        handler.setFormatter(formatter)
        handler.addFilter(Redaction())
        logger.addHandler(handler)
