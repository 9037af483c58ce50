"""Keeps secrets out of logs, mails, markers and the ledger."""

from __future__ import annotations

import logging
import re
from functools import lru_cache

from pipelines import settings

_HIDDEN = "[hidden]"
_SECRETIVE = re.compile(
    r"(?i)\b(password|passwd|pwd|secret|token|api[_-]?key|authorization)"
    r"(\s*[=:]\s*)((?:basic|bearer)\s+)?(\"[^\"]*\"|'[^']*'|[^\s,;]+)"
)
_IN_URL = re.compile(r"(\w+://[^\s:/@]+):[^\s@/]+@")


def redacted(text: str) -> str:
    """The text without the configured secrets and without what looks like one."""
    for secret in _secrets(*settings.secret_keys()):
        text = text.replace(secret, _HIDDEN)
    text = _SECRETIVE.sub(rf"\1\2{_HIDDEN}", text)
    return _IN_URL.sub(rf"\1:{_HIDDEN}@", text)


@lru_cache(maxsize=4)
def _secrets(*_keys: str) -> list[str]:
    return settings.secrets()


class Redaction(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        clean = redacted(message)
        if clean != message:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[1] is not None:
            text = logging.Formatter().formatException(record.exc_info)
            if redacted(text) != text:
                record.exc_text = redacted(text)
        return True
