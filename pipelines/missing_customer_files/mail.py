"""The mail of a report: plain text, a coloured grid, and both lists attached."""

from __future__ import annotations

from email.message import EmailMessage

from pipelines import settings
from pipelines.letters import addressed, rendered
from pipelines.missing_customer_files.report import Report
from pipelines.missing_customer_files.settings import missing_customer_files

# Light enough for black text, and told apart by their words as well.
COLOURS = {
    "complete": "#d9ead3",
    "differs": "#fff2cc",
    "missing": "#f4cccc",
    "invalid": "#ea9999",
    "none": "#eeeeee",
}


def mail_of(report: Report, name: str, compared_at: str) -> EmailMessage:
    asked = settings.section(missing_customer_files)
    subject = f"[mnaas] Missing customer files {report.date}: {report.summary}"
    mail = addressed(subject, asked.recipients, asked.cc, compared_at, name)
    mail.set_content(rendered("missing_files.txt", values_of(report)))
    if report.troubled:
        mail.add_alternative(rendered("missing_files.html", values_of(report)), subtype="html")
        attach(mail, f"kpi_differences_{report.date}.csv", "csv", report.as_csv())
        attach(mail, f"missing_files_{report.date}.txt", "plain", report.as_list())
    return mail


def attach(mail: EmailMessage, filename: str, subtype: str, text: str) -> None:
    data = text.encode()
    mail.add_attachment(data, maintype="text", subtype=subtype, filename=filename)


def values_of(report: Report) -> dict[str, object]:
    return {"report": report, "grid": report.grid(), "colours": COLOURS}
