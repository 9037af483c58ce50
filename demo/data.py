"""The tables of all five pipelines: every value follows from its row's number and the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pipelines import tables
from pipelines.statements import render
from targets.schema import Table
from targets.warehouse.base import Statement, Warehouse, no_audit

LAST_DAY = date(2021, 4, 30)
# These had rows once and their source is empty by now; the first of them is listed.
EMPTIED_DAYS = ("2021-04-11", "2021-04-18")
CUSTOMERS_WITH_FILES = 5  # so many customers have files on the last day
LATE_DAYS = ("2021-03-31", "2021-04-28", "2021-04-29")  # published before their last rows came


@dataclass(frozen=True)
class Size:
    customers: int = 40
    days: int = 61
    rows: int = 120_000  # of the usage table and of the call records, each
    seed: int = 2021

    def dates(self) -> list[str]:
        first = LAST_DAY - timedelta(days=self.days - 1)
        return [str(first + timedelta(days=number)) for number in range(self.days)]

    @property
    def rows_a_day(self) -> int:
        return max(1, self.rows // self.days)


def write_tables(warehouse: Warehouse, size: Size) -> Iterator[tuple[str, int]]:
    """Write every source table, then what earlier nights left in the final one."""
    days = size.dates()
    months = sorted({day[:7] for day in days})
    yield write_usage(warehouse, size)
    emptied = set(EMPTIED_DAYS) & set(days)
    _write(warehouse, tables.usage_trend_daily_aggr, emptied, _usage(size, "0"))
    called = [day for day in days if day not in emptied]
    yield _write(warehouse, tables.traffic_details_raw_daily_with_no_dups, called, _calls(size))
    none = f"SELECT * FROM ({_calls(size)}) AS calls WHERE false"
    _write(warehouse, tables.traffic_details_raw_daily_with_no_dups, emptied, none)
    yield _write(warehouse, tables.org_details, [""], _organisations(size))
    yield _write(warehouse, tables.country_lookup, [""], _COUNTRIES)
    yield _write(warehouse, tables.kpi_measurement, days, _kpis(size))
    yield _write(warehouse, tables.telena_file_record_count, days, _received(size))
    yield _write(warehouse, tables.customers_files_records_count, days[:-1], _counted(size))
    for number, charge in enumerate(_CHARGES):
        yield _write(warehouse, charge, months, _charges(size, number))
    yield _write(warehouse, tables.gbs_curr_avgconv_rate, [""], _rates(months))
    yield _write(warehouse, tables.bl_cust_bu_co_cogrp_mapping, [""], _mapping(size))
    yield _write(warehouse, tables.table_statistics_customer_aggr, days[:-1], _earlier_nights())
    yield _write_earlier_calls(warehouse, emptied)


def write_usage(warehouse: Warehouse, size: Size) -> tuple[str, int]:
    """Write the source of CustomerAggr, all but the emptied day."""
    filled = [day for day in size.dates() if day not in EMPTIED_DAYS]
    return _write(warehouse, tables.usage_trend_daily_aggr, filled, _usage(size))


_CHARGES = (
    tables.billable_subscriptions,
    tables.usage_overage_charges,
    tables.service_based_charges,
    tables.sebs_non_invoice_charges,
)


def _write(
    warehouse: Warehouse, table: Table, partitions: Sequence[str] | set[str], sql: str
) -> tuple[str, int]:
    reads = {name: None for name in warehouse.tables if f"{warehouse.database}.{name} " in sql}
    select = Statement(f"sample of {table.name}", sql, reads)
    written = warehouse.overwrite(table, sorted(partitions), select, "sample", no_audit)
    return table.name, sum(totals.rows for totals in written.values())


def _days(size: Size, rows: str) -> str:
    """Row numbers i of every day: the day's number d and its date."""
    first = size.dates()[0]
    return (
        f"(SELECT d, CAST(CAST('{first}' AS DATE) + CAST(d AS INTEGER) AS VARCHAR) AS day, i "
        f"FROM range({size.days}) AS days(d), range({rows}) AS numbers(i)) AS numbered"
    )


def _dice(size: Size, salt: int, faces: int | str, row: str = "i", day: str = "d") -> str:
    """A number below `faces` that looks random and follows from row, day, salt and seed."""
    mixed = f"(({row} + 1) * 7919 + ({day} + 1) * 104729 + {salt * 1299709 + size.seed * 15485863})"
    return f"((({mixed} % 2147483647) * 48271 % 2147483647) * 16807 % 2147483647 % ({faces}))"


def _customer(size: Size, number: str = "i") -> str:
    return f"(100001 + {number} % {size.customers})"


def _customer_name(size: Size, number: str = "i") -> str:
    return f"printf('customer_%04d', {number} % {size.customers} + 1)"


def _usage(size: Size, rows: str = "") -> str:
    weekend = "CASE WHEN dayofweek(CAST(day AS DATE)) IN (0, 6) THEN 6 ELSE 10 END"
    service = "CAST(list_value('DATA', 'SMS', 'VOICE', 'IOT', 'M2M', 'ROAM')"
    service += f"[i // {size.customers} % 6 + 1] AS VARCHAR)"
    minutes = "CAST({} * " + weekend + " AS DECIMAL(20,0)) * CAST(0.0123 AS DECIMAL(5,4))"
    return f"""
        SELECT {_customer(size)} AS tcl_secs_id, {service} AS serv_abbr,
            printf('BU%d', i // {size.customers * 6} + 1) AS bu_prompt,
            {_dice(size, 1, 400)} AS mo_sms, {_dice(size, 2, 900)} AS mt_sms,
            {minutes.format(_dice(size, 3, 9000))} AS mo_minutes,
            {minutes.format(_dice(size, 4, 7000))} AS mt_minutes,
            {minutes.format(_dice(size, 5, 800000))} AS data_usage_mb,
            {_dice(size, 6, 50)} AS sms_users, {_dice(size, 7, 40)} AS voice_users,
            {_dice(size, 8, 300)} AS data_users, day AS partition_date
        FROM {_days(size, rows or str(size.rows_a_day))}"""


def _calls(size: Size) -> str:
    kind = f"{_dice(size, 11, 10)}"
    mcc = f"list_value('204', '206', '208', '234', '262', '310', '999')[{_dice(size, 12, 7)} + 1]"
    costs = ", ".join(
        f"CAST({_dice(size, 30 + number, 90000)} AS DECIMAL(20,0)) * CAST(0.0001 AS DECIMAL(5,4)) "
        f"AS whole_sale_cost_{number}"
        for number in range(1, 6)
    )
    return f"""
        SELECT printf('%s-%09d', day, i - (i % 50 = 49)::INT) AS cdrid,
            {_customer(size)} AS tcl_secs_id,
            printf('N%06d', {_customer(size)}) AS customernumber,
            printf('BU%d', {_dice(size, 13, 4)}) AS businessunit,
            printf('D%d', {_dice(size, 14, 3)}) AS department,
            printf('CC%02d', {_dice(size, 15, 20)}) AS costcenter,
            CASE WHEN {kind} < 6 THEN 'MO' ELSE 'MT' END AS traffictype,
            CASE WHEN {kind} < 5 THEN 'Data' WHEN {kind} < 8 THEN 'Voice' ELSE 'SMS' END
                AS calltype,
            {mcc} AS mcc, printf('%02d', {_dice(size, 16, 20)}) AS mnc, 'raw ' || {mcc} AS country,
            printf('TAD%02d', {_dice(size, 17, 30)}) AS tadigcode, 'apn.example' AS apn,
            CASE WHEN {kind} % 2 = 0 THEN '4G' ELSE '3G' END AS technologytype,
            printf('8900%012d', {_dice(size, 18, 99999)}) AS sim,
            CASE WHEN {kind} < 9 THEN 'physical' ELSE 'embedded' END AS sim_type,
            printf('882%09d', {_dice(size, 18, 99999)}) AS msisdn,
            printf('VIN%010d', {_dice(size, 18, 99999)}) AS vin, day AS calldate,
            CASE WHEN {kind} BETWEEN 5 AND 7 THEN {_dice(size, 19, 1800)} ELSE 0 END
                AS retailduration,
            CASE WHEN {kind} < 5 THEN {_dice(size, 20, 90000000)} ELSE 0 END AS bytes,
            CASE WHEN {kind} > 7 THEN 1 ELSE 0 END AS sms_usage, {costs},
            CASE WHEN {_dice(size, 21, 200)} = 0 THEN 'R01' ELSE '' END AS rejectcode,
            'HOL_01_' || replace(day, '-', '') || '.csv' AS filename, day AS partition_date
        FROM {_days(size, str(size.rows_a_day))}"""


def _organisations(size: Size) -> str:
    # The last customer is missing here: an unknown organisation is a case to show.
    return f"""
        SELECT {_customer(size)} AS orgno, 'Organisation ' || (i + 1) AS orgname
        FROM range({max(1, size.customers - 1)}) AS numbers(i)"""


_COUNTRIES = """
    SELECT * FROM (VALUES ('204', 'Netherlands'), ('206', 'Belgium'), ('208', 'France'),
        ('234', 'United Kingdom'), ('262', 'Germany'), ('310', 'United States'))
    AS known(mcc, country)"""

_PROCESSES = "list_value('traffic', 'actives', 'activations', 'tolling')"


def _is_missing(size: Size) -> str:
    """Whether the last of a customer's four files of a process and day was never passed on."""
    return f"{_dice(size, 41, 7, row=f'i % {size.customers * 4}')} = 0"


def _has_files(size: Size) -> str:
    return f"(day <> '{LAST_DAY}' OR i % {size.customers} < {CUSTOMERS_WITH_FILES})"


def _kpis(size: Size) -> str:
    generated = f"CASE WHEN {_is_missing(size)} THEN 3 ELSE 4 END"
    return f"""
        SELECT {_PROCESSES}[i // {size.customers} % 4 + 1] AS process_name,
            {_customer_name(size)} AS customer,
            CASE WHEN i < {size.customers * 4} THEN 'File Received' ELSE 'File Generated' END
                AS kpi_name,
            CASE WHEN i < {size.customers * 4} THEN 4 ELSE {generated} END AS kpi_value,
            day AS file_date
        FROM {_days(size, str(size.customers * 8))} WHERE {_has_files(size)}"""


def _received(size: Size, only: str = "true") -> str:
    return f"""
        SELECT filename, customer, customer || '_' || filename AS customer_filename,
            {_dice(size, 42, 5000)} AS record_count, process_name, day AS file_date
        FROM (SELECT d, day, i, {_PROCESSES}[i // {size.customers} % 4 + 1] AS process_name,
                {_customer_name(size)} AS customer,
                printf('%s_%s%02d0000.csv', list_value('HOL_01', 'HOL_02', 'SNG_01')[i % 3 + 1],
                    replace(day, '-', ''), i // {size.customers * 4} * 6) AS filename
            FROM {_days(size, str(size.customers * 16))}
            WHERE {_has_files(size)} AND {only}) AS named"""


def passed_on(size: Size) -> str:
    """What was received and not lost on its way."""
    lost = f"i // {size.customers * 4} = 3 AND {_is_missing(size)}"
    return _received(size, f"NOT ({lost})")


def _counted(size: Size) -> str:
    return f"""
        SELECT customer, process_name, filename, customer_filename,
            file_date || ' 00:00:00' AS file_timestamp, record_count,
            record_count * 120 AS file_size, md5(customer_filename) AS checksum,
            customer_filename || '.sem' AS checksum_name, file_date
        FROM ({passed_on(size)}) AS received"""


def _charges(size: Size, number: int) -> str:
    month = "strftime(CAST('2021-01-01' AS DATE) + to_months(CAST(d AS INTEGER)), '%Y-%m')"
    return f"""
        SELECT {_customer(size)} AS org_id, printf('OFFER%d', i // {size.customers} + 1)
            AS commercial_offer,
            list_value('USD', 'EUR', 'GBP', 'JPY')[i % 4 + 1] AS currency,
            CAST({_dice(size, 50 + number, 9000000)} AS DECIMAL(20,0))
                * CAST(0.0011 AS DECIMAL(5,4)) AS amount,
            {month} AS partition_date
        FROM range(12) AS months(d), range({size.customers * 2}) AS numbers(i)"""


def _rates(months: Sequence[str]) -> str:
    # No rate from JPY in the last month: a gap is a case to show.
    rates = [
        f"('{month}', '{currency}', 'USD', {rate})"
        for month in months
        for currency, rate in (("EUR", "1.1942"), ("GBP", "1.3851"), ("JPY", "0.00917"))
        if (month, currency) != (months[-1], "JPY")
    ]
    columns = "cal_month, from_curr, to_curr, avg_conv_rate"
    return f"SELECT * FROM (VALUES {', '.join(rates)}) AS rates({columns})"


def _mapping(size: Size) -> str:
    return f"""
        SELECT {_customer(size)} AS org_id, 'Organisation ' || (i % {size.customers} + 1)
            AS org_name,
            printf('GROUP%d', i % 3 + 1) AS contract_offer_group,
            printf('OFFER%d', i // {size.customers} + 1) AS commercial_offer,
            '2020-01-01' AS co_mapping_start_date,
            CASE WHEN i % 10 = 9 THEN '2021-03-31' ELSE '9999-12-31' END AS co_mapping_end_date
        FROM range({size.customers * 2}) AS numbers(i)"""


def _write_earlier_calls(warehouse: Warehouse, emptied: set[str]) -> tuple[str, int]:
    """What the emptied days had when they were aggregated: the calls of the day before."""
    rows = 0
    for day in sorted(emptied):
        before = str(date.fromisoformat(day) - timedelta(days=1))
        name = "traffic_adhoc_aggr/aggregate_staging"
        select = render(name, warehouse, run_key="", dates=[before])
        moved = f"SELECT * REPLACE ('{day}' AS partition_date) FROM ({select.sql}) AS aggregated"
        final = tables.traffic_aggr_adhoc
        statement = Statement(f"sample of {final.name}", moved, select.reads)
        written = warehouse.overwrite(final, [day], statement, "sample", no_audit)
        rows += sum(totals.rows for totals in written.values())
    return tables.traffic_aggr_adhoc.name, rows


def _earlier_nights() -> str:
    late = ", ".join(f"'{day}'" for day in LATE_DAYS)
    emptied = "\n".join(
        f"""UNION ALL BY NAME
            SELECT * REPLACE ('{day}' AS partition_date)
            FROM mnaas.usage_trend_daily_aggr WHERE partition_date = '2021-04-10'"""
        for day in EMPTIED_DAYS
    )
    return f"""
        SELECT tcl_secs_id, serv_abbr, SUM(mo_sms) AS mo_sms, SUM(mt_sms) AS mt_sms,
            SUM(mo_sms) + SUM(mt_sms) AS total_sms, SUM(mo_minutes) AS mo_minutes,
            SUM(mt_minutes) AS mt_minutes, SUM(mo_minutes) + SUM(mt_minutes) AS total_minutes,
            SUM(data_usage_mb) AS data_usage_mb, SUM(sms_users) AS sms_users,
            SUM(voice_users) AS voice_users, SUM(data_users) AS data_users, partition_date
        FROM (
            SELECT * FROM mnaas.usage_trend_daily_aggr
            {emptied}
        ) AS usage
        WHERE partition_date NOT IN ({late}) OR bu_prompt = 'BU1'
        GROUP BY tcl_secs_id, serv_abbr, partition_date"""
