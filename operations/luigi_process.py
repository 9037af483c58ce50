"""Luigi in a forked process with a group of its own: a signal reaches all of it, and nothing is
imported twice.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from luigi.configuration import get_config
from luigi.task_register import Register

from operations.logs import log_to
from pipelines import failures

log = logging.getLogger("luigi-interface.mnaas")


def exit_code(name: str) -> int:
    """The code that the configuration gives to a way of ending, such as task_failed."""
    return int(get_config().get("retcode", name))


def run_luigi(arguments: Sequence[str], file: Path, heard: TextIO) -> int:
    """Luigi in a process and group of its own; its exit code, or 128 + the signal that ended it."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _be_luigi(arguments, file, heard)
    with contextlib.suppress(OSError):  # the child does it too: whoever comes first
        os.setpgid(child, child)
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, _passes_on(child)) for number in signals}
    try:
        _, status = os.waitpid(child, 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _passes_on(child: int) -> Callable[[int, object], None]:
    def pass_on(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, number)

    return pass_on


def _be_luigi(arguments: Sequence[str], file: Path, heard: TextIO) -> NoReturn:
    """In the child."""
    code = 1
    try:
        os.setpgid(0, 0)
        if not sys.stderr.isatty():
            with file.open("ab") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
        failures.heard.append(heard)
        Register.clear_instance_cache()
        log_to(file)
        from luigi.cmdline import luigi_run

        luigi_run(list(arguments))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            log.error("%s", end.code)
    except BaseException:
        log.exception("unexpected")
        code = exit_code("unhandled_exception")
    finally:
        _leave(code)


def _leave(code: int) -> NoReturn:
    try:
        atexit._run_exitfuncs()
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
