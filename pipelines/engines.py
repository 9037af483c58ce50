"""The servers of a cluster's engines: where Hive (or Spark) and Impala answer, and who we are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import luigi
from luigi.configuration import get_config

from pipelines.parameters import CountParameter, SecondsParameter, SecretParameter
from pipelines.settings import Section, problems_of_secret, secret_of


class Server:
    """The keys of a server that speaks HiveServer2's protocol."""

    used_by: tuple[str, ...]

    hosts: Any = luigi.ListParameter(description="the servers, tried in this order")
    port: Any = CountParameter(description="their port, where a host does not name its own")
    auth: Any = luigi.ChoiceParameter(
        choices=["NONE", "NOSASL", "LDAP", "KERBEROS"], description="how the server knows us"
    )
    user: Any = luigi.Parameter(description="the name to log in with, or the Kerberos principal")
    password: Any = SecretParameter(description="for LDAP, as ${NAME} from the environment")
    password_file: Any = luigi.Parameter(description="a file of mode 0600 with it instead")
    kerberos_service: Any = luigi.Parameter(description="the server's Kerberos service")
    tls: Any = luigi.BoolParameter(description="whether the connection is secured by TLS")
    ca_file: Any = luigi.Parameter(description="certificates to trust; empty: the system's")
    timeout_seconds: Any = SecondsParameter(description="how long to wait for an answer")
    session: Any = luigi.DictParameter(description="settings of each session there")

    def secret(self) -> str:
        return secret_of(self)

    def problems(self) -> Iterator[str]:
        name = type(self).__name__
        if get_config().get("warehouse", "engine", "") not in self.used_by:
            return
        if not self.hosts:
            yield f"[{name}] hosts is empty: name the servers, as " + '["server-1", "server-2"].'
        for host in self.hosts:
            _, colon, port = str(host).partition(":")
            if colon and not port.isdigit():
                yield f"[{name}] hosts: {host!r} is not a host, or host:port."
        if self.timeout_seconds < 10:  # or every long statement would seem to have stalled
            seconds = f"{self.timeout_seconds:.0f}"
            yield (
                f"[{name}] timeout_seconds = {seconds} must be 10 or more: asked whether a "
                "statement is done, servers keep the answer for 5 s."
            )
        if self.auth == "LDAP" and not (self.user and (self.password or self.password_file)):
            yield f"[{name}] auth = LDAP needs user, and password or password_file."
        if self.auth != "LDAP" and (self.password or self.password_file):
            yield f"[{name}] a password is set, and auth = {self.auth} uses none."
        if self.auth in ("NONE", "NOSASL") and not self.user:
            yield f"[{name}] user is empty: name the user whose rights the tables ask for."
        yield from problems_of_secret(self)


class hiveserver2(Server, Section):
    used_by = ("hive", "spark", "hive+impala")


class impalad(Server, Section):
    used_by = ("hive+impala",)
