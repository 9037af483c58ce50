"""CustomerAggr killed at any instant and run again ends like an undisturbed night."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.journeys import killed_luigi
from tests.site import DATE, Outcome, Site

PARTS = 8  # the instants are dealt out to so many tests, which run side by side


@pytest.fixture(scope="session")
def undisturbed(sample_site: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    site = Site.copy_of(sample_site, tmp_path_factory.mktemp("undisturbed") / "site")
    site.night().expect(0)
    return site.state()


def run_killed(site: Site, at: int) -> Outcome:
    night = site.night_command()[1:]
    script = killed_luigi.__file__
    return site.run("python", script, f"{site.root}/var", str(at), *night)


def assert_ends_like(site: Site, undisturbed: dict[str, Any], when: str) -> None:
    site.night().expect(0)
    assert site.state() == undisturbed, when
    assert site.leftovers() == [], when


@pytest.mark.parametrize("part", range(PARTS))
def test_a_night_killed_before_any_of_its_changes_resumes(
    sample_site: Path, tmp_path: Path, undisturbed: dict[str, Any], part: int
) -> None:
    whole = Site.copy_of(sample_site, tmp_path / "whole")
    changes = int(run_killed(whole, 0).expect(0).output.split()[-1])
    assert changes > 40
    assert whole.state() == undisturbed
    for at in range(1 + part, changes + 1, PARTS):
        site = Site.copy_of(sample_site, tmp_path / "site")
        assert run_killed(site, at).code == -signal.SIGKILL
        assert_ends_like(site, undisturbed, f"killed before change {at} of {changes}")
        shutil.rmtree(site.root)


@pytest.mark.parametrize("seed", range(6))
def test_a_night_killed_again_and_again_at_any_time_gets_done(
    site: Site, undisturbed: dict[str, Any], seed: int
) -> None:
    dice = random.Random(seed)
    for _ in range(6):
        with site.start(*site.night_command()) as process:
            time.sleep(dice.uniform(0.2, 0.6))
            process.kill()
    assert_ends_like(site, undisturbed, f"seed {seed}")


@pytest.mark.parametrize("step", ["CreateFile", "LoadStaging", "PublishPartitions"])
def test_a_night_killed_after_a_step_skips_that_step(
    site: Site, undisturbed: dict[str, Any], step: str
) -> None:
    with site.start(*site.night_command()) as process:
        assert process.stdout
        for line in process.stdout:
            if f"CustomerAggr.{step}_" in line and "status   DONE" in line:
                process.kill()
                break
    rerun = site.night().expect(0)
    assert f"running   CustomerAggr.{step}(" not in rerun.output
    assert site.state() == undisturbed


def test_a_done_night_runs_nothing_again(site: Site) -> None:
    site.night().expect(0)
    before = site.markers()
    assert "Did not run any tasks" in site.night().expect(0).output
    assert site.markers() == before
    assert f"{DATE}@" not in "".join(before)
