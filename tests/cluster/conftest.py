"""One stack of servers for all cluster tests, in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.servers.hdfs import Hdfs


@pytest.fixture(scope="session")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hdfs]:
    with Hdfs(tmp_path_factory.mktemp("hdfs")) as server:
        yield server
