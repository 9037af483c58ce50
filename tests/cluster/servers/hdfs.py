"""HDFS: a NameNode and a DataNode on free loopback ports, with WebHDFS."""

from __future__ import annotations

import getpass
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from targets.errors import MnaasError
from targets.store.hdfs import HdfsStore
from tests.cluster.servers.kdc import Kdc
from tests.cluster.servers.maven import jars
from tests.cluster.servers.server import JVM, LOG4J, Server, write_site
from tests.ports import free_port

ARTEFACTS = (
    "org.apache.hadoop:hadoop-common:3.4.1",
    "org.apache.hadoop:hadoop-hdfs:3.4.1",
    "org.apache.hadoop:hadoop-hdfs-client:3.4.1",
    # Maven would take an older one that something else asks for, and the NameNode not start.
    "com.fasterxml.jackson.core:jackson-core:2.12.7",
)
_JVM = ("-Xmx256m", *JVM, "--add-opens=java.base/java.lang=ALL-UNNAMED")
_CLASSES = "org.apache.hadoop.hdfs.server"


class Hdfs:
    """With a realm it is in secure mode: tickets, and no permissions (the superuser is `nn`)."""

    def __init__(self, folder: Path, realm: Kdc | None = None) -> None:
        self.folder = folder
        self.user = getpass.getuser()
        self._realm = realm
        self._ports = {name: free_port() for name in ("rpc", "http", "data", "ipc", "data_http")}
        self.namenode = Server("namenode", folder)
        self.datanode = Server("datanode", folder)

    @property
    def name(self) -> str:
        return f"hdfs://localhost:{self._ports['rpc']}"

    @property
    def url(self) -> str:
        return f"http://localhost:{self._ports['http']}"

    def client(self) -> Any:
        """WebHDFS as anybody may use it, with a ticket where one is needed."""
        import hdfs

        if self._realm is None:
            return hdfs.InsecureClient(self.url, user=self.user, timeout=20)
        from hdfs.ext.kerberos import KerberosClient

        return KerberosClient(self.url, timeout=20)

    def __enter__(self) -> Hdfs:
        self._configure()
        format_once = Server("format", self.folder)
        options = ("-format", "-force", "-nonInteractive")
        self._start(format_once, f"{_CLASSES}.namenode.NameNode", *options)
        format_once.wait_until_it_ends()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.datanode.stop()
        self.namenode.stop()

    def start(self) -> None:
        self.start_namenode()
        self.start_datanode()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """An open port is not enough: a file must really be written."""
        self.datanode.wait_until(self._can_write, 90)

    def start_namenode(self) -> None:
        self._start(self.namenode, f"{_CLASSES}.namenode.NameNode")

    def start_datanode(self) -> None:
        self._start(self.datanode, f"{_CLASSES}.datanode.DataNode")

    def _start(self, server: Server, name: str, *more: str) -> None:
        server.start(
            [
                "java",
                *_JVM,
                f"-Djava.io.tmpdir={self.folder}",
                *(self._realm.java if self._realm else ()),
                "-cp",
                self._class_path(),
                name,
                *more,
            ],
            {"HADOOP_USER_NAME": self.user, "HOME": str(self.folder)},
        )

    def _class_path(self) -> str:
        folder = jars(ARTEFACTS)
        return os.pathsep.join([str(self.folder / "conf"), str(self.folder), f"{folder}/*"])

    def _can_write(self) -> bool:
        if self._realm:
            return self._can_write_with_a_ticket()
        where = f"{self.url}/webhdfs/v1/ready?op=CREATE&overwrite=true&user.name={self.user}"
        try:
            with urllib.request.urlopen(
                urllib.request.Request(where, method="PUT", data=b""), timeout=10
            ) as answer:
                return bool(answer.status == 201)
        except urllib.error.HTTPError as error:
            if error.code != 307:
                return False
            place = error.headers["Location"]
        except OSError:
            return False
        try:
            request = urllib.request.Request(place, method="PUT", data=b"")
            with urllib.request.urlopen(request, timeout=10) as answer:
                return bool(answer.status == 201)
        except OSError:
            return False

    def _can_write_with_a_ticket(self) -> bool:
        store = HdfsStore("/ready", urls=[self.url], user="", kerberos=True, timeout_seconds=10)
        try:
            store.write("ready", b"")
        except MnaasError:
            return False
        return True

    def _secure(self) -> tuple[dict[str, object], dict[str, object]]:
        """What goes into core-site.xml and into hdfs-site.xml."""
        if self._realm is None:
            return {}, {}
        web, keytab = self._realm.principal("HTTP"), self._realm.keytab
        core: dict[str, object] = {
            "hadoop.security.authentication": "kerberos",
            "hadoop.security.authorization": "true",
            "hadoop.http.authentication.type": "kerberos",
            "hadoop.http.authentication.kerberos.principal": web,
            "hadoop.http.authentication.kerberos.keytab": keytab,
            # Without the second, WebHDFS lets anybody list and refuses the ticket.
            "hadoop.http.filter.initializers": (
                "org.apache.hadoop.http.lib.StaticUserWebFilter,"
                "org.apache.hadoop.hdfs.web.AuthFilterInitializer"
            ),
        }
        hdfs: dict[str, object] = {
            "dfs.block.access.token.enable": "true",
            "dfs.web.authentication.kerberos.principal": web,
            "dfs.web.authentication.kerberos.keytab": keytab,
            "ignore.secure.ports.for.testing": "true",
            "dfs.permissions.enabled": "false",
        }
        for name, short in (("namenode", "nn"), ("datanode", "dn")):
            hdfs[f"dfs.{name}.kerberos.principal"] = self._realm.principal(short)
            hdfs[f"dfs.{name}.keytab.file"] = keytab
        return core, hdfs

    def _configure(self) -> None:
        core, hdfs = self._secure()
        for name in ("datanode", "hdfs", "static"):
            (self.folder / "webapps" / name).mkdir(parents=True)
        (self.folder / "conf").mkdir()
        (self.folder / "conf/log4j.properties").write_text(LOG4J)
        place = "127.0.0.1"
        write_site(
            self.folder / "conf/core-site.xml",
            {
                "fs.defaultFS": self.name,
                "hadoop.tmp.dir": self.folder / "tmp",
                "fs.trash.interval": 60,
                f"hadoop.proxyuser.{self.user}.hosts": "*",
                f"hadoop.proxyuser.{self.user}.groups": "*",
                **core,
            },
        )
        write_site(
            self.folder / "conf/hdfs-site.xml",
            {
                "dfs.namenode.name.dir": self.folder / "name",
                "dfs.datanode.data.dir": self.folder / "data",
                "dfs.namenode.rpc-address": f"{place}:{self._ports['rpc']}",
                "dfs.namenode.http-address": f"{place}:{self._ports['http']}",
                "dfs.datanode.address": f"{place}:{self._ports['data']}",
                "dfs.datanode.ipc.address": f"{place}:{self._ports['ipc']}",
                "dfs.datanode.http.address": f"{place}:{self._ports['data_http']}",
                "dfs.datanode.hostname": "localhost",
                "dfs.replication": 1,
                "dfs.namenode.safemode.extension": 0,
                "dfs.heartbeat.interval": 1,
                "dfs.namenode.datanode.registration.ip-hostname-check": "false",
                "dfs.client.block.write.replace-datanode-on-failure.policy": "NEVER",
                # By default each file costs 0.4 s of waiting inside the DataNode.
                "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": 10,
                **hdfs,
            },
        )
