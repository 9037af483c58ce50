"""`python -m benchmarks.bare ROOT WAY DATE...`: the same files by DuckDB alone, its seconds.

Without audits, fsync, locks, atomic switches or markers. WAY `table`: aggregate the source right
into one file a partition. WAY `night`: by a text file and a staging file, as the four steps do.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb

SUMS = """SUM(mo_sms) AS mo_sms, SUM(mt_sms) AS mt_sms, SUM(mo_sms) + SUM(mt_sms) AS total_sms,
    SUM(mo_minutes) AS mo_minutes, SUM(mt_minutes) AS mt_minutes,
    SUM(mo_minutes) + SUM(mt_minutes) AS total_minutes, SUM(data_usage_mb) AS data_usage_mb,
    SUM(sms_users) AS sms_users, SUM(voice_users) AS voice_users, SUM(data_users) AS data_users"""
TYPES = """{'tcl_secs_id': 'BIGINT', 'serv_abbr': 'VARCHAR', 'mo_sms': 'BIGINT',
    'mt_sms': 'BIGINT', 'total_sms': 'BIGINT', 'mo_minutes': 'DECIMAL(20,4)',
    'mt_minutes': 'DECIMAL(20,4)', 'total_minutes': 'DECIMAL(20,4)',
    'data_usage_mb': 'DECIMAL(20,4)', 'sms_users': 'BIGINT', 'voice_users': 'BIGINT',
    'data_users': 'BIGINT', 'partition_date': 'VARCHAR'}"""


def main() -> None:
    root, way, days = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    out = root / "bare"
    out.mkdir(exist_ok=True)
    started = time.perf_counter()
    connection = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": "1GB"})
    listed = ", ".join(f"'{day}'" for day in days)
    aggregated = f"""SELECT tcl_secs_id, serv_abbr, {SUMS}, partition_date
        FROM read_parquet('{root}/var/warehouse/mnaas/usage_trend_daily_aggr/*/*.parquet',
            hive_partitioning = true, hive_types = {{'partition_date': VARCHAR}})
        WHERE partition_date IN ({listed}) GROUP BY ALL"""
    partitioned = f"""'{out}/final'
        (FORMAT parquet, PARTITION_BY (partition_date), OVERWRITE_OR_IGNORE)"""
    if way == "table":
        connection.execute(f"COPY ({aggregated}) TO {partitioned}")
    else:
        by_files(connection, out, aggregated, partitioned)
    print(json.dumps({"seconds": {"all": time.perf_counter() - started}}))


def by_files(
    connection: duckdb.DuckDBPyConnection, out: Path, aggregated: str, partitioned: str
) -> None:
    text = "FORMAT csv, DELIMITER ';', HEADER false, NULLSTR '\\N'"
    connection.execute(f"COPY ({aggregated} ORDER BY ALL) TO '{out}/file.txt' ({text})")
    connection.execute(f"""COPY (
        SELECT * FROM read_csv('{out}/file.txt', auto_detect = false, header = false, delim = ';',
            nullstr = '\\N', columns = {TYPES})
    ) TO '{out}/staging.parquet' (FORMAT parquet)""")
    connection.execute(f"COPY (SELECT * FROM '{out}/staging.parquet') TO {partitioned}")


if __name__ == "__main__":
    main()
