"""What the cluster's engines need no cluster for: spellings, errors, descriptions, plans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from targets.errors import (
    FailedJobError,
    LostConnectionError,
    MissingPartitionError,
    MissingTableError,
    StatementError,
)
from targets.schema import Partition, table
from targets.warehouse.base import Statement
from targets.warehouse.ddl import create_external
from targets.warehouse.delimited import lines
from targets.warehouse.described import planned_locations, read_description
from targets.warehouse.driver import ServerSaidError
from targets.warehouse.duckdb import DuckDBWarehouse
from targets.warehouse.hive import HiveWarehouse
from targets.warehouse.rehearsal import Rehearsal
from targets.warehouse.session import kind_of, plain
from targets.warehouse.spark import SparkWarehouse
from targets.warehouse.versions import base_of, path_of, shadow_name
from tests.contracts.warehouse import SALES, STAGED, TABLES

AWKWARD = [None, "", "\\N", "a;b", 'quo"te', "new\nline", "\r", " blank ", "back\\slash", "ü", "'"]


def test_rows_become_the_text_that_the_embedded_engine_writes(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "w", "mnaas", {})
    spelled = " UNION ALL ".join(
        f"SELECT {n} AS n, {warehouse.literal(text)} AS t, CAST({n}.5 AS DECIMAL(20,4)) AS d"
        for n, text in enumerate(AWKWARD)
    )
    select = Statement("rows", f"SELECT * FROM ({spelled}) AS r ORDER BY n")
    warehouse.export(select, tmp_path / "file")
    rows = warehouse.query(select)
    warehouse.close()
    assert lines(rows) == (tmp_path / "file").read_bytes().decode()


@pytest.mark.parametrize(
    ("message", "state", "code", "kind"),
    [
        ("Error while compiling statement: FAILED: ParseException", "42000", 40000, StatementError),
        ("[Error 10001]: Line 1:21 Table not found 'x'", "42S02", 10001, MissingTableError),
        ("[TABLE_OR_VIEW_NOT_FOUND] x", "42P01", 0, MissingTableError),
        (
            "Could not resolve table reference: 'x'",
            "42000",
            0,
            MissingTableError,
        ),
        ("[Error 10006]: Partition not found {day=x}", "42000", 10006, MissingPartitionError),
        ("[PARTITIONS_NOT_FOUND] x", "428FT", 0, MissingPartitionError),
        ("FAILED: Execution Error, return code 2 from TezTask", "08S01", 2, FailedJobError),
        ("Job aborted due to stage failure", "", 0, FailedJobError),
        ("DDLTask. MetaException: AlreadyExistsException", "08S01", 1, StatementError),
        ("Permission denied: user=x, access=WRITE", "08S01", 1, StatementError),
        ("Could not connect to meta store using any of the URIs", "42000", 40000, FailedJobError),
        ("Invalid SessionHandle: SessionHandle [1]", "", 0, LostConnectionError),
    ],
)
def test_a_servers_answer_is_one_of_our_errors(
    message: str, state: str, code: int, kind: type[Exception]
) -> None:
    assert kind_of(ServerSaidError(message, state, code)) is kind


def test_what_a_server_says_is_one_line_without_wrappings_and_stack() -> None:
    hive = "Error while compiling statement: FAILED: SemanticException [Error 10001]: Table x"
    assert plain(hive) == "[Error 10001]: Table x"
    spark = (
        "Error running query: [X_Y] org.apache.spark.sql.AnalysisException: [X_Y] It cannot be.\n"
        "\tat org.apache.spark.Thing(Thing.scala:1)"
    )
    assert plain(spark) == "It cannot be."


HIVE = [
    ("id", "bigint", ""),
    ("amount", "decimal(20,4)", ""),
    ("", None, None),
    ("# Partition Information", None, None),
    ("# col_name", "data_type", "comment"),
    ("day", "string", ""),
    ("", None, None),
    ("# Detailed Table Information", None, None),
    ("Location:           ", "hdfs://n/w/sales", None),
    ("# Storage Information", None, None),
    ("InputFormat:        ", "org.apache.hadoop.mapred.TextInputFormat", None),
    ("Storage Desc Params:", None, None),
    ("", "field.delim         ", ";                   "),
]


def test_a_description_is_compared_with_what_is_declared() -> None:
    found = read_description(HIVE)
    assert found.location == "hdfs://n/w/sales"
    same = table("sales", "id BIGINT, amount DECIMAL(20,4)", "day", delimiter=";")
    assert list(found.differences(same, written=True)) == []
    other = table("sales", "amount DECIMAL(20,8), name STRING", "month", delimiter=",")
    assert list(found.differences(other, written=True)) == [
        "no column name",
        "amount is decimal(20,4), not decimal(20,8)",
        "partitioned by day, not by month",
        "also has id",
        "delimiter ';', not ','",
    ]
    turned = table("sales", "amount DECIMAL(20,4), id BIGINT", "day", delimiter=";")
    assert list(found.differences(turned, written=False)) == []
    assert list(found.differences(turned, written=True)) == ["columns in another order: id, amount"]


PLAN = """Partition Description:
    Partition
      partition values:
        day 2021-04-01
      properties:
        columns id,amount
        location hdfs://n/w/sales.versions/v1/day=2021-04-01
        properties:
          location hdfs://n/w/sales
          name mnaas.sales
    Partition
      partition values:
        other x
      properties:
        location hdfs://n/w/other
    Partition
      partition values:
        day a b
      properties:
        location hdfs://n/w/a b
"""


def test_a_plan_says_where_the_partitions_are_that_it_reads() -> None:
    assert planned_locations("day", PLAN.splitlines()) == {
        "2021-04-01": "hdfs://n/w/sales.versions/v1/day=2021-04-01",
        "a b": "hdfs://n/w/a b",
    }
    assert planned_locations("day", ["no plan", "location hdfs://n/w/sales"]) == {}


@pytest.mark.parametrize(
    "value", ["2021-04-30@month-2021-04", "a=b/c:d", "50%", "ü", "{x}[y]", "'"]
)
def test_a_folder_gives_its_partition_back(value: str) -> None:
    assert Partition.from_folder(Partition("day", value).folder).value == value


def test_names_and_places_of_versions() -> None:
    assert shadow_name("sales", "20210501T021000-AB12-1") == "sales__20210501t021000_ab12_1"
    assert len(shadow_name("s" * 100, "v" * 100)) <= 128
    base = "hdfs://host:8020/w/sales"
    for place in (base, f"{base}.versions/v1/day=1", f"{base}.versions/v1"):
        assert base_of(place) == base
    assert path_of(f"{base}/day=50%25") == "w/sales/day=50%25"


@pytest.mark.parametrize(
    ("kind", "asked"),
    [(HiveWarehouse, "EXPLAIN EXTENDED"), (SparkWarehouse, "DESCRIBE FORMATTED")],
)
def test_a_rehearsal_shows_what_would_be_sent(kind: Any, asked: str) -> None:
    rehearsal = Rehearsal(kind, "mnaas", TABLES)
    select = Statement("select", "SELECT 1 AS id, 'a' AS name, 2 AS amount, 'd' AS day")
    sent = rehearsal.overwrite(SALES, ["d"], select)
    verbs = [" ".join(sql.split()[:2]) for sql in sent]
    create = " ".join(kind.create_like.split()[:2])
    assert verbs == [
        "SHOW PARTITIONS",
        asked,
        "DESCRIBE FORMATTED",
        create,
        "INSERT OVERWRITE",
        f"SELECT {SALES.partitioned_by},",
        "ALTER TABLE",
        "ALTER TABLE",
        "DROP TABLE",
    ]
    assert "sales.versions/RUN_ID-ATTEMPT/day=d'" in sent[-2]
    assert "LIKE" not in " ".join(rehearsal.drop(SALES, ["d"]))
    assert any("__load_" in sql for sql in rehearsal.load_file(STAGED, "key"))
    rehearsal.close()


def test_a_text_table_is_created_with_escapes() -> None:
    declared = table("t", "id BIGINT, name STRING", "day", delimiter=";")
    sql = create_external("mnaas.t", declared, "'hdfs://n/t'")
    assert "'field.delim' = ';'" in sql
    assert "'escape.delim' = '\\\\'" in sql
    assert sql.endswith("LOCATION 'hdfs://n/t'")
