"""Logins to a real Hive: LDAP, and none at all (NOSASL); Kerberos has a file of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from targets.errors import LoginError
from targets.warehouse.hive import HiveWarehouse
from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.servers.hive import Hive
from tests.cluster.servers.ldap import Ldap
from tests.cluster.stack import Place

pytestmark = pytest.mark.cluster
USER, PASSWORD = "mnaas", "of the tests"


@pytest.fixture(scope="module")
def with_ldap(hdfs: Hdfs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with (
        Ldap({USER: PASSWORD}) as directory,
        Hive(tmp_path_factory.mktemp("ldap-hive"), hdfs, more=directory.hive) as hive,
    ):
        state = tmp_path_factory.mktemp("ldap-state")
        yield Place(HiveWarehouse, hive.port, hdfs, "default", state, {})


@pytest.fixture(scope="module")
def without_login(hdfs: Hdfs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    more = {"hive.server2.authentication": "NOSASL"}
    with Hive(tmp_path_factory.mktemp("nosasl-hive"), hdfs, more=more) as hive:
        state = tmp_path_factory.mktemp("nosasl-state")
        yield Place(HiveWarehouse, hive.port, hdfs, "default", state, {})


def ping(place: Place, **access: object) -> None:
    warehouse = place.warehouse(place.access(**access))
    try:
        warehouse.ping()
    finally:
        warehouse.close()


def test_ldap_knows_the_user_by_the_password(with_ldap: Place) -> None:
    ping(with_ldap, auth="LDAP", user=USER, password=PASSWORD)


@pytest.mark.parametrize(("user", "password"), [(USER, "another one"), ("nobody", PASSWORD)])
def test_whom_ldap_does_not_know_is_told_so(with_ldap: Place, user: str, password: str) -> None:
    with pytest.raises(LoginError, match=f"refused '{user}' with auth = LDAP") as caught:
        ping(with_ldap, auth="LDAP", user=user, password=password)
    assert "Check auth, user and password in [hiveserver2]" in str(caught.value)
    assert password not in str(caught.value)


def test_without_a_password_a_server_with_ldap_refuses(with_ldap: Place) -> None:
    with pytest.raises(LoginError, match="with auth = NONE"):
        ping(with_ldap, user=USER)


def test_nosasl_is_answered_by_a_server_without_logins(without_login: Place) -> None:
    ping(without_login, auth="NOSASL")
