"""The same contracts in secure mode, with a KDC, tickets and no way in without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from targets.errors import LoginError
from targets.store.hdfs import HdfsStore
from targets.warehouse.base import Warehouse
from targets.warehouse.hive import HiveWarehouse
from tests.cluster.hdfs_contract import HdfsContract
from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.servers.hive import Hive
from tests.cluster.servers.impala import Impala
from tests.cluster.servers.kdc import CLIENT, Kdc
from tests.cluster.stack import Place
from tests.contracts.warehouse import TABLES, WarehouseContract

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    with pytest.MonkeyPatch.context() as patch, Kdc(tmp_path_factory.mktemp("kdc")) as kdc:
        for name, value in kdc.environment.items():
            patch.setenv(name, value)
        kdc.log_in()
        yield kdc


@pytest.fixture(scope="module")
def secure_hdfs(realm: Kdc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hdfs]:
    with Hdfs(tmp_path_factory.mktemp("secure-hdfs"), realm) as server:
        yield server


@pytest.fixture(scope="module")
def secure_hive(
    realm: Kdc, secure_hdfs: Hdfs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hive]:
    with Hive(tmp_path_factory.mktemp("secure-hive"), secure_hdfs, realm) as server:
        yield server


@pytest.fixture(scope="module")
def secure_impala(realm: Kdc, secure_hive: Hive, secure_hdfs: Hdfs) -> Iterator[Impala]:
    with Impala(secure_hive, secure_hdfs, realm) as server:
        yield server


def store_on(hdfs: Hdfs, root: str) -> HdfsStore:
    return HdfsStore(root, urls=[hdfs.url], user="", kerberos=True, timeout_seconds=20)


class TestHdfsWithTickets(HdfsContract):
    kerberos = True

    @pytest.fixture(autouse=True)
    def server(self, secure_hdfs: Hdfs) -> None:
        self.hdfs = secure_hdfs


class TestHiveWithTickets(WarehouseContract):
    @pytest.fixture
    def warehouse(
        self, secure_hive: Hive, secure_hdfs: Hdfs, tmp_path: Path
    ) -> Iterator[Warehouse]:
        port = secure_hive.port
        place = Place.on(HiveWarehouse, port, secure_hdfs, tmp_path, TABLES, kerberos=True)
        made = place.warehouse()
        yield made
        made.close()


class TestHiveWithImpalaWithTickets(WarehouseContract):
    @pytest.fixture
    def warehouse(
        self, secure_hive: Hive, secure_hdfs: Hdfs, secure_impala: Impala, tmp_path: Path
    ) -> Iterator[Warehouse]:
        port = secure_hive.port
        place = Place.on(HiveWarehouse, port, secure_hdfs, tmp_path, TABLES, kerberos=True)
        made = place.with_impala(secure_impala.port)
        yield made
        made.close()
        assert made.remarks.warnings == []  # nothing fell back to Hive


def test_without_a_ticket_the_error_names_the_principal_and_kinit(
    realm: Kdc, secure_hive: Hive, secure_hdfs: Hdfs, tmp_path: Path
) -> None:
    place = Place(HiveWarehouse, secure_hive.port, secure_hdfs, "no", tmp_path, {}, kerberos=True)
    realm.log_out()
    try:
        with pytest.raises(LoginError, match=CLIENT) as caught:
            place.warehouse().ping()
        assert "kinit" in str(caught.value)
        with pytest.raises(LoginError, match="ticket") as caught:
            store_on(secure_hdfs, "/tests").exists("a")
        assert "kinit" in str(caught.value)
    finally:
        realm.log_in()
    warehouse = place.warehouse()
    warehouse.ping()
    warehouse.close()


def test_an_insecure_client_is_told_what_the_server_wants(
    secure_hive: Hive, secure_hdfs: Hdfs, tmp_path: Path
) -> None:
    place = Place(HiveWarehouse, secure_hive.port, secure_hdfs, "no", tmp_path, {}, kerberos=True)
    with pytest.raises(LoginError, match="with auth = NONE") as caught:
        place.warehouse(place.access(auth="NONE", user="mnaas")).ping()
    assert "[hiveserver2]" in str(caught.value)
