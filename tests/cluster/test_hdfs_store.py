"""The HDFS store against a real NameNode and DataNode."""

from __future__ import annotations

import itertools
from typing import Any

import hdfs as client
import pytest

from targets.errors import LostConnectionError, StoreError, TransientError
from targets.store.hdfs import HdfsStore
from tests.cluster.hdfs_contract import HdfsContract
from tests.cluster.servers.hdfs import Hdfs
from tests.ports import free_port

pytestmark = pytest.mark.cluster
_numbers = itertools.count()


def store_on(hdfs: Hdfs, root: str = "", **changed: Any) -> HdfsStore:
    options: dict[str, Any] = {"urls": [hdfs.url], "user": hdfs.user, "timeout_seconds": 20}
    return HdfsStore(root or f"/tests/{next(_numbers)}", **{**options, **changed})


def plain(hdfs: Hdfs) -> Any:
    return client.InsecureClient(hdfs.url, user=hdfs.user, timeout=20)


class TestHdfsStore(HdfsContract):
    @pytest.fixture(autouse=True)
    def server(self, hdfs: Hdfs) -> None:
        self.hdfs = hdfs


def test_a_year_of_markers_is_one_listing(hdfs: Hdfs) -> None:
    store = store_on(hdfs)
    store.write("markers/first.json", b"{}")
    asked = plain(hdfs)
    for number in range(365):
        asked.write(f"{store.root}/markers/{number}.json", data=b"{}")
    assert len(store.list("markers")) == 366


def test_what_is_removed_goes_to_the_trash_where_that_is_wanted(hdfs: Hdfs) -> None:
    store = store_on(hdfs, trash=True)
    store.write("precious", b"data")
    store.remove("precious")
    store.remove("precious")
    assert not store.exists("precious")
    found = [
        name for _, _, files in plain(hdfs).walk(f"/user/{hdfs.user}/.Trash") for name in files
    ]
    assert "precious" in found


def test_of_two_namenodes_the_one_that_answers_is_used(hdfs: Hdfs) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    store = store_on(hdfs, urls=[nowhere, hdfs.url])
    store.write("a", b"here")
    assert store.read("a") == b"here"


def test_a_namenode_that_is_down_is_a_passing_error_with_its_address(hdfs: Hdfs) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(LostConnectionError, match="does not answer") as error:
        store_on(hdfs, urls=[nowhere]).read("a")
    assert nowhere in str(error.value)
    assert isinstance(error.value, TransientError)


def test_what_another_user_may_not_do_is_one_line_that_names_the_user(hdfs: Hdfs) -> None:
    mine = store_on(hdfs)
    mine.write("a/b", b"")
    theirs = store_on(hdfs, mine.root, user="stranger")
    with pytest.raises(StoreError, match="Permission denied") as error:
        theirs.write("a/c", b"")
    assert "\n" not in error.value.message
    assert "stranger" in error.value.remedy


def test_a_namenode_that_was_restarted_serves_the_same_files(hdfs: Hdfs) -> None:
    store = store_on(hdfs)
    store.write("a", b"before")
    hdfs.namenode.stop()
    with pytest.raises(TransientError):
        store.read("a")
    hdfs.start_namenode()
    hdfs.wait_until_ready()
    assert store.read("a") == b"before"
