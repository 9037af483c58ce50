"""CustomerAggr with its file and its markers on HDFS."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hdfs as client
import pytest

from tests.cluster.servers.hdfs import Hdfs
from tests.journeys.test_nights import FINAL_LOCK, held, wait_for
from tests.ports import free_port
from tests.site import DATE, Site

pytestmark = pytest.mark.cluster
_numbers = itertools.count()


@pytest.fixture
def root() -> str:
    return f"/nights/{next(_numbers)}"


@pytest.fixture
def there(site: Site, hdfs: Hdfs, root: str) -> Site:
    """A site that keeps files and markers on HDFS."""
    site.configure("files", store="hdfs")
    site.configure("state", markers="hdfs")
    site.configure(
        "namenode", urls=json.dumps([hdfs.url]), user=hdfs.user, root=root, timeout_seconds=20
    )
    return site


@pytest.fixture
def names(hdfs: Hdfs, root: str) -> Callable[[str], list[str]]:
    """The files below a folder of the site on HDFS."""
    asked = client.InsecureClient(hdfs.url, user=hdfs.user, timeout=20)

    def listed(folder: str) -> list[str]:
        return sorted(
            f"{place}/{name}".removeprefix(f"{root}/{folder}/")
            for place, _, files in asked.walk(f"{root}/{folder}")
            for name in files
        )

    return listed


def test_a_night_ends_as_it_does_locally(
    there: Site,
    sample_site: Path,
    tmp_path: Path,
    names: Callable[[str], list[str]],
) -> None:
    local = Site.copy_of(sample_site, tmp_path / "local")
    local.night().expect(0)
    there.night().expect(0)
    assert there.final() == local.final()
    assert names("markers") == sorted(local.markers())
    [file] = names("files")
    assert file == f"customer_aggr/table_statistics_customer_aggr_{DATE}.txt"
    assert not (there.root / "var/state/markers").exists()
    assert "Did not run any tasks" in there.night().expect(0).output
    calendar = there.run("mnaas", "calendar", "CustomerAggr", "--until", DATE).expect(0).output
    assert calendar.splitlines()[3].endswith("D")
    assert "ok  markers on HDFS" in there.run("mnaas", "check").output


def test_a_killed_night_resumes(there: Site, names: Callable[[str], list[str]]) -> None:
    with held(there, FINAL_LOCK), there.start(*there.night_command()) as process:
        wait_for(lambda: any("02-LoadStaging" in name for name in marked(names)))
        process.kill()
    rerun = there.night().expect(0).output
    assert "running   CustomerAggr.CreateFile(" not in rerun
    assert "running   CustomerAggr.LoadStaging(" not in rerun
    assert len(names("markers")) == 4
    assert not [name for name in names("") if name.endswith(".part")]


def marked(names: Callable[[str], list[str]]) -> list[str]:
    try:
        return [name for name in names("markers") if name.endswith(".json")]
    except client.HdfsError:
        return []  # no marker yet


def test_without_a_namenode_nothing_is_done_and_the_error_names_it(there: Site, hdfs: Hdfs) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    there.configure("namenode", urls=json.dumps([nowhere]))
    before = there.final()
    output = there.night().expect(35).output
    assert f"{nowhere}" in output
    assert "[namenode] urls" in output
    assert "Traceback" not in output
    assert there.final() == before
    there.configure("namenode", urls=json.dumps([nowhere, hdfs.url]))
    there.night().expect(0)


def test_rewind_works_on_markers_there(there: Site, names: Callable[[str], list[str]]) -> None:
    there.night().expect(0)
    rewind: list[Any] = ["rewind", "CustomerAggr", "--date", DATE, "--from", "4", "--yes"]
    there.run("mnaas", *rewind).expect(0)
    assert [name.split("/")[1][:2] for name in names("markers")] == ["01", "02"]
    there.night().expect(0)
    assert len(names("markers")) == 4
