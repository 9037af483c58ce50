"""A night killed at any instant and run again ends like an undisturbed night."""

from __future__ import annotations

import functools
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pipelines
from tests.journeys import killed_luigi
from tests.site import DATE, LEAVES, Outcome, Site, says

PARTS = 8  # the instants are dealt out to so many tests, which run side by side
# Of CustomerAggr every instant; of the others, which are built alike, about so many of them.
SOME = 16
PIPELINES = list(LEAVES)


def fresh(sample_site: Path, folder: Path, pipeline: str) -> Site:
    """A site on which the night of that pipeline can run."""
    site = Site.copy_of(sample_site, folder)
    if pipeline == "MissingCustomerFiles":
        site.configure("missing_customer_files", require_backup_night="false")
        counted = "customers_files_records_count"
        before = f"SELECT * FROM mnaas.{counted} WHERE file_date = '2021-04-29'"
        moved = f"SELECT * REPLACE ('{DATE}' AS file_date) FROM ({before}) AS counted"
        site.rewrite(counted, moved, DATE)
    return site


@pytest.fixture(scope="session")
def undisturbed(
    sample_site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], dict[str, Any]]:
    """What a night leaves that nobody kills."""

    @functools.cache
    def left(pipeline: str) -> dict[str, Any]:
        site = fresh(sample_site, tmp_path_factory.mktemp("undisturbed") / "site", pipeline)
        site.night(pipeline=pipeline).expect(0)
        return site.state(pipeline)

    return left


def run_killed(site: Site, pipeline: str, at: int) -> Outcome:
    night = site.night_command(pipeline=pipeline)[1:]
    script = killed_luigi.__file__
    return site.run("python", script, f"{site.root}/var", str(at), *night)


def assert_ends_like(site: Site, pipeline: str, undisturbed: dict[str, Any], when: str) -> None:
    site.night(pipeline=pipeline).expect(0)
    assert site.state(pipeline) == undisturbed, when
    assert site.leftovers() == [], when


def assert_resumes_from_some(
    sample_site: Path, folder: Path, pipeline: str, undisturbed: dict[str, Any], part: int, of: int
) -> None:
    whole = fresh(sample_site, folder / "whole", pipeline)
    changes = int(run_killed(whole, pipeline, 0).expect(0).output.split()[-1])
    assert changes > 20
    assert whole.state(pipeline) == undisturbed
    for at in range(1 + part, changes + 1, of or max(1, changes // SOME)):
        site = fresh(sample_site, folder / "site", pipeline)
        assert run_killed(site, pipeline, at).code == -signal.SIGKILL
        when = f"killed before change {at} of {changes}"
        assert_ends_like(site, pipeline, undisturbed, when)
        shutil.rmtree(site.root)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_night_killed_before_any_of_its_changes_resumes(
    sample_site: Path, tmp_path: Path, undisturbed: Callable[[str], dict[str, Any]], part: int
) -> None:
    left = undisturbed("CustomerAggr")
    assert_resumes_from_some(sample_site, tmp_path, "CustomerAggr", left, part, PARTS)


@pytest.mark.parametrize("pipeline", PIPELINES[1:])
def test_every_pipeline_killed_inside_its_steps_resumes(
    sample_site: Path, tmp_path: Path, undisturbed: Callable[[str], dict[str, Any]], pipeline: str
) -> None:
    assert_resumes_from_some(sample_site, tmp_path, pipeline, undisturbed(pipeline), 0, 0)


@pytest.mark.parametrize("seed", range(6))
def test_a_night_killed_again_and_again_at_any_time_gets_done(
    sample_site: Path, tmp_path: Path, undisturbed: Callable[[str], dict[str, Any]], seed: int
) -> None:
    dice = random.Random(seed)
    pipeline = PIPELINES[seed % len(PIPELINES)]
    site = fresh(sample_site, tmp_path / "site", pipeline)
    for _ in range(6):
        with site.start(*site.night_command(pipeline=pipeline)) as process:
            time.sleep(dice.uniform(0.2, 0.6))
            process.kill()
    assert_ends_like(site, pipeline, undisturbed(pipeline), f"seed {seed}")


def steps_to_kill_after() -> list[tuple[str, str]]:
    """Every step but the last, of every pipeline."""
    return [
        (name, step.__name__)
        for name in PIPELINES
        for step in getattr(pipelines, name).steps()[:-1]
    ]


@pytest.mark.parametrize(("pipeline", "step"), steps_to_kill_after())
def test_a_night_killed_after_a_step_skips_that_step(
    sample_site: Path,
    tmp_path: Path,
    undisturbed: Callable[[str], dict[str, Any]],
    pipeline: str,
    step: str,
) -> None:
    site = fresh(sample_site, tmp_path / "site", pipeline)
    with site.start(*site.night_command(pipeline=pipeline)) as process:
        assert says(process, f"{pipeline}.{step}_", "status   DONE")
        process.kill()
    rerun = site.night(pipeline=pipeline).expect(0)
    assert f"running   {pipeline}.{step}(" not in rerun.output
    assert site.state(pipeline) == undisturbed(pipeline)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_done_night_runs_nothing_again(sample_site: Path, tmp_path: Path, pipeline: str) -> None:
    site = fresh(sample_site, tmp_path / "site", pipeline)
    site.night(pipeline=pipeline).expect(0)
    before = site.markers()
    assert "Did not run any tasks" in site.night(pipeline=pipeline).expect(0).output
    assert site.markers() == before
