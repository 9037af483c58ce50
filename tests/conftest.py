from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.luigid import Luigid
from tests.site import Site, make_sample_site


@pytest.fixture(scope="session")
def sample_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with sample data, made once; tests work on copies."""
    return make_sample_site(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def site(sample_site: Path, tmp_path: Path) -> Site:
    """A site of the test's own: configuration, sample data, no night done yet."""
    return Site.copy_of(sample_site, tmp_path / "site")


@pytest.fixture
def luigid(tmp_path: Path) -> Iterator[Luigid]:
    with Luigid(tmp_path / "luigid") as server:
        yield server


@pytest.fixture(autouse=True)
def no_configuration_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("LUIGI_"):
            monkeypatch.delenv(name)
