"""What a person reads: our own errors as their two lines, without Luigi's tracebacks."""

from __future__ import annotations

import logging
import re

import luigi.parameter

from targets import errors

_OURS = re.compile(r"^targets\.errors\.(\w+): (.*)\Z", re.DOTALL | re.MULTILINE)


class PlainErrors(logging.Filter):
    """On Luigi's logger: a traceback that ends in an error of ours becomes that error."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, errors.MnaasError | luigi.parameter.ParameterException):
            record.msg = f"{record.getMessage()}\n{type(error).__name__}: {error}"
            record.args = record.exc_info = record.exc_text = None
        elif "Traceback (most recent call last)" in str(record.msg):
            before, _, trace = str(record.msg).partition("Traceback (most recent call last)")
            if ours := _OURS.search(trace):
                record.msg = f"{before.rstrip()}\n{ours[1]}: {ours[2].rstrip()}"
        return True


def show_plain_errors() -> None:
    log = logging.getLogger("luigi-interface")
    if not any(isinstance(known, PlainErrors) for known in log.filters):
        log.addFilter(PlainErrors())
