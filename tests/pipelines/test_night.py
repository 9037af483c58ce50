from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from luigi.configuration import LuigiConfigParser

from pipelines import CustomerAggr, wiring
from pipelines.stored import Night, StoredNight
from targets.errors import MarkerError
from targets.store.local import LocalStore
from tests.site import Site

DAYS = [date(2021, 1, 1) + timedelta(days=number) for number in range(365)]


def test_a_year_is_checked_with_one_listing(
    configured: LuigiConfigParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = wiring.markers()
    for day in DAYS[::2]:
        store.write(f"CustomerAggr/04-DropStalePartitions/{day}.0123456789ab.json", b"{}")
    variant = f"{DAYS[1]}@month-2021-01"
    store.write(f"CustomerAggr/04-DropStalePartitions/{variant}.0123456789ab.json", b"{}")
    listings = []
    listed = LocalStore.list

    def counting(self: LocalStore, folder: str) -> Any:
        listings.append(folder)
        return listed(self, folder)

    monkeypatch.setattr(LocalStore, "list", counting)
    monkeypatch.setattr(LocalStore, "exists", None)
    assert CustomerAggr.bulk_complete(DAYS) == DAYS[::2]
    assert listings == ["CustomerAggr/04-DropStalePartitions"]


def test_a_damaged_stored_list_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    stored = StoredNight(LocalStore(tmp_path), "P", "2021-04-30")
    assert stored.read() is None
    stored.write(Night(("2021-04-30",), "run"))
    assert stored.read() == Night(("2021-04-30",), "run")
    (tmp_path / "nights/P/2021-04-30.json").write_text("{}")
    with pytest.raises(MarkerError, match="Move it away"):
        stored.read()


def test_a_night_already_done_imports_no_driver(site: Site) -> None:
    site.night().expect(0)
    script = (
        "import sys; from luigi.cmdline import luigi_run\n"
        "try: luigi_run(sys.argv[1:])\n"
        "finally: print('imported', {'duckdb', 'jinja2', 'rich', 'click'} & set(sys.modules))"
    )
    output = site.run("python", "-c", script, *site.night_command()[1:]).expect(0).output
    assert "imported set()" in output
