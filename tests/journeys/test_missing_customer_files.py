"""MissingCustomerFiles: three outcomes told apart, the lists, and the mail."""

from __future__ import annotations

import email.message
import json
from pathlib import Path

import pytest

from pipelines.tables import TABLES
from tests.ports import free_port
from tests.site import DATE, Outcome, Site

KPIS = "kpi_measurement"
RECEIVED = "telena_file_record_count"
COUNTED = "customers_files_records_count"
CALM = "customer_0001"


@pytest.fixture
def alone(site: Site) -> Site:
    """A site whose counts are written by another job."""
    site.configure("missing_customer_files", require_backup_night="false")
    write(site, kpis=[("traffic", CALM, 2, 2)], received=["a", "b"], counted=["a", "b"])
    return site


def write(
    site: Site,
    kpis: list[tuple[str, str, object, object]] | None = None,
    received: list[str] | None = None,
    counted: list[str] | None = None,
    customer: str = CALM,
) -> None:
    """(process, customer, received, generated), and names of one customer's traffic files."""
    quoted = customer.replace("'", "''")
    if kpis is not None:
        rows = [
            "SELECT '{}' AS process_name, '{}' AS customer, '{}' AS kpi_name, {} AS kpi_value, "
            "'{}' AS file_date".format(process, name.replace("'", "''"), kpi, value, DATE)
            for process, name, *values in kpis
            for kpi, value in zip(("File Received", "File Generated"), values, strict=True)
            if value is not None
        ]
        site.rewrite(KPIS, " UNION ALL ".join(rows) or none(KPIS), DATE)
    if received is not None:
        rows = [
            f"SELECT '{name}' AS filename, '{quoted}' AS customer, '{name}' AS customer_filename, "
            f"1 AS record_count, 'traffic' AS process_name, '{DATE}' AS file_date"
            for name in received
        ]
        site.rewrite(RECEIVED, " UNION ALL ".join(rows) or none(RECEIVED), DATE)
    if counted is not None:
        rows = [
            f"SELECT '{quoted}' AS customer, 'traffic' AS process_name, '{name}' AS filename, "
            f"'{name}' AS customer_filename, '' AS file_timestamp, 1 AS record_count, "
            f"1 AS file_size, '' AS checksum, '' AS checksum_name, '{DATE}' AS file_date"
            for name in counted
        ]
        site.rewrite(COUNTED, " UNION ALL ".join(rows) or none(COUNTED), DATE)


def none(table: str) -> str:
    return f"SELECT * FROM mnaas.{table} WHERE false"


def night(site: Site, date: str = DATE) -> Outcome:
    return site.night(date, pipeline="MissingCustomerFiles")


def reports(site: Site) -> list[email.message.EmailMessage]:
    return [mail for mail in site.mails().values() if "Missing customer" in mail["Subject"]]


def text_of(mail: email.message.EmailMessage, kind: str = "plain") -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def attached(mail: email.message.EmailMessage) -> dict[str, str]:
    found = {}
    for part in mail.iter_attachments():
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        found[str(part.get_filename())] = data.decode()
    return found


def test_nothing_missing_is_a_short_mail(alone: Site) -> None:
    night(alone).expect(0)
    [mail] = reports(alone)
    assert mail["Subject"].endswith("2021-04-30: nothing missing, 1 customers complete")
    assert (
        text_of(mail).strip() == "Business date 2021-04-30: nothing missing, 1 customers complete."
    )
    assert attached(mail) == {}


def test_the_short_mail_can_be_left_out(alone: Site) -> None:
    alone.configure("missing_customer_files", mail_when_complete="false")
    night(alone).expect(0)
    assert reports(alone) == []


@pytest.mark.parametrize(
    ("kpis", "words"),
    [
        (None, "kpi_measurement has no partition 2021-04-30"),
        ([], "kpi_measurement has no File Received of 2021-04-30"),
        ([("traffic", CALM, 2, None)], "kpi_measurement has no File Generated of 2021-04-30"),
    ],
    ids=["no partition", "no rows", "half of the rows"],
)
def test_a_kpi_that_is_not_loaded_is_a_missing_input(
    alone: Site, kpis: list[tuple[str, str, object, object]] | None, words: str
) -> None:
    if kpis is None:
        alone.warehouse().drop_partitions(TABLES[KPIS], [DATE])
    else:
        write(alone, kpis=kpis)
    outcome = alone.run("mnaas", "run", "MissingCustomerFiles", "--date", DATE).expect(20)
    assert f"{words}: it is not loaded yet. Nothing was compared." in outcome.output
    assert reports(alone) == []
    write(alone, kpis=[("traffic", CALM, 2, 2)])
    alone.run("mnaas", "run", "MissingCustomerFiles", "--date", DATE).expect(0)


def test_names_that_are_not_loaded_are_a_missing_input_and_not_nothing_missing(
    alone: Site,
) -> None:
    alone.warehouse().drop_partitions(TABLES[RECEIVED], [DATE])
    assert f"{RECEIVED} has no partition {DATE}" in night(alone).expect(30).output


def test_a_query_that_fails_is_a_failure(alone: Site) -> None:
    file = alone.root / f"var/warehouse/mnaas/{KPIS}/file_date={DATE}/data.parquet"
    file.write_bytes(b"no parquet")
    outcome = alone.run("mnaas", "run", "MissingCustomerFiles", "--date", DATE).expect(30)
    assert "StatementError" in alone.log("MissingCustomerFiles")
    assert "not loaded yet" not in outcome.output
    assert "Traceback" not in outcome.output
    assert reports(alone) == []


def test_without_the_backup_night_the_report_waits_for_it(site: Site) -> None:
    outcome = site.run("mnaas", "run", "MissingCustomerFiles", "--date", DATE).expect(20)
    assert f"the night CustomerBackupFiles {DATE} is not done." in outcome.output
    plan = site.run("mnaas", "plan", "MissingCustomerFiles", "--date", DATE).expect(0).output
    assert f"BLOCKED  missing: the night CustomerBackupFiles {DATE}" in plan


def test_missing_names_and_differing_kpis_are_listed_and_drawn(alone: Site) -> None:
    write(
        alone,
        kpis=[
            ("traffic", CALM, 3, 2),
            ("tolling", CALM, 2, 2),
            ("traffic", "customer_0004", 5, 3),
            ("traffic", "customer_0002", 1, 1),
            ("tolling", "stranger", 1, None),
        ],
        received=["a", "b", "c"],
        counted=["a", "other"],
    )
    night(alone).expect(0)
    [mail] = reports(alone)
    assert mail["Subject"].endswith("2 files missing, 3 of 4 customers incomplete")
    plain = text_of(mail)
    rows = [line.split() for line in plain.splitlines()]
    assert ["traffic", "actives", "activations", "tolling"] in rows
    assert [CALM, "2", "missing", "-", "-", "ok"] in rows
    assert ["customer_0004", "3", "of", "5", "-", "-", "-"] in rows
    assert ["stranger", "-", "-", "-", "none", "of", "1"] in rows
    assert not any("customer_0002" in row for row in rows)
    order = ["Regular customers", "Infonova customers", "the configuration does not know"]
    assert [plain.index(title) for title in order] == sorted(plain.index(t) for t in order)
    assert attached(mail) == {
        f"kpi_differences_{DATE}.csv": (
            "process_name,customer,group,received,generated,difference\n"
            "tolling,stranger,unknown,1,,1\n"
            f"traffic,{CALM},regular,3,2,1\n"
            "traffic,customer_0004,infonova,5,3,2\n"
        ),
        f"missing_files_{DATE}.txt": f"traffic\t{CALM}\tb\ntraffic\t{CALM}\tc\n",
    }
    html = text_of(mail, "html")
    assert 'bgcolor="#f4cccc" style="background-color: #f4cccc;">2 missing</td>' in html
    assert 'bgcolor="#fff2cc" style="background-color: #fff2cc;">3 of 5</td>' in html
    assert 'bgcolor="#d9ead3" style="background-color: #d9ead3;">ok</td>' in html
    stored = alone.root / "var/files/missing_customer_files"
    assert {path.stat().st_mode & 0o777 for path in stored.iterdir()} == {0o640}
    assert len(list(stored.iterdir())) == 3


def test_the_report_is_mailed_once_for_a_date_and_content(alone: Site) -> None:
    write(alone, received=["a", "b", "c"])
    again = ["mnaas", "run", "MissingCustomerFiles", "--date", DATE, "--from", "CompareKpis"]
    for _ in range(2):
        alone.run(*again).expect(0)
    assert len(reports(alone)) == 1
    write(alone, received=["a", "b", "c", "d"])
    alone.run(*again).expect(0)
    assert len(reports(alone)) == 2
    write(alone, received=["a", "b", "c"])
    alone.run(*again).expect(0)
    assert len(reports(alone)) == 2


def test_a_mail_that_cannot_leave_waits_in_the_spool_and_goes_once(alone: Site) -> None:
    alone.configure("mail", transport="smtp", host="127.0.0.1", port=free_port())
    output = night(alone).expect(0).output
    assert "the mail waits in the spool" in output
    alone.configure("mail", transport="folder")
    alone.run("mnaas", "incidents", "flush").expect(0)
    assert len(reports(alone)) == 1


def test_names_with_quotes_and_markup_change_nothing_around_them(alone: Site) -> None:
    odd = 'O\'Brien <b>&"../x" '
    write(alone, kpis=[("traffic", odd, 2, 1)], received=["../../x", "y"], customer=odd)
    output = night(alone).expect(0).output
    assert "customers unknown to the configuration: O'Brien" in output
    [mail] = reports(alone)
    html = text_of(mail, "html")
    assert '<b>&"' not in html
    assert "O&#39;Brien &lt;b&gt;&amp;&#34;../x&#34;" in html
    assert "../../x" in attached(mail)[f"missing_files_{DATE}.txt"]
    outside = [path for path in alone.root.rglob("x") if path.is_file()]
    assert outside == []


def test_a_negative_kpi_is_shown_as_invalid_and_counted_as_a_warning(alone: Site) -> None:
    write(alone, kpis=[("traffic", CALM, -2, -2)])
    output = night(alone).expect(0).output
    assert f"traffic of {CALM}: a KPI is below 0" in output
    assert "invalid KPI: -2 of -2" in text_of(reports(alone)[0])


def test_a_process_without_any_kpi_is_a_warning(alone: Site) -> None:
    assert "no KPI of the process tolling" in night(alone).expect(0).output


def test_a_report_that_was_changed_is_not_mailed(alone: Site) -> None:
    night(alone).expect(0)
    rewind = ["mnaas", "rewind", "MissingCustomerFiles", "--date", DATE, "--yes"]
    alone.run(*rewind, "--from", "MailReports").expect(0)
    report = alone.root / f"var/files/missing_customer_files/report_{DATE}.json"
    content = json.loads(report.read_text())
    report.write_text(json.dumps({**content, "cells": []}))
    output = night(alone).expect(30).output
    assert "is not the file that CompareKpis wrote" in output


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('["../x"]', "[customers.'../x'] is not a name for a customer"),
        ('customer_0001 = { patern = "x" }', "'customer_0001'] patern is neither a key"),
        ('customer_0001 = { infonova = "yes" }', "infonova = 'yes' must be true or false"),
        ("customer_0001 = 3", "= 3: a table is expected"),
        ('customer_0001 = { file_types = ["calls"] }', "file_types: 'calls' is none of"),
        ('customer_0001.traffic = { pattern = "a/b" }', "must be the name of files"),
        ('customer_0001.traffic = { far_folder = "../x" }', "must stay below the edge node"),
        ("customer_0001", "is not TOML"),
    ],
)
def test_what_is_wrong_with_the_customers_is_told_with_its_name(
    alone: Site, lines: str, words: str
) -> None:
    file = alone.root / "config/customers.toml"
    before = file.read_text().partition("[customers]")[0]
    head = "[customers." + f"'{lines[2:-2]}'" + "]" if lines.startswith("[") else None
    file.write_text(before + (head or f"[customers]\n{lines}") + "\n")
    output = night(alone).expect(35).output
    assert words in output
    assert "Traceback" not in output


def test_the_number_of_queries_does_not_grow_with_customers(
    alone: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "counted.py"
    script.write_text(
        "import sys\n"
        "from targets.warehouse.duckdb import DuckDBWarehouse\n"
        "asked = DuckDBWarehouse.query\n"
        "def counted(self, select):\n"
        "    print('query:', select.name)\n"
        "    return asked(self, select)\n"
        "DuckDBWarehouse.query = counted\n"
        "from luigi.cmdline import luigi_run\n"
        "luigi_run(sys.argv[1:])\n"
    )

    def queries(customers: int) -> int:
        names = [f"customer_{number:04d}" for number in range(customers)]
        write(alone, kpis=[("traffic", name, 2, 1) for name in names])
        command = alone.night_command(pipeline="MissingCustomerFiles")[1:]
        alone.run("mnaas", "rewind", *command[2:5], "--from", "CompareKpis", "--yes").expect(0)
        return alone.run("python", str(script), *command).expect(0).output.count("query:")

    assert queries(1) == queries(60) == 2
