"""Hive over TLS: the certificate must be one that we trust."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from targets.errors import LostConnectionError
from targets.warehouse.hive import HiveWarehouse
from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.servers.hive import Hive
from tests.cluster.stack import Place

pytestmark = pytest.mark.cluster
PASSWORD = "of the tests"


def keytool(store: Path, command: str, *more: str) -> None:
    options = ["-alias", "hive", "-keystore", str(store), "-storepass", PASSWORD]
    subprocess.run(["keytool", command, *options, *more], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two servers' keys and certificates; Hive has the first."""
    folder = tmp_path_factory.mktemp("certificates")
    made = {}
    for name in ("hive", "other"):
        store, made[name] = folder / f"{name}.p12", folder / f"{name}.pem"
        names = ("-dname", "CN=localhost", "-ext", "SAN=dns:localhost,ip:127.0.0.1")
        keytool(store, "-genkeypair", "-keyalg", "RSA", "-storetype", "PKCS12", *names)
        keytool(store, "-exportcert", "-rfc", "-file", str(made[name]))
    return made


@pytest.fixture(scope="module")
def place(
    hdfs: Hdfs, certificates: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    more = {
        "hive.server2.use.SSL": "true",
        "hive.server2.keystore.path": certificates["hive"].with_suffix(".p12"),
        "hive.server2.keystore.password": PASSWORD,
        "hive.server2.keystore.type": "PKCS12",
    }
    with Hive(tmp_path_factory.mktemp("tls-hive"), hdfs, more=more) as hive:
        state = tmp_path_factory.mktemp("tls-state")
        yield Place(HiveWarehouse, hive.port, hdfs, "default", state, {})


def ping(place: Place, **access: object) -> None:
    options = {"hosts": ["localhost"], "tls": True, "timeout_seconds": 5, **access}
    warehouse = place.warehouse(place.access(**options))
    try:
        warehouse.ping()
    finally:
        warehouse.close()


def test_a_certificate_that_we_trust_is_taken(place: Place, certificates: dict[str, Path]) -> None:
    ping(place, ca_file=str(certificates["hive"]))


def test_any_other_is_refused(place: Place, certificates: dict[str, Path]) -> None:
    with pytest.raises(LostConnectionError, match="hive does not answer"):
        ping(place, ca_file=str(certificates["other"]))
    with pytest.raises(LostConnectionError, match="hive does not answer"):
        ping(place)  # the system's certificates do not know it


def test_without_tls_there_is_no_answer(place: Place) -> None:
    with pytest.raises(LostConnectionError, match="hive does not answer"):
        ping(place, tls=False)
