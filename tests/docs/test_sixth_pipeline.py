"""The sixth pipeline, as CONTRIBUTING says it is made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.test_readme import copy_of_the_repository
from tests.site import DATE, REPOSITORY, Site

_BLOCK = re.compile(r"^```(?:python|sql)\n(?:#|--) ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def follow(repository: Path) -> list[str]:
    """Do what the section says; the places that it names."""
    section = (REPOSITORY / "CONTRIBUTING.md").read_text().split("## A sixth pipeline")[1]
    section = section.partition("\n## ")[0]
    places = []
    for place, text in _BLOCK.findall(section):
        name, _, before = place.partition(", before ")
        file = repository / name
        places.append(place)
        if before:
            content = file.read_text()
            assert f"\n{before}" in content, place
            file.write_text(content.replace(f"\n{before}", f"\n{text}\n{before}", 1))
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    init = repository / "pipelines/__init__.py"
    init.write_text(init.read_text().replace("__all__ = [", '__all__ = [\n    "SimCounts",'))
    (repository / "pipelines/sim_counts/__init__.py").write_text('"""How many SIMs were used."""\n')
    return places


@pytest.fixture
def extended(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site that runs the repository with a sixth pipeline in it."""
    repository = tmp_path / "repository"
    copy_of_the_repository(repository)
    assert len(follow(repository)) == 4
    environment = {**site.environment(), "PYTHONPATH": str(repository)}
    monkeypatch.setattr(Site, "environment", lambda _: environment)
    return site


def test_a_sixth_pipeline_is_made_as_contributing_says(extended: Site) -> None:
    extended.night(pipeline="SimCounts").expect(0)
    marker = next(m for path, m in extended.markers().items() if path.startswith("SimCounts/"))
    assert marker["evidence"]["rows"] == 3
    assert marker["evidence"]["partitions"] == {DATE: 3}
    assert "Did not run any tasks" in extended.night(pipeline="SimCounts").expect(0).output
    plan = extended.run("mnaas", "plan", "SimCounts", "--date", DATE, "--verbose").expect(0).output
    assert "CountSims        DONE" in plan
    assert "COUNT(DISTINCT sim)" in plan
    extended.run("mnaas", "run", "SimCounts", "--date", DATE, "--from", "CountSims").expect(0)
    calendar = extended.run("mnaas", "calendar", "SimCounts", "--until", DATE).expect(0).output
    assert calendar.splitlines()[3].endswith("D")
    assert "statements        9 can" in extended.run("mnaas", "check").output


def test_it_takes_less_than_a_page() -> None:
    section = (REPOSITORY / "CONTRIBUTING.md").read_text().split("## A sixth pipeline")[1]
    lines = section.partition("A new engine is")[0].strip().splitlines()
    assert len(lines) < 90
