"""CustomerInvoiceSummaryEstimated: which months, what they cost, and what stops them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pipelines.customer_invoice_summary_estimated.tasks import CHARGES, months_of
from pipelines.tables import TABLES
from targets.warehouse.base import Statement
from tests.site import DATE, Outcome, Site

FINAL = "customer_invoice_summary_estimated"
CHARGE_NAMES = [charge.name for charge in CHARGES]


def night(site: Site, date: str = DATE, *more: str) -> Outcome:
    return site.night(date, *more, pipeline="CustomerInvoiceSummaryEstimated")


def write_charges(
    site: Site, *charges: tuple[str, object, str, str, str], month: str = "2021-04"
) -> None:
    """(table, organisation, offer, currency, amount), and nothing else in that month."""
    for name in CHARGE_NAMES:
        rows = [
            f"SELECT {org} AS org_id, '{offer}' AS commercial_offer, '{currency}' AS currency, "
            f"{amount} AS amount, '{month}' AS partition_date"
            for table, org, offer, currency, amount in charges
            if table == name
        ]
        none = f"SELECT * FROM mnaas.{name} WHERE false"
        site.rewrite(name, " UNION ALL ".join(rows) or none, month)


def write_rates(site: Site, *rates: tuple[str, str, str]) -> None:
    rows = (
        f"SELECT '{month}' AS cal_month, '{currency}' AS from_curr, 'USD' AS to_curr, "
        f"{rate} AS avg_conv_rate"
        for month, currency, rate in rates
    )
    site.rewrite("gbs_curr_avgconv_rate", " UNION ALL ".join(rows))


def write_mapping(site: Site, *mappings: tuple[int, str, str, str, str | None]) -> None:
    """(organisation, offer, group, start, end)"""
    rows = (
        f"SELECT {org} AS org_id, 'Org' AS org_name, '{group}' AS contract_offer_group, "
        f"'{offer}' AS commercial_offer, '{start}' AS co_mapping_start_date, "
        + (f"'{end}'" if end else "NULL")
        + " AS co_mapping_end_date"
        for org, offer, group, start, end in mappings
    )
    site.rewrite("bl_cust_bu_co_cogrp_mapping", " UNION ALL ".join(rows))


def final(site: Site, columns: str, month: str = "2021-04") -> list[tuple[Any, ...]]:
    sql = f"SELECT {columns} FROM mnaas.{FINAL} WHERE partition_date = '{month}' ORDER BY ALL"
    warehouse = site.warehouse()
    rows = warehouse.query(Statement("test", sql, {FINAL: None}))
    warehouse.close()
    return rows


@pytest.mark.parametrize(
    ("day", "months"),
    [
        ("2021-04-01", ["2021-03", "2021-04"]),
        ("2021-04-05", ["2021-03", "2021-04"]),
        ("2021-04-06", ["2021-04"]),
        ("2021-04-30", ["2021-04"]),
        ("2021-01-03", ["2020-12", "2021-01"]),
        ("2021-01-06", ["2021-01"]),
        ("2020-03-01", ["2020-02", "2020-03"]),
        ("2021-12-31", ["2021-12"]),
    ],
)
def test_early_in_a_month_the_one_before_is_rebuilt_too(day: str, months: list[str]) -> None:
    assert months_of(date.fromisoformat(day), 5) == months


def test_an_early_night_publishes_two_months(site: Site) -> None:
    assert "partitions     2021-03, 2021-04\n" in night(site, "2021-04-03").expect(0).output
    assert site.warehouse().partitions(TABLES[FINAL]) == ["2021-03", "2021-04"]


def test_charges_are_summed_by_kind_and_converted_at_the_months_rate(site: Site) -> None:
    write_charges(
        site,
        ("billable_subscriptions", 7, "A", "EUR", "10.00005"),
        ("billable_subscriptions", 7, "A", "EUR", "10.0001"),
        ("usage_overage_charges", 7, "A", "EUR", "0.5"),
        ("service_based_charges", 7, "A", "EUR", "2"),
        ("sebs_non_invoice_charges", 7, "A", "EUR", "-1"),
        ("billable_subscriptions", 7, "A", "USD", "3"),
    )
    write_rates(site, ("2021-03", "EUR", "9"), ("2021-04", "EUR", "1.19425"))
    night(site).expect(0)
    columns = "currency, base_amount, overage_amount, service_amount, non_invoice_amount"
    assert final(site, columns) == [
        ("EUR", Decimal("20.0002"), Decimal("0.5"), Decimal(2), Decimal(-1)),
        ("USD", Decimal(3), Decimal(0), Decimal(0), Decimal(0)),
    ]
    assert final(site, "currency, total_amount, base_amount_usd, total_amount_usd") == [
        ("EUR", Decimal("21.5002"), Decimal("23.8852"), Decimal("25.6766")),
        ("USD", Decimal(3), Decimal(3), Decimal(3)),
    ]


def test_a_missing_rate_gives_null_and_a_warning_and_drops_no_row(site: Site) -> None:
    write_charges(site, ("billable_subscriptions", 7, "A", "JPY", "500"))
    output = night(site).expect(0).output
    assert final(site, "currency, total_amount, total_amount_usd") == [("JPY", Decimal(500), None)]
    assert "2021-04: no rate to USD: JPY (1 rows)" in output


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        (
            [("2021-04", "EUR", "1.1"), ("2021-04", "EUR", "1.2")],
            "2 rates from EUR to USD in 2021-04",
        ),
        ([("2021-04", "EUR", "0")], "1 rates from EUR to USD in 2021-04 (0E-8 to 0E-8)"),
    ],
    ids=["two rates", "a rate of zero"],
)
def test_rates_that_cannot_be_meant_are_refused(
    site: Site, rates: list[tuple[str, str, str]], words: str
) -> None:
    night(site, "2021-04-29").expect(0)
    before = site.rows(FINAL)
    write_rates(site, *rates)
    output = night(site).expect(30).output
    assert words.partition(" (")[0] in output
    assert "Nothing was changed" in output
    assert "Traceback" not in output
    assert site.rows(FINAL) == before


def test_the_same_rate_twice_doubles_nothing(site: Site) -> None:
    write_charges(site, ("billable_subscriptions", 7, "A", "EUR", "1"))
    write_rates(site, ("2021-04", "EUR", "1.5"), ("2021-04", "EUR", "1.5"))
    night(site).expect(0)
    assert final(site, "total_amount, total_amount_usd") == [(Decimal(1), Decimal("1.5"))]


def test_the_mapping_that_is_valid_in_the_month_and_starts_last_wins(site: Site) -> None:
    write_charges(
        site,
        *(("billable_subscriptions", org, "A", "USD", "1") for org in (1, 2, 3, 4)),
    )
    write_mapping(
        site,
        (1, "A", "old", "2020-01-01", "2021-03-31"),
        (1, "A", "until the first", "2020-06-01", "2021-04-01"),
        (2, "A", "early", "2020-01-01", None),
        (2, "A", "late", "2021-04-30", "9999-12-31"),
        (3, "A", "future", "2021-05-01", None),
        (4, "A", "b", "2021-01-01", None),
        (4, "A", "a", "2021-01-01", None),
    )
    output = night(site).expect(0).output
    assert final(site, "org_id, contract_offer_group, total_amount") == [
        (1, "until the first", Decimal(1)),
        (2, "late", Decimal(1)),
        (3, None, Decimal(1)),
        (4, "a", Decimal(1)),
    ]
    assert "2021-04: no mapping: organisations and offers (1 rows)" in output


def test_an_older_date_leaves_a_newer_estimate_alone_unless_forced(site: Site) -> None:
    write_charges(site, ("billable_subscriptions", 7, "A", "USD", "2"))
    night(site, DATE).expect(0)
    write_charges(site, ("billable_subscriptions", 7, "A", "USD", "1"))
    output = night(site, "2021-04-20").expect(0).output
    assert "2021-04 left alone: 2021-04-30 published it" in output
    assert final(site, "total_amount") == [(Decimal(2),)]
    again = ["mnaas", "run", "CustomerInvoiceSummaryEstimated", "--date", "2021-04-20"]
    assert " ".join([*again, "--from", "PublishEstimate", "--force-older"]) in output
    site.run(*again, "--from", "PublishEstimate", "--force-older").expect(0)
    assert final(site, "total_amount") == [(Decimal(1),)]


def test_luigi_takes_force_older_too(site: Site) -> None:
    night(site, DATE).expect(0)
    write_charges(site, ("billable_subscriptions", 7, "A", "USD", "1"))
    night(site, "2021-04-20", "--force-older").expect(0)
    assert final(site, "total_amount") == [(Decimal(1),)]


def test_a_month_without_any_charge_table_changes_nothing(site: Site) -> None:
    output = night(site, "2021-05-03").expect(30).output
    assert "no charge table has a partition 2021-05. Nothing was changed." in output
    assert site.warehouse().partitions(TABLES[FINAL]) == []


def test_a_month_without_any_charge_table_can_be_skipped(site: Site) -> None:
    site.configure("customer_invoice_summary_estimated", missing_source="skip")
    output = night(site, "2021-05-03").expect(0).output
    assert "without a partition 2021-05: the month is skipped" in output
    assert site.warehouse().partitions(TABLES[FINAL]) == ["2021-04"]
    assert "Did not run any" in night(site, "2021-05-03").expect(0).output


def test_nothing_to_build_at_all_is_done(site: Site) -> None:
    site.configure("customer_invoice_summary_estimated", missing_source="skip")
    night(site, "2021-06-30").expect(0)
    assert site.warehouse().partitions(TABLES[FINAL]) == []


def test_one_charge_table_that_is_missing_counts_as_nothing_with_a_warning(site: Site) -> None:
    site.warehouse().drop_partitions(TABLES["usage_overage_charges"], ["2021-04"])
    output = night(site).expect(0).output
    assert "usage_overage_charges without a partition 2021-04: counted as nothing" in output
    assert {row[0] for row in final(site, "overage_amount")} == {Decimal(0)}


def test_a_month_whose_charges_became_empty_is_published_empty(site: Site) -> None:
    night(site, "2021-04-29").expect(0)
    assert final(site, "org_id")
    write_charges(site)
    night(site).expect(0)
    assert final(site, "org_id") == []
    assert site.warehouse().partitions(TABLES[FINAL]) == ["2021-04"]
