"""Every terminal session of the README, run in a copy of the repository."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pipelines
from pipelines.settings import Section
from tests.docs.console import commands_of, matches, run
from tests.site import REPOSITORY

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]


def copy_of_the_repository(folder: Path) -> None:
    """The tracked files as they are now, with this environment in place of a new one."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source, target = REPOSITORY / name, folder / name
        if source.is_symlink() or source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    (folder / ".venv").symlink_to(Path(sys.executable).parent.parent)
    for name in ("setup.cfg", "pyproject.toml"):  # or make would install it anew
        os.utime(folder / name, (0, 0))


def test_the_sessions_of_the_readme_are_true(tmp_path: Path) -> None:
    folder = tmp_path / "mnaas-pipelines"
    copy_of_the_repository(folder)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MAKEFLAGS": "--silent"}
    commands = commands_of(REPOSITORY / "README.md")
    assert len(commands) > 4
    for command in commands:
        if command.line.endswith("&"):
            subprocess.Popen(["bash", "-c", command.line], cwd=folder, env=environment).wait()
            continue
        printed = run(command.line, folder, environment)
        assert matches(command.expected, printed), "\n".join([f"$ {command.line}", *printed])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", (REPOSITORY / name).read_text()):
        if "://" not in link:
            assert (REPOSITORY / link).exists(), link


def test_every_make_target_is_in_the_readme_and_the_other_way_round() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)) - {
        "format",
        "jvm",
        "kerberos",
    }
    named = set(re.findall(r"`make ([a-z-]+)`", (REPOSITORY / "README.md").read_text()))
    assert named == targets


def test_every_step_is_in_the_readme_with_its_flag() -> None:
    text = (REPOSITORY / "README.md").read_text()
    for name in pipelines.__all__:
        section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        for step in getattr(pipelines, name).steps():
            flag = f" {step.legacy_flag} " if step.legacy_flag else " "
            assert f"| {step.__name__} |{flag}|" in section, step


def test_every_exit_code_is_in_the_readme() -> None:
    config = configparser.ConfigParser()
    config.read(REPOSITORY / "config/luigi.cfg")
    text = (REPOSITORY / "README.md").read_text()
    for code in config["retcode"].values():
        assert f"| {code} |" in text


def test_every_dependency_says_why() -> None:
    config = configparser.ConfigParser()
    config.read(REPOSITORY / "setup.cfg")
    listed = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    lines = "\n".join(listed).split("\n")
    wanted = {re.split(r"[>=<\[;]", line)[0] for line in lines if line}
    table = (REPOSITORY / "CONTRIBUTING.md").read_text().split("## Dependencies")[1]
    explained = set(re.findall(r"[a-z0-9-]+", " ".join(re.findall(r"^\| (.*?) \|", table, re.M))))
    assert wanted <= explained


def test_every_section_has_a_comment_for_each_key() -> None:
    lines = (REPOSITORY / "config/luigi.cfg").read_text().splitlines()
    ours = {kind.get_task_family() for kind in Section.__subclasses__()}
    section, explained = "", False
    for line in lines:
        if line.startswith("["):
            section, explained = line.strip("[]"), False
        elif line.startswith("#"):
            explained = True
        elif "=" in line and section in ours:
            assert explained, f"[{section}] {line}"
