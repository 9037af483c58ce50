from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from luigi.configuration import LuigiConfigParser, get_config
from luigi.task_register import Register


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LuigiConfigParser]:
    """The configuration of this process, with everything below a temporary folder."""
    config = get_config()
    sections = {name: dict(config[name]) for name in config.sections()}
    monkeypatch.setattr("pipelines.settings._checked", [])
    config.set("state", "root", str(tmp_path / "state"))
    config.set("warehouse", "root", str(tmp_path / "warehouse"))
    config.set("files", "root", str(tmp_path / "files"))
    config.set("retry", "first_wait_seconds", "0")
    config.set("retry", "longest_wait_seconds", "0")
    Register.clear_instance_cache()
    yield config
    config.clear()
    config.read_dict(sections)
    Register.clear_instance_cache()
