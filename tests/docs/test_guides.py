"""Each command of the guides, run in a throw-away root folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.docs.console import commands_of, matches, run
from tests.docs.test_readme import copy_of_the_repository
from tests.site import REPOSITORY

# What changes the machine itself is only written down.
SYSTEM = ("useradd", "chown", "systemctl")


@pytest.fixture
def shims(tmp_path: Path) -> Path:
    folder = tmp_path / "shims"
    folder.mkdir()
    for name in SYSTEM:
        (folder / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/asked\n')
    (folder / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    # A clone has the files of the last commit: the guide is about those of this one.
    (folder / "git").write_text(f'#!/bin/sh\ncd {tmp_path}/clone && exec cp -a $(ls -A) "$4"\n')
    for shim in folder.iterdir():
        shim.chmod(0o755)
    return folder


def test_from_zero_to_the_first_night(tmp_path: Path, shims: Path) -> None:
    copy_of_the_repository(tmp_path / "clone")
    root = tmp_path / "root"
    place = root / "srv/mnaas"
    (root / "etc/systemd/system").mkdir(parents=True)
    environment = {
        "PATH": f"{shims}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "REPOSITORY": "the repository",
        "LUIGI_CONFIG_PATH": f"{place}/site.cfg",
    }
    for command in commands_of(REPOSITORY / "docs/first-night.md"):
        line = command.line.replace("/srv/mnaas", str(place)).replace("/etc/", f"{root}/etc/")
        line = line.replace("cat > site.cfg", f"cat > {place}/site.cfg")
        here = place if place.is_dir() else root
        told = {**environment}
        if not (place / "site.cfg").exists():
            del told["LUIGI_CONFIG_PATH"]
        printed = run(line, here, told)
        printed = [part.replace("~/mnaas-pipelines", "/srv/mnaas") for part in printed]
        assert matches(command.expected, printed), "\n".join([f"$ {line}", *printed])
    assert place.stat().st_mode & 0o777 == 0o750
    assert (root / "etc/systemd/system/luigid.service").is_file()
    asked = (tmp_path / "asked").read_text()
    assert "useradd --system" in asked
    assert "systemctl enable --now luigid" in asked


def test_the_guide_keeps_to_the_files_that_there_are() -> None:
    text = (REPOSITORY / "docs/first-night.md").read_text()
    for name in ("cron/run-pipeline", "cron/crontab.example", "cron/logrotate.example"):
        assert name in text
        assert (REPOSITORY / name).exists()


def test_the_scripts_are_sound_shell() -> None:
    for name in ("cron/run-pipeline", "cron/luigid", ".ci/run"):
        subprocess.run(["bash", "-n", str(REPOSITORY / name)], check=True)
