"""`python -m tests.cluster`: the servers of the cluster tests, for a person; or a demo on them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from tests.cluster.servers.hdfs import Hdfs
from tests.cluster.servers.hive import Hive
from tests.cluster.servers.impala import Impala
from tests.cluster.servers.spark import Spark
from tests.site import REPOSITORY, configure

FOLDER = REPOSITORY / "var/cluster"
SAMPLE = ("--customers", "10", "--days", "61", "--rows", "12200")


@click.command()
@click.option("--engine", type=click.Choice(["hive", "hive+impala", "spark"]), default="hive")
@click.option("--demo", is_flag=True, help="Run the five nights of the demo, and stop.")
def main(engine: str, demo: bool) -> None:
    """Start HDFS and an engine on free loopback ports, with sample data."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    shutil.rmtree(FOLDER, ignore_errors=True)  # Hive's locations hold the NameNode's port
    with _started(engine) as config:
        environment = {**os.environ, "LUIGI_CONFIG_PATH": str(config)}
        python = str(Path(sys.executable))
        command = [python, "-m", "demo", *SAMPLE, *([] if demo else ["--data-only"])]
        code = subprocess.run(command, env=environment, cwd=FOLDER, check=False).returncode
        if demo or code:
            sys.exit(code)
        bin_folder = os.path.relpath(Path(sys.executable).parent)
        click.echo(
            f"\nTry, in another terminal:\n"
            f"  export LUIGI_CONFIG_PATH={config} PATH={bin_folder}:$PATH\n"
            f"  mnaas check\n"
            f"  luigi --module pipelines CustomerAggr --date 2021-04-30 --local-scheduler\n"
            f"Ctrl-C here stops the servers; their logs: {os.path.relpath(FOLDER)}/servers/*/*.log"
        )
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


@contextlib.contextmanager
def _started(engine: str) -> Iterator[Path]:
    with contextlib.ExitStack() as servers:
        hdfs = servers.enter_context(Hdfs(_folder("hdfs")))
        click.echo(f"HDFS         {hdfs.name}, WebHDFS {hdfs.url}")
        ports = {"impalad": 0}
        if engine == "spark":
            ports["hiveserver2"] = servers.enter_context(Spark(_folder("spark"), hdfs)).port
        else:
            hive = servers.enter_context(Hive(_folder("hive"), hdfs))
            ports["hiveserver2"] = hive.port
            if engine == "hive+impala":
                ports["impalad"] = servers.enter_context(Impala(hive, hdfs)).port
        for name, port in ports.items():
            if port:
                click.echo(f"{name:<13}127.0.0.1:{port}")
        yield _configured(engine, hdfs, ports)


def _folder(name: str) -> Path:
    folder = FOLDER / "servers" / name
    folder.mkdir(parents=True)
    return folder


def _configured(engine: str, hdfs: Hdfs, ports: dict[str, int]) -> Path:
    file = FOLDER / "config/luigi.cfg"
    file.parent.mkdir()
    shutil.copy(REPOSITORY / "config/customers.toml", file.parent)
    configure(file, "warehouse", engine=engine)
    for section, port in ports.items():
        configure(file, section, hosts='["127.0.0.1"]', port=port, user=hdfs.user)
    configure(file, "files", store="hdfs")
    configure(file, "state", markers="hdfs")
    configure(file, "namenode", urls=f'["{hdfs.url}"]', user=hdfs.user)
    click.echo(f"configured in {os.path.relpath(file)}")
    _make_database(engine, hdfs, ports["hiveserver2"])
    return file


def _make_database(engine: str, hdfs: Hdfs, port: int) -> None:
    from tests.cluster.stack import ENGINES, Place

    place = Place(ENGINES[engine.partition("+")[0]], port, hdfs, "mnaas", FOLDER / "var/state", {})
    place.run("CREATE DATABASE mnaas")


if __name__ == "__main__":
    main()
