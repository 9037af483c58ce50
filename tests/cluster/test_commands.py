"""The commands about tables, and the sessions of the guide, on a real Hive."""

from __future__ import annotations

import pytest

from tests.cluster.conftest import MakeSite
from tests.docs.console import commands_of, matches, run
from tests.site import BIN, REPOSITORY

pytestmark = pytest.mark.cluster


def test_the_sessions_of_the_guide_are_true(site_on: MakeSite) -> None:
    site = site_on("hive")
    site.run("mnaas", "run", "CustomerAggr", "--date", "2021-04-28").expect(0)
    environment = {**site.environment(), "PATH": f"{BIN}:{site.environment()['PATH']}"}
    for command in commands_of(REPOSITORY / "docs/on-a-cluster.md"):
        printed = run(command.line, site.root, environment)
        assert matches(command.expected, printed), "\n".join([f"$ {command.line}", *printed])


@pytest.mark.parametrize("engine", ["hive", "spark"])
def test_tables_shows_what_is_missing_and_creates_just_that(site_on: MakeSite, engine: str) -> None:
    site = site_on(engine)
    name = "table_statistics_customer_aggr_staging"
    site.place.run(f"DROP TABLE DB.{name}")
    shown = site.run("mnaas", "tables").expect(1).output
    assert f"{name} " in shown
    assert f"CREATE EXTERNAL TABLE {site.place.database}.{name} (" in shown
    assert "1 missing; to create them as shown: mnaas tables --create" in shown
    output = site.night().expect(30).output
    assert "See what is missing with: mnaas tables" in output
    assert "Traceback" not in output
    created = site.run("mnaas", "tables", "--create").expect(0).output
    assert f"created {site.place.database}.{name}" in created
    assert site.run("mnaas", "tables").expect(0).output.count(" ok ") >= 20
    site.night().expect(0)


@pytest.mark.parametrize("engine", ["hive", "spark"])
def test_tables_names_each_difference_and_alters_nothing(site_on: MakeSite, engine: str) -> None:
    site = site_on(engine)
    final, lookup = "table_statistics_customer_aggr", "org_details"
    site.place.run(
        f"DROP TABLE DB.{final}",
        f"CREATE EXTERNAL TABLE DB.{final} (tcl_secs_id STRING, serv_abbr STRING, extra_one INT) "
        f"PARTITIONED BY (day STRING) STORED AS TEXTFILE LOCATION '{site.place.folder}/odd'",
        f"DROP TABLE DB.{lookup}",
        f"CREATE EXTERNAL TABLE DB.{lookup} (extra_one STRING, orgname STRING, orgno BIGINT) "
        f"STORED AS PARQUET LOCATION '{site.place.folder}/other'",
    )
    lines = site.run("mnaas", "tables", "--create").expect(1).output.splitlines()
    [line] = [line for line in lines if line.startswith(f"{final} ")]
    for words in (
        "no column mo_sms",
        "tcl_secs_id is string, not bigint",
        "also has extra_one",
        "partitioned by day, not by partition_date",
        "kept as text",
    ):
        assert words in line
    [line] = [line for line in lines if line.startswith(f"{lookup} ")]
    assert " ok " in line  # it is only read


def test_the_month_of_a_partition_can_be_pointed_back_with_the_shown_statement(
    site_on: MakeSite,
) -> None:
    site = site_on("spark")
    before = site.final()
    site.night().expect(0)
    assert site.final() != before
    name = "table_statistics_customer_aggr"
    shown = site.run("mnaas", "versions", "CustomerAggr", "--table", name).expect(0).output
    statement = shown.splitlines()[-1].strip()
    assert "not finished" not in shown
    site.place.run(statement)
    day = statement.split("'")[1]
    where = f"partition_date = '{day}'"
    assert site.final(where) == [row for row in before if row[-1] == day]
