"""Every mail with sample values, from the site's templates or ours."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.letters import TEMPLATES, rendered, sample_values
from pipelines.missing_customer_files.mail import values_of
from pipelines.missing_customer_files.report import sample_report


def previews() -> Iterator[tuple[str, str]]:
    """Each template's name and what it gives."""
    for template in TEMPLATES:
        kind = "reminder-1" if template == "reminder.txt" else template.partition(".")[0]
        yield template, rendered(template, sample_values(kind))
    for template in ("missing_files.txt", "missing_files.html"):
        yield template, rendered(template, values_of(sample_report()))
