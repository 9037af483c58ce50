"""The backup pipeline against a Bash script that does the same work."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Figure, paired, timed
from benchmarks.site import REPOSITORY, BenchSite
from tests.proxy import Proxy
from tests.sshd import Sshd

LEGACY = REPOSITORY / "benchmarks/legacy/backup.sh"
TYPES = ("traffic", "actives", "activations", "tolling")
CUSTOMERS = 25
FILES, FILE_BYTES = 1000, 1_800_000
SMALL_FILES, SMALL_GROUPS = 120, 12


def measure_backups(folder: Path) -> Iterator[Figure]:
    site = BackupSite(folder / "backups")
    site.make()
    with Sshd(folder / "sshd") as server:
        yield from _manifest(site)
        yield from _packed(site)
        yield from _whole(site, server)
        yield from _small(folder / "small", server)
    shutil.rmtree(site.root)


class BackupSite(BenchSite):
    """1,000 files of 25 customers and four types, 1.8 GB; a run takes links to them."""

    @property
    def master(self) -> Path:
        return self.root / "master"

    def make(self) -> None:
        (self.root / "config").mkdir(parents=True)
        shutil.copy(REPOSITORY / "config/luigi.cfg", self.root / "config/luigi.cfg")
        names = [f"customer_{number:04d}" for number in range(1, CUSTOMERS + 1)]
        sets = "".join(
            f'[file_types.{kind}]\nfolder = "in/{kind}"\npattern = "{{customer}}_*.csv"\n'
            for kind in TYPES
        )
        customers = "".join(f"{name} = {{}}\n" for name in names)
        (self.root / "config/customers.toml").write_text(f"{sets}[customers]\n{customers}")
        text = _call_records(8 * FILE_BYTES)
        dice = random.Random(1)
        for kind in TYPES:
            (self.master / kind).mkdir(parents=True)
        (self.master / "customers").write_text("\n".join(names))
        for number in range(FILES):
            kind, name = TYPES[number % 4], names[number // 4 % CUSTOMERS]
            file = self.master / kind / f"{name}_HOL_01_20210430{number:06d}.csv"
            start = text.index(b"\n", dice.randrange(7 * FILE_BYTES)) + 1
            file.write_bytes(text[start : start + FILE_BYTES])
            os.utime(file, (1_600_000_000,) * 2)

    def fresh(self) -> None:
        """All files here again, and nothing of an earlier run."""
        for name in ("in", "out", "far", "var"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        subprocess.run(["cp", "-al", self.master, self.root / "in"], check=True)

    def legacy(self, what: str, *more: str) -> None:
        self.fresh()
        command = [str(LEGACY), what, str(self.root / "in"), str(self.root / "out"), *more]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def ours(self, what: str) -> float:
        """The seconds that our own work took, in a process that has started."""
        return float(self.run("python", "-m", "benchmarks.manifest", what))


def _call_records(size: int) -> bytes:
    """Lines as unlike one another as call records are."""
    dice = random.Random(2021)
    lines, length = [], 0
    while length < size:
        lines.append(
            f"HOL_01;{dice.randrange(10**12):012d};customer_{dice.randrange(40):04d};"
            f"2021-04-30 {dice.randrange(24):02d}:{dice.randrange(60):02d}:00;"
            f"MO;Data;204;{dice.randrange(30):02d};{dice.randrange(10**7)};{dice.randrange(900)};"
            f"apn.example;8900{dice.randrange(10**6):012d};{dice.randrange(90)}."
            f"{dice.randrange(10**4):04d}\n"
        )
        length += len(lines[-1])
    return "".join(lines).encode()


def _manifest(site: BackupSite) -> list[Figure]:
    def tuned() -> None:
        files = f"find {site.master} -name '*.csv' -print0"
        command = f"{files} | xargs -0 -P2 -n25 sha256sum > {site.root}/sums"
        subprocess.run(["sh", "-c", command], check=True)

    site.fresh()
    name = "manifest of 1,000 files, 1.8 GB"
    return [
        paired(
            name,
            lambda: site.ours("read"),
            lambda: timed(lambda: site.legacy("manifest")),
            1 / 20,
            "a Bash loop of wc, stat, md5sum",
            pairs=3,
        ),
        paired(
            name,
            lambda: site.ours("read"),
            lambda: timed(tuned),
            1 / 2,
            "find | xargs -P2 sha256sum, and no counts",
            pairs=3,
        ),
    ]


def _packed(site: BackupSite) -> list[Figure]:
    packed = 0

    def ours() -> float:
        nonlocal packed
        seconds = site.ours("pack")
        packed = sum(file.stat().st_size for file in (site.root / "var/packed").rglob("*.gz"))
        return seconds

    figure = paired(
        "  the same, and compressed",
        ours,
        lambda: timed(lambda: site.legacy("pack")),
        1 / 15,
        "the Bash loop, and gzip",
        pairs=1,
    )
    gzipped = sum(file.stat().st_size for file in (site.root / "out").rglob("*.gz"))
    size = Figure("  size", packed / 1e6, gzipped / 1e6, 1.08, "MB", "gzip -6")
    return [figure, size]


def _whole(site: BackupSite, server: Sshd) -> list[Figure]:
    far = site.root / "far"
    options = f"-i {server.folder / 'key'} -o UserKnownHostsFile={server.known_hosts}"
    ports = f"{options} -o Port={server.port}"

    def legacy() -> float:
        site.fresh()
        return timed(
            lambda: subprocess.run(
                [LEGACY, "all", site.root / "in", site.root / "out", ports, "127.0.0.1", far],
                check=True,
            )
        )

    def ours() -> float:
        site.fresh()
        server.serves(site, far)
        seconds = timed(
            lambda: site.run(
                "luigi",
                *("--module", "pipelines", "CustomerBackupFiles"),
                *("--date", "2021-04-30", "--local-scheduler"),
            )
        )
        assert len(list(far.rglob("*.gz"))) == FILES
        assert not list((site.root / "in").rglob("*.csv"))
        return seconds

    figure = paired(
        "the whole night over SSH, all verified there",
        ours,
        legacy,
        1 / 13,
        "the Bash way, nothing verified",
        pairs=1,
    )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return [figure, Figure("  peak memory", peak / 1e9, unit="GB")]


def _small(folder: Path, server: Sshd) -> list[Figure]:
    """120 files of 3 kB, in 12 folders."""
    for number in range(SMALL_FILES):
        file = folder / f"in/{number % SMALL_GROUPS}/{number}.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(3000))
    options = ["-q", "-i", str(server.folder / "key"), "-o", "StrictHostKeyChecking=no"]
    options += ["-o", "UserKnownHostsFile=/dev/null"]

    def ours(port: int) -> float:
        keys = folder / "known_hosts"
        key = server.known_hosts.read_text().split(" ", 1)[1]
        keys.write_text(f"[127.0.0.1]:{port} {key}")
        program = [sys.executable, "-m", "benchmarks.send", str(folder), str(port)]
        done = subprocess.run(
            [*program, str(server.folder / "key")],
            check=True,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
        )
        return float(done.stdout)

    def each(port: int) -> None:
        for group in range(SMALL_GROUPS):
            _ssh(options, port, f"mkdir -p {folder}/far/{group}")
        for file in sorted((folder / "in").rglob("*.gz")):
            _scp(options, port, [file], folder / "far" / file.parent.name)

    def grouped(port: int) -> None:
        for group in range(SMALL_GROUPS):
            _ssh(options, port, f"mkdir -p {folder}/far/{group}")
            files = sorted((folder / "in" / str(group)).iterdir())
            _scp(options, port, files, folder / "far" / str(group))

    with _slow(server.port) as slow:
        return [
            paired(
                "120 small files",
                lambda: ours(server.port),
                lambda: timed(lambda: each(server.port)),
                1 / 60,
                "one scp per file",
                pairs=1,
            ),
            paired(
                "120 small files",
                lambda: ours(server.port),
                lambda: timed(lambda: grouped(server.port)),
                1 / 8,
                "one scp per group",
                pairs=3,
            ),
            Figure(
                "120 small files, 20 ms there and back",
                ours(slow),
                timed(lambda: each(slow)),
                1 / 15,
                against="one scp per file",
            ),
        ]


@contextmanager
def _slow(port: int) -> Iterator[int]:
    with Proxy(port, delay_seconds=0.01) as proxy:
        yield proxy.port


def _ssh(options: list[str], port: int, command: str) -> None:
    subprocess.run(["ssh", *options, "-p", str(port), "127.0.0.1", command], check=True)


def _scp(options: list[str], port: int, files: list[Path], to: Path) -> None:
    subprocess.run(["scp", *options, "-P", str(port), *files, f"127.0.0.1:{to}"], check=True)
