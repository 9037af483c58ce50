"""What every warehouse must do. An engine's test inherits this class and makes `warehouse`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from targets.errors import AuditError, MnaasError, SchemaError, StatementError, UnknownTableError
from targets.schema import table
from targets.table import TablePartitions
from targets.warehouse.base import Statement, Totals, Warehouse, no_audit

SALES = table("sales", "id BIGINT, name STRING, amount DECIMAL(20,4)", "day")
STAGED = SALES.staging()
LOOKUP = table("lookup", "id BIGINT, label STRING")
TABLES = {declared.name: declared for declared in (SALES, STAGED, LOOKUP)}


def values(*rows: str) -> Statement:
    """A SELECT of these rows, spelled as every engine reads it."""
    named = "SELECT 0 AS id, '' AS name, CAST(0 AS DECIMAL(20,4)) AS amount, '' AS day WHERE 1 = 0"
    selects = (f"SELECT {row.strip()[1:-1]}" for row in rows)
    return Statement("values", "\nUNION ALL\n".join([named, *selects]))


class WarehouseContract:
    @pytest.fixture
    def warehouse(self) -> Warehouse:
        raise NotImplementedError

    def rows(self, warehouse: Warehouse, where: str = "1 = 1") -> list[tuple[object, ...]]:
        sql = f"SELECT * FROM {warehouse.spell(SALES)} WHERE {where} ORDER BY day, id"
        return warehouse.query(Statement("rows", sql, {"sales": None}))

    def fill(self, warehouse: Warehouse, *days: str, amount: str = "1.5") -> None:
        rows = [f"({number}, 'a', {amount}, '{day}')" for day in days for number in (1, 2)]
        warehouse.overwrite(SALES, list(days), values(*rows), "fill", no_audit)

    def test_it_answers(self, warehouse: Warehouse) -> None:
        warehouse.ping()

    def test_a_declared_table_that_was_never_written_is_empty(self, warehouse: Warehouse) -> None:
        assert self.rows(warehouse) == []
        assert warehouse.partitions(SALES) == []
        count = f"SELECT COUNT(*), SUM(amount) FROM {warehouse.spell(SALES)}"
        assert warehouse.query(Statement("count", count, {"sales": None})) == [(0, None)]

    def test_an_undeclared_table_names_the_near_spelling(self, warehouse: Warehouse) -> None:
        with pytest.raises(UnknownTableError, match="table sale is not declared") as caught:
            warehouse.table("sale")
        assert "Did you mean sales?" in str(caught.value)

    def test_overwrite_replaces_exactly_the_given_partitions(self, warehouse: Warehouse) -> None:
        self.fill(warehouse, "2021-04-01", "2021-04-02")
        self.fill(warehouse, "2021-04-02", amount="2.5")
        days = [(row[3], row[2]) for row in self.rows(warehouse)]
        assert (
            days
            == [("2021-04-01", Decimal("1.5000"))] * 2 + [("2021-04-02", Decimal("2.5000"))] * 2
        )

    def test_overwrite_leaves_out_rows_of_other_partitions(self, warehouse: Warehouse) -> None:
        rows = values("(1, 'a', 1, '2021-04-01')", "(2, 'b', 2, '2021-04-02')")
        warehouse.overwrite(SALES, ["2021-04-01"], rows, "v", no_audit)
        assert warehouse.partitions(SALES) == ["2021-04-01"]
        assert [row[0] for row in self.rows(warehouse)] == [1]

    def test_overwrite_by_no_rows_empties_the_partition(self, warehouse: Warehouse) -> None:
        self.fill(warehouse, "2021-04-01")
        warehouse.overwrite(SALES, ["2021-04-01"], values("(1, 'a', 1, 'other')"), "v", no_audit)
        assert self.rows(warehouse) == []
        assert TablePartitions(warehouse, SALES, ["2021-04-01"]).without_rows() == ["2021-04-01"]

    def test_overwrite_of_no_partitions_does_nothing(self, warehouse: Warehouse) -> None:
        assert warehouse.overwrite(SALES, [], values("(1, 'a', 1, 'x')"), "v", no_audit) == {}
        assert warehouse.partitions(SALES) == []

    def test_a_failed_audit_switches_nothing(self, warehouse: Warehouse) -> None:
        self.fill(warehouse, "2021-04-01")
        before = self.rows(warehouse)

        def refuse(_written: Mapping[str, Totals]) -> None:
            raise AuditError("no")

        with pytest.raises(AuditError):
            warehouse.overwrite(
                SALES, ["2021-04-01"], values("(9, 'z', 9, '2021-04-01')"), "v", refuse
            )
        assert self.rows(warehouse) == before

    def test_the_audit_sees_what_was_written(self, warehouse: Warehouse) -> None:
        seen: dict[str, Totals] = {}
        rows = values("(1, 'a', 1.25, '2021-04-01')", "(2, NULL, NULL, '2021-04-01')")
        warehouse.overwrite(SALES, ["2021-04-01"], rows, "v", seen.update)
        assert seen == {
            "2021-04-01": Totals(2, {"id": "3", "name": "1", "amount": "1.25"}),
        }
        assert warehouse.totals(SALES, ["2021-04-01"]) == seen

    def test_each_partition_is_told_of_when_its_new_rows_are_there(
        self, warehouse: Warehouse
    ) -> None:
        self.fill(warehouse, "2021-04-01", "2021-04-02")
        seen: list[tuple[str, int]] = []

        def switched(day: str) -> None:
            seen.append((day, warehouse.row_counts(SALES, [day])[day]))

        rows = values("(1, 'a', 1, '2021-04-01')", "(2, 'a', 1, '2021-04-02')")
        days = ["2021-04-01", "2021-04-02"]
        warehouse.overwrite(SALES, days, rows, "v", no_audit, switched=switched)
        assert seen == [("2021-04-01", 1), ("2021-04-02", 1)]

    def test_totals_of_a_select_are_those_of_what_it_would_write(
        self, warehouse: Warehouse
    ) -> None:
        rows = values("(1, 'a', 1.25, '2021-04-01')", "(2, NULL, NULL, '2021-04-02')")
        foreseen = warehouse.totals_of(rows, SALES)
        warehouse.overwrite(SALES, ["2021-04-01", "2021-04-02"], rows, "v", no_audit)
        assert warehouse.totals(SALES, ["2021-04-01", "2021-04-02"]) == foreseen

    def test_a_table_can_be_overwritten_from_itself(self, warehouse: Warehouse) -> None:
        self.fill(warehouse, "2021-04-01")
        sql = f"SELECT id + 10 AS id, name, amount, day FROM {warehouse.spell(SALES)}"
        select = Statement("self", sql, {"sales": None})
        warehouse.overwrite(SALES, ["2021-04-01"], select, "v", no_audit)
        assert [row[0] for row in self.rows(warehouse)] == [11, 12]

    def test_a_dropped_partition_is_gone_with_its_rows(self, warehouse: Warehouse) -> None:
        self.fill(warehouse, "2021-04-01", "2021-04-02")
        warehouse.drop_partitions(SALES, ["2021-04-01", "2021-04-09"])
        assert warehouse.partitions(SALES) == ["2021-04-02"]
        self.fill(warehouse, "2021-04-01")
        assert len(self.rows(warehouse, "day = '2021-04-01'")) == 2

    def test_decimals_stay_exact(self, warehouse: Warehouse) -> None:
        rows = values(
            "(1, 'a', CAST('9999999999999999.9999' AS DECIMAL(20,4)), 'd')",
            "(2, 'a', CAST('0.00005' AS DECIMAL(20,5)), 'd')",
        )
        warehouse.overwrite(SALES, ["d"], rows, "v", no_audit)
        found = [row[2] for row in self.rows(warehouse)]
        assert found == [Decimal("9999999999999999.9999"), Decimal("0.0001")]

    @pytest.mark.parametrize(
        "day", ["2021-04-30@month-2021-04", "a b", "50%", "it's", 'q"x', "a=b/c:d", "ü", "{x}[y]"]
    )
    def test_partition_values_may_hold_any_character(self, warehouse: Warehouse, day: str) -> None:
        row = values(f"(1, 'a', 1, {warehouse.literal(day)})")
        warehouse.overwrite(SALES, [day], row, "v", no_audit)
        assert warehouse.partitions(SALES) == [day]
        assert self.rows(warehouse) == [(1, "a", Decimal(1), day)]
        assert warehouse.row_counts(SALES, [day]) == {day: 1}
        warehouse.drop_partitions(SALES, [day])
        assert warehouse.partitions(SALES) == []

    def test_a_partition_value_with_control_characters_is_refused(
        self, warehouse: Warehouse
    ) -> None:
        with pytest.raises(SchemaError):
            warehouse.overwrite(SALES, ["a\nb"], values("(1, 'a', 1, 'x')"), "v", no_audit)

    def test_what_export_writes_load_file_reads(self, warehouse: Warehouse, tmp_path: Path) -> None:
        awkward = [
            "plain",
            "semi;colon",
            "new\nline",
            'quo"te',
            "",
            "\\N",
            " blank ",
            "back\\slash",
        ]
        rows = [f"({n}, {warehouse.literal(name)}, {n}.5, 'd')" for n, name in enumerate(awkward)]
        warehouse.overwrite(SALES, ["d"], values(*rows, "(99, NULL, NULL, 'd')"), "v", no_audit)
        before = self.rows(warehouse)
        select = Statement("all", f"SELECT * FROM {warehouse.spell(SALES)}", {"sales": None})
        assert warehouse.export(select, tmp_path / "file") == len(awkward) + 1
        warehouse.load_file(STAGED, "key", tmp_path / "file", "v", no_audit)
        sql = f"SELECT id, name, amount, day FROM {warehouse.spell(STAGED)} ORDER BY id"
        assert warehouse.query(Statement("staged", sql, {STAGED.name: None})) == before

    def test_load_file_replaces(self, warehouse: Warehouse, tmp_path: Path) -> None:
        file = tmp_path / "file"
        for text in ("1;a;1.5;d\n2;b;2.5;d\n", "3;c;3.5;d\n", ""):
            file.write_text(text)
            warehouse.load_file(STAGED, "key", file, "v", no_audit)
            loaded = warehouse.row_counts(STAGED, ["key"]).get("key", 0)
            assert loaded == text.count("\n")

    @pytest.mark.parametrize("line", ["1;a;x;d", "1;a;1.5", "1;a;1.5;d;e"])
    def test_a_malformed_line_loads_nothing(
        self, warehouse: Warehouse, tmp_path: Path, line: str
    ) -> None:
        file = tmp_path / "file"
        file.write_text(f"1;a;1.5;d\n{line}\n")
        with pytest.raises(StatementError):
            warehouse.load_file(STAGED, "key", file, "v", no_audit)
        assert warehouse.partitions(STAGED) == []

    def test_a_table_without_partitions_is_overwritten_whole(self, warehouse: Warehouse) -> None:
        for label in ("old", "new"):
            select = Statement("one", f"SELECT 1 AS id, '{label}' AS label")
            warehouse.overwrite(LOOKUP, [""], select, "v", no_audit)
        sql = f"SELECT * FROM {warehouse.spell(LOOKUP)}"
        assert warehouse.query(Statement("all", sql, {"lookup": None})) == [(1, "new")]

    def test_a_wrong_statement_is_one_clear_error(self, warehouse: Warehouse) -> None:
        with pytest.raises(StatementError) as caught:
            warehouse.query(Statement("my statement", "SELECT nonsense FROM nowhere"))
        assert str(caught.value).startswith("my statement: ")
        assert "SELECT nonsense FROM nowhere" in str(caught.value)

    @pytest.mark.parametrize("text", ["it's", "a; DROP TABLE x --", "\\' OR 1=1", "''", "ü\n"])
    def test_a_literal_is_the_text_and_nothing_else(self, warehouse: Warehouse, text: str) -> None:
        sql = f"SELECT {warehouse.literal(text)}"
        assert warehouse.query(Statement("literal", sql)) == [(text,)]

    @pytest.mark.parametrize("value", ["a\0b", 1.5, True, object()])
    def test_what_has_no_safe_spelling_is_refused(
        self, warehouse: Warehouse, value: object
    ) -> None:
        with pytest.raises(MnaasError):
            warehouse.literal(value)  # type: ignore[arg-type]
