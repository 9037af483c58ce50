"""HiveServer2 with a metastore of its own in Derby, and Tez in the same process."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.servers.kdc import Kdc
from tests.cluster.servers.maven import jars
from tests.cluster.servers.server import JVM, LOG4J, LOG4J2, Server, write_site
from tests.ports import free_port, listens

_HADOOP = (
    "hadoop-common",
    "hadoop-hdfs",
    "hadoop-hdfs-client",
    "hadoop-mapreduce-client-core",
    "hadoop-mapreduce-client-common",
    "hadoop-mapreduce-client-jobclient",
)
ARTEFACTS = (
    "org.apache.hive:hive-exec:4.0.1",
    "org.apache.hive:hive-service:4.0.1",
    "org.apache.hive:hive-standalone-metastore-server:4.0.1",
    "org.apache.tez:tez-dag:0.10.4",
    "org.apache.tez:tez-mapreduce:0.10.4",
    *(f"org.apache.hadoop:{name}:3.3.6" for name in _HADOOP),
    # Local files without Hadoop's native library, which would run chmod for each of them.
    "com.globalmentor:hadoop-bare-naked-local-fs:0.1.0",
)
EXCLUDED = (
    "org.pac4j:*",  # for login over HTTP; needs what no public registry has
    "org.apache.hbase:*",
    "org.apache.hive:hive-llap-server",
    "org.slf4j:slf4j-reload4j",
    "org.apache.hadoop:hadoop-client-api",
)
_OPENED = (
    "java.lang java.lang.reflect java.lang.invoke java.util java.util.concurrent "
    "java.util.concurrent.atomic java.util.regex java.net java.io java.nio java.nio.charset "
    "java.text java.math java.time sun.nio.ch sun.security.action"
)


class Hive:
    """`more` goes into hive-site.xml."""

    def __init__(
        self,
        folder: Path,
        hdfs: Hdfs,
        realm: Kdc | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        self.folder = folder
        self._more = more or {}
        self.port = free_port()
        self._hdfs = hdfs
        self._realm = realm
        self.server = Server("hiveserver2", folder)

    def __enter__(self) -> Hive:
        self._configure()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def start(self) -> None:
        opened = (f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED.split())
        folder = jars(ARTEFACTS, EXCLUDED)
        first = self._what_tez_ships(folder)
        path = os.pathsep.join([str(self.folder / "conf"), str(first), f"{folder}/*"])
        self.server.start(
            [
                "java",
                *("-Xmx1500m", "-Xmn400m"),
                *JVM,
                *opened,
                *(self._realm.java if self._realm else ()),
                f"-Djava.io.tmpdir={self.folder / 'tmp'}",
                f"-Dderby.stream.error.file={self.folder / 'derby.log'}",
                "-cp",
                path,
                "org.apache.hive.service.server.HiveServer2",
            ],
            {"HADOOP_USER_NAME": self._hdfs.user, "HOME": str(self.folder)},
            cwd=self.folder,
        )
        self.server.wait_until(lambda: listens(self.port), 120)

    def _what_tez_ships(self, folder: Path) -> Path:
        """Tez copies the jar of one class to each task: a small one instead of all of Hive."""
        small = self.folder / "shipped.jar"
        (hive,) = folder.glob("hive-exec-*.jar")
        with zipfile.ZipFile(hive) as whole, zipfile.ZipFile(small, "w") as part:
            for name in whole.namelist():
                if name.startswith("org/apache/hadoop/hive/ql/exec/tez/DagUtils"):
                    part.writestr(name, whole.read(name))
        return small

    def _configure(self) -> None:
        conf = self.folder / "conf"
        for folder in (conf, self.folder / "tmp"):
            folder.mkdir(parents=True)
        (conf / "log4j.properties").write_text(LOG4J)
        for name in ("core-site.xml", "hdfs-site.xml"):
            (conf / name).write_text((self._hdfs.folder / "conf" / name).read_text())
        (conf / "hive-log4j2.properties").write_text(LOG4J2)
        write_site(conf / "hive-site.xml", {**self._site(), **self._secure(), **self._more})
        write_site(
            conf / "tez-site.xml",
            {
                "tez.local.mode": "true",
                "tez.local.mode.without.network": "true",
                "tez.ignore.lib.uris": "true",
                "tez.runtime.io.sort.mb": 16,
                "tez.staging-dir": f"{self._hdfs.name}/tmp/tez",
            },
        )
        write_site(
            conf / "mapred-site.xml",
            {
                "mapreduce.framework.name": "local",
                "mapreduce.client.progressmonitor.pollinterval": 20,
                "mapreduce.client.completion.pollinterval": 20,
            },
        )

    def _secure(self) -> dict[str, object]:
        if self._realm is None:
            return {}
        return {
            "hive.server2.authentication": "KERBEROS",
            "hive.server2.authentication.kerberos.principal": self._realm.principal("hive"),
            "hive.server2.authentication.kerberos.keytab": self._realm.keytab,
            # Or no job is begun: it asks who may renew its tokens, although nobody does here.
            "yarn.resourcemanager.principal": self._realm.principal("hive"),
        }

    def _site(self) -> dict[str, object]:
        return {
            "javax.jdo.option.ConnectionURL": (
                f"jdbc:derby:;databaseName={self.folder / 'metastore'};create=true"
            ),
            "datanucleus.schema.autoCreateAll": "true",
            "hive.metastore.schema.verification": "false",
            "datanucleus.connectionPoolingType": "None",
            "hive.metastore.warehouse.dir": f"{self._hdfs.name}/hive/managed",
            "hive.metastore.warehouse.external.dir": f"{self._hdfs.name}/hive/external",
            "hive.exec.scratchdir": f"{self._hdfs.name}/tmp/hive",
            "hive.exec.local.scratchdir": self.folder / "scratch",
            "hive.downloaded.resources.dir": self.folder / "resources",
            "hive.querylog.location": self.folder / "querylog",
            "hive.server2.logging.operation.log.location": self.folder / "operations",
            "hive.server2.thrift.bind.host": "127.0.0.1",
            "hive.server2.thrift.port": self.port,
            "hive.server2.webui.port": 0,
            "hive.server2.enable.doAs": "false",
            "hive.execution.engine": "tez",
            "hive.support.concurrency": "false",
            "hive.txn.manager": "org.apache.hadoop.hive.ql.lockmgr.DummyTxnManager",
            "hive.async.log.enabled": "false",
            "hive.server2.tez.initialize.default.sessions": "false",
            "hive.tez.container.size": 256,
            "hive.stats.autogather": "false",
            "hive.notification.event.poll.interval": "0s",
            "hive.server2.materializedviews.registry.impl": "DUMMY",
            "hive.scheduled.queries.executor.enabled": "false",
            "hive.exec.counters.pull.interval": 20,
            "fs.file.impl": "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem",
        }
