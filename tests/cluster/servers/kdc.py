"""A Kerberos realm of the tests' own: a KDC on a loopback port, principals, keytabs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.servers.server import Server
from tests.ports import free_port, listens

REALM = "MNAAS.TEST"
CLIENT = f"mnaas@{REALM}"
_BINARIES = "/usr/sbin"


class Kdc:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keytab = folder / "all.keytab"
        self._port = free_port()
        self._server = Server("kdc", folder)

    @property
    def environment(self) -> Mapping[str, str]:
        """For clients: the realm, and a ticket cache of their own."""
        return {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5CCNAME": f"FILE:{self.folder / 'tickets'}",
        }

    @property
    def java(self) -> tuple[str, ...]:
        secret = "java.security.jgss/sun.security.krb5=ALL-UNNAMED"
        config = f"-Djava.security.krb5.conf={self.folder / 'krb5.conf'}"
        return (config, f"--add-exports={secret}", f"--add-opens={secret}")

    @staticmethod
    def principal(name: str) -> str:
        return f"{name}/localhost@{REALM}"

    def __enter__(self) -> Kdc:
        (self.folder / "krb5.conf").write_text(
            f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n"
            f" dns_lookup_realm = false\n rdns = false\n udp_preference_limit = 1\n"
            f"[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{self._port}\n }}\n"
            f"[domain_realm]\n localhost = {REALM}\n"
        )
        (self.folder / "kdc.conf").write_text(
            f'[kdcdefaults]\n kdc_listen = ""\n kdc_tcp_listen = 127.0.0.1:{self._port}\n'
            f"[realms]\n {REALM} = {{\n  database_name = {self.folder}/principal\n"
            f"  key_stash_file = {self.folder}/stash\n  acl_file = {self.folder}/acl\n }}\n"
        )
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", "of the tests")
        for name in ("nn", "dn", "hive", "impala", "HTTP"):
            self._make(self.principal(name))
        self._make(CLIENT)
        self._server.start([f"{_BINARIES}/krb5kdc", "-n"], self._environment())
        self._server.wait_until(lambda: listens(self._port))
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def log_in(self, lifetime: str = "1h") -> None:
        """As the site's cron job does: a ticket out of the keytab."""
        command = ["kinit", "-l", lifetime, "-kt", str(self.keytab), CLIENT]
        subprocess.run(command, env={**os.environ, **self.environment}, check=True, timeout=30)

    def log_out(self) -> None:
        (self.folder / "tickets").unlink(missing_ok=True)

    def _make(self, principal: str) -> None:
        self._run("kadmin.local", "-q", f"addprinc -randkey {principal}")
        self._run("kadmin.local", "-q", f"ktadd -k {self.keytab} {principal}")

    def _run(self, command: str, *arguments: str) -> None:
        subprocess.run(
            [f"{_BINARIES}/{command}", *arguments],
            env=self._environment(),
            check=True,
            capture_output=True,
            timeout=60,
        )

    def _environment(self) -> dict[str, str]:
        profile = {"KRB5_KDC_PROFILE": str(self.folder / "kdc.conf")}
        return {"PATH": os.environ["PATH"], **self.environment, **profile}
