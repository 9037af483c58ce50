from __future__ import annotations

import json
from pathlib import Path

import pytest
from luigi.configuration import LuigiConfigParser

from pipelines import wiring
from pipelines.statements import render
from targets.errors import MnaasError, SchemaError, StatementError, UnknownTableError
from targets.schema import Column, Partition, identifier, table
from targets.warehouse.base import Statement


def rendered(configured: LuigiConfigParser, folder: Path, sql: str, **values: object) -> Statement:
    """Our statement's place taken by a SQL file of the site."""
    (folder / "mine.sql").write_text(sql)
    replace = {"customer_aggr/create_file": str(folder / "mine.sql")}
    configured.set("statements", "replace", json.dumps(replace))
    return render("customer_aggr/create_file", wiring.warehouse(), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "attack", ["'; DROP TABLE t; --", "' OR '1'='1", "\\'", "{{ 7 * 7 }}", "a'||(SELECT 1)||'"]
)
def test_values_are_literals_whatever_they_hold(
    configured: LuigiConfigParser, tmp_path: Path, attack: str
) -> None:
    statement = rendered(configured, tmp_path, "SELECT {{ value }} AS v", value=attack)
    warehouse = wiring.warehouse()
    assert warehouse.query(statement) == [(attack,)]
    warehouse.close()


@pytest.mark.parametrize(
    "trick",
    [
        "{{ value | upper }}",
        "{{ value ~ '' }}",
        "{{ table('org_details') ~ value }}",
        "{% for item in [value] %}{{ item }}{% endfor %}",
        "{% set copy = value %}{{ copy }}",
        "{{ value | safe }}",
    ],
)
def test_no_filter_makes_a_value_raw_text(
    configured: LuigiConfigParser, tmp_path: Path, trick: str
) -> None:
    sql = rendered(configured, tmp_path, trick, value="x'; DROP").sql
    assert sql.startswith("'")
    assert sql.endswith("'")
    assert "''; DROP" in sql.replace("''; drop", "''; DROP")


def test_a_list_becomes_literals_and_an_empty_one_matches_nothing(
    configured: LuigiConfigParser, tmp_path: Path
) -> None:
    sql = "SELECT 1 WHERE 'a' IN ({{ days }})"
    assert rendered(configured, tmp_path, sql, days=["a", "b'"]).sql.endswith("IN ('a', 'b''')")
    none = rendered(configured, tmp_path, sql, days=[])
    warehouse = wiring.warehouse()
    assert warehouse.query(none) == []
    warehouse.close()


def test_a_statement_knows_the_tables_that_it_reads(
    configured: LuigiConfigParser, tmp_path: Path
) -> None:
    sql = "SELECT * FROM {{ table('org_details') }}, {{ table('kpi_measurement', ['d']) }}"
    statement = rendered(configured, tmp_path, sql)
    assert statement.sql == "SELECT * FROM mnaas.org_details, mnaas.kpi_measurement"
    assert statement.reads == {"org_details": None, "kpi_measurement": frozenset({"d"})}


@pytest.mark.parametrize("sql", ["SELECT {{ nobody }}", "SELECT {{ days.x.y }}", "{% if %}", "{{"])
def test_what_cannot_be_rendered_is_a_clear_error(
    configured: LuigiConfigParser, tmp_path: Path, sql: str
) -> None:
    with pytest.raises(StatementError, match=r"customer_aggr/create_file\.sql cannot be rendered"):
        rendered(configured, tmp_path, sql, days=[])


def test_an_undeclared_table_is_refused(configured: LuigiConfigParser, tmp_path: Path) -> None:
    with pytest.raises(UnknownTableError, match="org_detail is not declared"):
        rendered(configured, tmp_path, "{{ table('org_detail') }}")


def test_a_statement_that_we_do_not_have_is_refused(configured: LuigiConfigParser) -> None:
    with pytest.raises(MnaasError, match="no statement customer_aggr/nonsense"):
        render("customer_aggr/nonsense", wiring.warehouse())


@pytest.mark.parametrize("name", ["", "a b", "a;b", "1a", "a.b", "A", "a'", "a\n"])
def test_names_that_cannot_stand_in_sql_are_refused(name: str) -> None:
    with pytest.raises(SchemaError):
        identifier(name)


@pytest.mark.parametrize("kind", ["DOUBLE", "FLOAT", "VARCHAR", "DECIMAL", "STRING; DROP"])
def test_types_that_differ_between_engines_are_refused(kind: str) -> None:
    with pytest.raises(SchemaError):
        Column("a", kind)


def test_a_declaration_reads_like_sql() -> None:
    declared = table("t", "id BIGINT, amount DECIMAL(20,4), name STRING", "day")
    assert [column.name for column in declared.all_columns] == ["id", "amount", "name", "day"]
    assert declared.columns[1].type == "DECIMAL(20,4)"
    staging = declared.staging()
    assert (staging.name, staging.partitioned_by) == ("t_staging", "run_key")
    assert [column.name for column in staging.columns] == ["id", "amount", "name", "day"]


def test_partition_folders_are_spelled_as_hive_spells_them() -> None:
    partition = Partition("run_key", "2021-04-30@a/b:c=d%")
    assert partition.folder == "run_key=2021-04-30@a%2Fb%3Ac%3Dd%25"
    assert Partition.from_folder(partition.folder) == partition
