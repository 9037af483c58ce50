"""The built wheel, installed alone into an empty environment."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.site import DATE, REPOSITORY


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    listed = run(
        "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=REPOSITORY
    )
    run("mkdir", copy, cwd=folder)
    names = [name for name in listed.stdout.split("\0") if name]
    run("cp", "--parents", "--no-dereference", *names, copy, cwd=REPOSITORY)
    built = run(
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
        *("--quiet", "--no-index", "--disable-pip-version-check", "--wheel-dir", folder, copy),
        cwd=folder,
    )
    assert built.returncode == 0, built.stderr
    [made] = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and our dependencies lent from this one."""
    place = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", place, cwd=place)
    [packages] = place.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place / "bin" / "python"


def test_sql_templates_and_configuration_are_inside(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "pipelines/config/luigi.cfg" in names
    assert "pipelines/customer_aggr/sql/create_file.sql" in names
    for template in ("ticket", "reminder", "recovery"):
        assert f"pipelines/templates/email/{template}.txt" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


def test_a_night_runs_from_an_empty_folder(python: Path, tmp_path: Path) -> None:
    where = run(python, "-c", "import pipelines; print(pipelines.__file__)", cwd=tmp_path)
    assert str(python.parent.parent) in where.stdout
    made = run(python, "-m", "demo", "--data-only", "--days", "5", "--rows", "500", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    night = [python, "-m", "luigi", "--module", "pipelines", "CustomerAggr", "--date", DATE]
    listed = tmp_path / "var/files/lists/traffic_partitions_daily_uniq.txt"
    listed.write_text("2021-04-29\n")
    done = run(*night, "--local-scheduler", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "pipelines/config/luigi.cfg" in done.stderr.splitlines()[0]
    assert (tmp_path / "var/state/markers/CustomerAggr").is_dir()
    listed.write_text("29.4.2021\n")
    assert run(*night, "--local-scheduler", cwd=tmp_path).returncode == 35
    listed.unlink()
    missing = [*night[:-1], "2021-04-29", "--local-scheduler"]
    assert run(*missing, cwd=tmp_path).returncode == 20
