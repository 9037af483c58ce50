"""Times as we write them down."""

from __future__ import annotations

import secrets
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from pipelines import settings


def zone() -> ZoneInfo:
    """The configured time zone."""
    return ZoneInfo(settings.section(settings.mnaas).time_zone)


def local_now() -> str:
    """Now, in the configured time zone, to the second: for people."""
    return datetime.now(zone()).isoformat(sep=" ", timespec="seconds")


def utc_now() -> str:
    """Now in UTC to the microsecond: two of them compare as text."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def new_run_id() -> str:
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
