"""Spark's Thrift server, with a metastore and a warehouse folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.servers.maven import cache
from tests.cluster.servers.server import JVM, LOG4J2, Server, write_site
from tests.ports import free_port, listens

VERSION = "3.5.9"


class Spark:
    def __init__(self, folder: Path, hdfs: Hdfs) -> None:
        self.folder = folder
        self.port = free_port()
        self._hdfs = hdfs
        self.server = Server("spark", folder)

    def __enter__(self) -> Spark:
        conf = self.folder / "conf"
        conf.mkdir(parents=True)
        write_site(
            conf / "hive-site.xml",
            {
                "javax.jdo.option.ConnectionURL": (
                    f"jdbc:derby:;databaseName={self.folder / 'metastore'};create=true"
                ),
                "datanucleus.schema.autoCreateAll": "true",
                "hive.metastore.schema.verification": "false",
                "hive.server2.thrift.bind.host": "127.0.0.1",
                "hive.server2.thrift.port": self.port,
                "hive.exec.scratchdir": self.folder / "scratch",
                "hive.server2.logging.operation.log.location": self.folder / "operations",
            },
        )
        (conf / "log4j2.properties").write_text(LOG4J2)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def start(self) -> None:
        home = _pyspark()
        settings = {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": "1g",
            "spark.ui.enabled": "false",
            "spark.sql.catalogImplementation": "hive",
            "spark.sql.shuffle.partitions": 1,
            "spark.sql.warehouse.dir": f"{self._hdfs.name}/spark",
            "spark.hadoop.fs.defaultFS": self._hdfs.name,
            "spark.hadoop.dfs.client.block.write.locateFollowingBlock.initial.delay.ms": 10,
            "spark.hadoop.dfs.replication": 1,
            "spark.hadoop.dfs.client.use.datanode.hostname": "true",
            # Or the first session that closes takes the others' file system with it.
            "spark.hadoop.fs.hdfs.impl.disable.cache": "true",
            "spark.driver.extraJavaOptions": (
                f"{' '.join(JVM)} -Djava.io.tmpdir={self.folder} "
                f"-Dderby.stream.error.file={self.folder / 'derby.log'}"
            ),
        }
        options = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
        self.server.start(
            [
                str(home / "bin/spark-submit"),
                *("--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"),
                *("--master", "local[2]"),
                *options,
                "spark-internal",
            ],
            {
                "SPARK_HOME": str(home),
                "SPARK_CONF_DIR": str(self.folder / "conf"),
                "SPARK_LOCAL_IP": "127.0.0.1",
                "SPARK_LOCAL_DIRS": str(self.folder / "local"),
                "HADOOP_USER_NAME": self._hdfs.user,
                "HOME": str(self.folder),
            },
            cwd=self.folder,
        )
        self.server.wait_until(lambda: listens(self.port), 120)


def _pyspark() -> Path:
    """Spark as PyPI has it: used as a server, never imported."""
    folder = cache() / f"spark-{VERSION}"
    if not folder.is_dir():
        part = cache() / f".spark-{VERSION}.{os.getpid()}"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run(
            [*pip, "--no-deps", "--target", str(part), f"pyspark=={VERSION}"],
            check=True,
            timeout=900,
        )
        try:
            part.rename(folder)
        except OSError:  # another run was quicker
            shutil.rmtree(part)
    return folder / "pyspark"
