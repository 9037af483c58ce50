"""Source data on which engines would differ if they could: nulls, ties, unknown keys, odd text."""

from __future__ import annotations

import random
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from pipelines import tables
from targets.schema import Column, Table
from targets.warehouse.base import Statement, Value, Warehouse
from tests.site import Site

DAYS = ("2021-03-31", "2021-04-27", "2021-04-28", "2021-04-29", "2021-04-30")
EMPTY = "2021-04-11"
MONTHS = ("2021-03", "2021-04")
ROWS = 40

_TEXTS = (
    None,
    "",
    "a",
    "A",
    "b ",
    "it's",
    'quo"te',
    "semi;colon",
    "tilde~",
    "comma,",
    "back\\",
    "ü",
)
# 32768 / 1048576 = 0.03125: a tie at the fourth digit; so are its odd multiples.
_NUMBERS = (None, 0, 1, 3, 7, 59, 60, 61, 32768, 98304, 163840, 1048576, 5242881, 10**12 + 1)
_DECIMALS = (
    None,
    "0",
    "0.0001",
    "0.0003",
    "0.3333",
    "1.0001",
    "2.5",
    "99.9999",
    "12345678901.1234",
)
_POOLS: dict[str, tuple[Any, ...]] = {
    "tcl_secs_id": (1, 2, 3, 77, None),
    "org_id": (1, 2, 3, 77),
    "serv_abbr": ("M2M", "VPN", None, ""),
    "commercial_offer": ("gold", "silver", "none"),
    "currency": ("USD", "EUR", "GBP", "XXX"),
    "mcc": ("262", "208", "999", None),
    "traffictype": ("MO", "MT"),
    "calltype": ("Data", "Voice", "SMS"),
    "rejectcode": (None, "", "", "R1"),
    "cdrid": tuple(f"c{number}" for number in range(25)),
    "process_name": ("traffic", "actives", "activations", "tolling"),
    "customer": ("customer_0001", "customer_0002", "stranger", None),
    "customer_filename": tuple(f"file_{number}.csv" for number in range(12)),
    "kpi_name": ("File Received", "File Generated", "Other"),
    "kpi_value": (0, 1, 2, 3, -1, None),
    "org_name": ("one", "two", "ü", None),
    "contract_offer_group": ("x", "y"),
    "co_mapping_start_date": ("2020-01-01", "2021-03-31", "2021-04-30", "2021-05-01"),
    "co_mapping_end_date": (None, "2021-03-31", "2021-04-01", "2021-12-31"),
}
_DAILY = (
    tables.usage_trend_daily_aggr,
    tables.traffic_details_raw_daily_with_no_dups,
    tables.kpi_measurement,
    tables.telena_file_record_count,
)
_MONTHLY = (
    tables.billable_subscriptions,
    tables.usage_overage_charges,
    tables.service_based_charges,
    tables.sebs_non_invoice_charges,
)


def make_awkward(site: Site, seed: int) -> None:
    """Write other rows into the sources of all pipelines; the same seed, the same rows."""
    dice = random.Random(seed)
    warehouse = site.warehouse()
    for table in _DAILY:
        for day in DAYS:
            _write(warehouse, table, day, (_row(dice, table) for _ in range(ROWS)))
        if table is tables.traffic_details_raw_daily_with_no_dups:
            _write(warehouse, table, EMPTY, [])
    for table in _MONTHLY:
        for month in MONTHS:
            _write(warehouse, table, month, (_row(dice, table) for _ in range(ROWS)))
    mapping = tables.bl_cust_bu_co_cogrp_mapping
    _write(warehouse, mapping, "", (_row(dice, mapping) for _ in range(ROWS)))
    rates = [
        (month, currency, "USD", Decimal(rate))
        for month in MONTHS
        for currency, rate in (("EUR", "0.5"), ("GBP", "1.23456789"))
    ]
    _write(warehouse, tables.gbs_curr_avgconv_rate, "", rates)
    _write(warehouse, tables.org_details, "", [(1, "one"), (2, "two;"), (2, "again"), (3, None)])
    _write(warehouse, tables.country_lookup, "", [("262", "G"), ("208", "F"), ("208", "E")])
    warehouse.close()


def _row(dice: random.Random, table: Table) -> tuple[Value, ...]:
    return tuple(_value(dice, column) for column in table.columns)


def _value(dice: random.Random, column: Column) -> Value:
    if column.name in _POOLS:
        found: Value = dice.choice(_POOLS[column.name])
        return found
    if column.type == "STRING":
        return dice.choice(_TEXTS)
    if column.type == "BIGINT":
        return dice.choice(_NUMBERS)
    text = dice.choice(_DECIMALS)
    return None if text is None else Decimal(text)


def _write(
    warehouse: Warehouse, table: Table, partition: str, rows: Iterable[tuple[Value, ...]]
) -> None:
    columns = table.all_columns
    typed = (f"CAST(NULL AS {column.type}) AS {column.name}" for column in columns)
    selects = [f"SELECT {', '.join(typed)} WHERE 1 = 0"]
    for row in rows:
        values = (*row, partition) if partition else row
        pairs = zip(values, columns, strict=True)
        spelled = (f"{warehouse.literal(value)} AS {column.name}" for value, column in pairs)
        selects.append(f"SELECT {', '.join(spelled)}")
    select = Statement("awkward", "\nUNION ALL\n".join(selects))
    warehouse.overwrite(table, [partition], select, "awkward", lambda _written: None)
