"""CustomerBackupFiles: what is counted, copied and removed, and what is left alone."""

from __future__ import annotations

import gzip
import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from pipelines.customer_backup_files.finding import find
from pipelines.customer_backup_files.manifest import make_manifest
from pipelines.customer_backup_files.reading import Changed, identity, read_once
from pipelines.customer_backup_files.settings import customer_backup_files
from pipelines.customer_backup_files.transfers import Transfers
from pipelines.customers import FileSet
from tests.journeys.test_nights import held, in_own_mounts, wait_for
from tests.proxy import Proxy
from tests.site import BIN, DATE, Outcome, Site
from tests.sshd import Sshd

FINAL = "customers_files_records_count"
NIGHT = f"{BIN}/luigi --module pipelines CustomerBackupFiles --date {DATE} --local-scheduler"
CUSTOMERS = """
[file_types.traffic]
folder = "in/traffic"
pattern = "{customer}_*.csv"
header = true

[file_types.tolling]
folder = "in/tolling"
pattern = "{customer}*"
far_folder = "toll/{customer}"

[customers]
calm = {}
"o'Brien x" = { file_types = ["traffic"] }
c1 = {}
c10 = {}
own.traffic.pattern = "OWN-*.txt"
own.traffic.header = false
"""


@pytest.fixture
def bare(site: Site) -> Site:
    """A site without files, with customers of its own."""
    (site.root / "config/customers.toml").write_text(CUSTOMERS)
    for kind in ("traffic", "tolling"):
        (site.root / "in" / kind).mkdir(parents=True)
    return site


def put(
    site: Site,
    name: str | bytes,
    content: str = "head\n1\n2\n",
    kind: str = "traffic",
    *,
    companion: str | None = None,
    age_seconds: float = 3600,
) -> Path:
    """A file that arrived some time ago."""
    folder = site.root / "in" / kind
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + os.fsencode(name)))
    path.write_text(content)
    written = [path]
    if companion is not None:
        written.append(path.with_name(f"{path.name}.sem"))
        written[-1].write_text(companion)
    for file in written:
        os.utime(file, (time.time() - age_seconds,) * 2)
    return path


def cksum(content: str, name: str) -> str:
    printed = subprocess.run(["cksum"], input=content, capture_output=True, text=True, check=True)
    return f"{printed.stdout.strip()} {name}\n"


def night(site: Site, date: str = DATE) -> Outcome:
    return site.night(date, pipeline="CustomerBackupFiles")


def counted(site: Site) -> dict[str, tuple[Any, ...]]:
    """Customer, type, source's name, records, size and date, by the file's name."""
    return {
        row[3]: (row[0], row[1], row[2], row[5], row[6], row[9])
        for row in site.rows(FINAL, "customer IN ('calm', 'o''Brien x', 'c1', 'c10', 'own')")
    }


def far(site: Site) -> dict[str, str]:
    root = site.root / "var/edge-node-2"
    return {
        str(path.relative_to(root)): gzip.decompress(path.read_bytes()).decode()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def here(site: Site) -> list[str]:
    return sorted(ascii(p.name)[1:-1] for p in (site.root / "in").rglob("*") if p.is_file())


def states(site: Site) -> dict[str, str]:
    transfers = Transfers(site.root / "var/state/transfers.sqlite")
    return {Path(each.path).name: each.state for each in transfers.all()}


# What is counted.


def test_a_file_is_counted_copied_and_removed(bare: Site) -> None:
    text = "head\na\nb\n"
    name = "calm_HOL_01_20210429063000.csv"
    put(bare, name, text, companion=cksum(text, name))
    night(bare).expect(0)
    expected = ("calm", "traffic", "HOL_01_20210429063000.csv", 2, len(text), "2021-04-29")
    assert counted(bare)[name] == expected
    assert far(bare) == {f"traffic/calm/{name}.gz": text}
    assert here(bare) == []
    assert not list((bare.root / "var/packed").rglob("*.gz"))
    [row] = [row for row in bare.rows(FINAL) if row[3] == name]
    assert row[4] == "2021-04-29 06:30:00"
    assert row[8] == f"{name}.sem"
    assert states(bare) == {name: "removed"}


def test_records_are_lines_without_the_header(bare: Site) -> None:
    put(bare, "calm_20210429_empty.csv", "")
    put(bare, "calm_20210429_head.csv", "head\n")
    put(bare, "calm_20210429_open.csv", "head\n1\n2")
    put(bare, "OWN-20210429.txt", "1\n2\n")
    put(bare, "calm_20210429_toll", "1\n", "tolling")
    night(bare).expect(0)
    records = {name: row[3] for name, row in counted(bare).items()}
    assert records == {
        "calm_20210429_empty.csv": 0,
        "calm_20210429_head.csv": 0,
        "calm_20210429_open.csv": 2,
        "OWN-20210429.txt": 2,
        "calm_20210429_toll": 1,
    }
    assert "toll/calm/calm_20210429_toll.gz" in far(bare)
    assert "traffic/own/OWN-20210429.txt.gz" in far(bare)


def test_the_longest_matching_start_of_a_pattern_wins(bare: Site) -> None:
    put(bare, "c1_20210429", "", "tolling")
    put(bare, "c10_20210429", "", "tolling")
    night(bare).expect(0)
    assert {name: row[0] for name, row in counted(bare).items()} == {
        "c1_20210429": "c1",
        "c10_20210429": "c10",
    }


def test_without_a_timestamp_in_its_name_a_file_has_the_date_of_its_last_change(
    bare: Site,
) -> None:
    file = put(bare, "calm_99999999999999_x.csv")
    os.utime(file, (1_619_654_400,) * 2)  # 2021-04-29 00:00:00 UTC
    night(bare).expect(0)
    assert counted(bare)[file.name][5] == "2021-04-29"


def test_nothing_is_counted_twice_and_what_was_counted_stays(bare: Site) -> None:
    put(bare, "calm_20210429_a.csv")
    bare.configure("mnaas", environment="dev")
    night(bare, "2021-04-29").expect(0)
    before = counted(bare)
    put(bare, "calm_20210429_b.csv")
    night(bare).expect(0)
    rewind = ["--date", DATE, "--from", "WriteManifest"]
    bare.run("mnaas", "run", "CustomerBackupFiles", *rewind).expect(0)
    rows = [row for row in bare.rows(FINAL) if row[0] == "calm"]
    assert sorted(row[3] for row in rows) == ["calm_20210429_a.csv", "calm_20210429_b.csv"]
    assert before.items() <= counted(bare).items()


def test_a_night_that_lists_again_still_knows_what_it_has_sent(bare: Site) -> None:
    put(bare, "calm_20210429_a.csv", "head\n1\n")
    night(bare).expect(0)
    put(bare, "calm_20210429_a.csv", "head\n1\n2\n")
    put(bare, "calm_20210429_b.csv")
    again = ["mnaas", "run", "CustomerBackupFiles", "--date", DATE, "--from", "1"]
    bare.run(*again).expect(0)
    transfers = Transfers(bare.root / "var/state/transfers.sqlite").all()
    assert [Path(each.path).name[14:15] for each in transfers] == ["a", "a", "b"]
    assert {each.state for each in transfers} == {"removed"}
    assert len(bare.rows(FINAL, "customer = 'calm'")) == 3
    assert "3 files compared, 0 do not" in bare.run("mnaas", "backup", "audit").expect(0).output


def test_a_name_that_comes_again_with_another_content_is_another_file(bare: Site) -> None:
    put(bare, "calm_20210429.csv", "head\n1\n")
    night(bare, "2021-04-29").expect(0)
    put(bare, "calm_20210429.csv", "head\n1\n2\n")
    night(bare).expect(0)
    rows = [row for row in bare.rows(FINAL) if row[0] == "calm"]
    assert sorted(row[5] for row in rows) == [1, 2]
    assert far(bare) == {"traffic/calm/calm_20210429.csv.gz": "head\n1\n2\n"}


def test_limits_take_the_oldest_first_and_the_next_night_the_rest(bare: Site) -> None:
    bare.configure("customer_backup_files", files_per_customer=2, files_per_run=3)
    for day in (3, 1, 2):
        put(bare, f"calm_2021040{day}.csv")
        put(bare, f"c1_2021041{day}.csv")
    output = night(bare, "2021-04-29").expect(0).output
    assert "3 wait for the next run" in output
    assert set(counted(bare)) == {"calm_20210401.csv", "calm_20210402.csv", "c1_20210411.csv"}
    night(bare).expect(0)
    assert here(bare) == []


def test_a_night_without_files_is_done(bare: Site) -> None:
    night(bare).expect(0)
    assert "Did not run any tasks" in night(bare).expect(0).output


# What is left alone.


def test_a_checksum_that_differs_quarantines_the_file_and_the_rest_goes_on(bare: Site) -> None:
    put(bare, "calm_20210429_bad.csv", companion=cksum("other", "calm_20210429_bad.csv"))
    put(bare, "calm_20210429_odd.csv", companion="no checksum at all")
    put(bare, "calm_20210429_name.csv", companion=cksum("head\n1\n2\n", "calm_other.csv"))
    put(bare, "calm_20210429_good.csv", companion=cksum("head\n1\n2\n", "calm_20210429_good.csv"))
    output = night(bare).expect(0).output
    assert "3 in quarantine, their checksum files say otherwise" in output
    bad = "calm_20210429_bad.csv"
    assert f"traffic/quarantine/{bad}/{bad}" in output
    assert set(counted(bare)) == {"calm_20210429_good.csv"}
    lying = sorted(path.name for path in (bare.root / "in/traffic/quarantine").glob("*/*"))
    assert len(lying) == 6
    assert set(far(bare)) == {"traffic/calm/calm_20210429_good.csv.gz"}


def test_a_companion_that_was_left_behind_follows_its_file_into_quarantine(bare: Site) -> None:
    file = put(bare, "calm_20210429_bad.csv", companion="wrong")
    place = bare.root / "in/traffic/quarantine" / file.name
    place.mkdir(parents=True)
    file.rename(place / file.name)
    night(bare).expect(0)
    assert here(bare) == ["calm_20210429_bad.csv", "calm_20210429_bad.csv.sem"]
    assert not list((bare.root / "in/traffic").glob("*.sem"))


def test_a_bad_file_that_comes_again_is_kept_beside_the_first(bare: Site) -> None:
    for content in ("one", "two"):
        put(bare, "calm_20210429.csv", content, companion="wrong")
        night(bare, f"2021-04-{len(content) + len(here(bare)):02d}").expect(0)
    kept = (bare.root / "in/traffic/quarantine").glob("*/calm_20210429.csv")
    assert sorted(path.read_text() for path in kept) == ["one", "two"]


def test_files_that_are_still_being_written_are_left_for_the_next_run(bare: Site) -> None:
    put(bare, "calm_20210429_young.csv", age_seconds=5)
    put(bare, "calm_20210429.csv.part")
    put(bare, ".calm_20210429.csv")
    late = put(bare, "calm_20210429_late.csv", companion="still coming")
    os.utime(f"{late}.sem")
    output = night(bare).expect(0).output
    assert "4 still being written, left for the next run" in output
    assert counted(bare) == {}
    assert len(here(bare)) == 5


def test_a_file_that_changes_while_it_is_read_is_left(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a")
    seen = identity(file)
    with file.open("a") as stream:
        stream.write("b")
    packed = tmp_path / "packed"
    with pytest.raises(Changed):
        read_once(file, seen, with_cksum=True, pack_to=packed, level=2)
    assert not packed.exists()


@pytest.mark.parametrize("size", [0, 1, 255, 256, 1 << 20, (1 << 20) + 1])
def test_the_cksum_is_the_one_that_the_command_prints(tmp_path: Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(size))
    facts = read_once(file, identity(file), with_cksum=True, pack_to=None, level=2)
    printed = subprocess.run(["cksum", str(file)], capture_output=True, text=True, check=True)
    assert printed.stdout == f"{facts.cksum} {file}\n"


def test_equal_files_give_equal_compressed_copies(tmp_path: Path) -> None:
    copies = []
    for name in ("a", "b"):
        file = tmp_path / name
        file.write_bytes(b"line\n" * 1000)
        os.utime(file, (len(copies), len(copies)))
        read_once(file, identity(file), with_cksum=False, pack_to=tmp_path / "gz", level=2)
        copies.append((tmp_path / "gz").read_bytes())
    assert copies[0] == copies[1]
    assert gzip.decompress(copies[0]) == b"line\n" * 1000


def test_odd_names_are_handled_or_refused_by_name(bare: Site) -> None:
    handled = ["calm_20210429 a b.csv", "calm_20210429'\"$(x)`.csv", "calm_20210429_ü.csv"]
    for name in handled:
        put(bare, name, companion=cksum("head\n1\n2\n", name))
    put(bare, "o'Brien x_20210429.csv")
    put(bare, "-rf", kind="tolling")
    put(bare, f"calm_{'x' * 225}.csv")
    refused: list[str | bytes] = ["calm_\n.csv", b"calm_\xff.csv", "calm_;.csv", "calm_\\N.csv"]
    for odd in refused:
        put(bare, odd)
    (bare.root / "in/traffic/calm_folder.csv").mkdir()
    (bare.root / "in/traffic/calm_link.csv").symlink_to("/etc/hostname")
    os.mkfifo(bare.root / "in/traffic/calm_pipe.csv")
    output = night(bare).expect(0).output
    assert set(counted(bare)) == {*handled, "o'Brien x_20210429.csv"}
    assert "traffic/o'Brien x/o'Brien x_20210429.csv.gz" in far(bare)
    assert len(far(bare)) == 4
    assert "8 refused: " in output
    for words in (
        "calm_\\n.csv: its name holds control characters",
        "calm_\\udcff.csv: its name is not UTF-8",
        "calm_;.csv: its name holds ; or \\",
        "calm_pipe.csv: it is not a regular file",
        "calm_link.csv: it is not a regular file",
    ):
        assert words in output
    assert "1 belong to no customer of the configuration: -rf" in output
    assert "its name is longer than 230 bytes" in output
    assert len(here(bare)) == 7


def test_a_file_that_may_not_be_read_is_refused_by_name(bare: Site) -> None:
    file = put(bare, "calm_20210429_secret.csv")
    put(bare, "calm_20210429.csv")
    file.chmod(0)
    own = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*own, *NIGHT.split()],
        env=bare.environment(),
        cwd=bare.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "calm_20210429_secret.csv: it cannot be read by this user" in done.stderr
    assert set(counted(bare)) == {"calm_20210429.csv"}
    assert file.exists()


def test_a_folder_that_is_not_there_is_a_missing_input(bare: Site) -> None:
    (bare.root / "in/tolling").rmdir()
    output = night(bare).expect(30).output
    assert f"{bare.root}/in/tolling is not there" in output


def stop_before_copying(site: Site, date: str = DATE) -> None:
    """Run the night up to the counts, and kill it there."""
    folder = site.root / "var/state/markers/CustomerBackupFiles"
    with held(site, f"table/{FINAL}"):
        process = site.start(*site.night_command(date, pipeline="CustomerBackupFiles"))
        wait_for(lambda: any(folder.glob("02-LoadStaging/*")))
    assert process.stdout
    for line in process.stdout:
        if "CustomerBackupFiles.PublishCounts_" in line and "status   DONE" in line:
            process.kill()
    process.wait()
    process.stdout.close()
    for marker in folder.glob("0[45]-*/*"):
        marker.unlink()


def test_a_file_that_changed_since_the_manifest_is_neither_copied_nor_removed(
    bare: Site,
) -> None:
    file = put(bare, "calm_20210429_a.csv")
    gone = put(bare, "calm_20210429_b.csv")
    good = put(bare, "calm_20210429_c.csv")
    bare.configure("mnaas", environment="dev")
    night(bare).expect(0)
    bare.configure("mnaas", environment="prod")
    file.write_text("other")
    gone.unlink()
    output = night(bare).expect(0).output
    assert "1 changed since they were listed, not copied: calm_20210429_a.csv" in output
    assert "1 gone since they were listed, not copied: calm_20210429_b.csv" in output
    assert file.read_text() == "other"
    assert not good.exists()
    assert set(far(bare)) == {"traffic/calm/calm_20210429_c.csv.gz"}
    assert states(bare) == {file.name: "changed", gone.name: "gone", good.name: "removed"}


def test_a_file_that_changed_since_it_was_copied_is_not_removed(bare: Site) -> None:
    file = put(bare, "calm_20210429.csv")
    night(bare).expect(0)
    assert not file.exists()
    put(bare, "calm_20210429_x.csv")
    rewind = ["CustomerBackupFiles", "--date", DATE, "--yes", "--from"]
    bare.run("mnaas", "rewind", *rewind, "WriteManifest").expect(0)
    night(bare).expect(0)
    transfers = Transfers(bare.root / "var/state/transfers.sqlite")
    [_, removed] = transfers.of(DATE)
    transfers.mark([removed], "sent", "")
    Path(removed.path).write_text("written anew")
    bare.run("mnaas", "rewind", *rewind, "RemoveLocalFiles").expect(0)
    output = night(bare).expect(0).output
    assert "1 kept, changed since they were listed: calm_20210429_x.csv" in output
    assert Path(removed.path).read_text() == "written anew"


# Where it is copied to.


def test_in_dev_the_night_ends_with_the_counts_and_the_plan_shows_the_rest(bare: Site) -> None:
    put(bare, "calm_20210429.csv")
    bare.configure("mnaas", environment="dev")
    output = night(bare).expect(0).output
    assert "left out       CopyToEdgeNode, RemoveLocalFiles: environment = dev" in output
    assert here(bare) == ["calm_20210429.csv"]
    assert far(bare) == {}
    assert not any("CopyToEdgeNode" in path or "Remove" in path for path in bare.markers())
    plan = bare.run("mnaas", "plan", "CustomerBackupFiles", "--date", DATE).expect(0).output
    assert "PublishCounts     3     DONE" in plan
    left_out = "LEFT OUT  environment = dev: would"
    assert f"CopyToEdgeNode    4     {left_out} copy 1 files, 9 bytes, to " in plan
    assert f"RemoveLocalFiles  5     {left_out} remove 1 files that were copied" in plan
    assert "Did not run any tasks" in night(bare).expect(0).output
    bare.configure("mnaas", environment="prod")
    night(bare).expect(0)
    assert here(bare) == []
    assert len(far(bare)) == 1


@pytest.mark.parametrize("only_sftp", [False, True], ids=["with commands", "SFTP only"])
def test_over_sftp_files_are_verified_there_and_then_removed(
    bare: Site, tmp_path: Path, only_sftp: bool
) -> None:
    for number in range(30):
        put(bare, f"calm_20210429_{number}.csv", f"head\n{number}\n")
    with Sshd(tmp_path / "sshd", only_sftp=only_sftp) as server:
        server.serves(bare, bare.root / "var/edge-node-2")
        night(bare).expect(0)
    assert len(far(bare)) == 30
    assert here(bare) == []
    files = [path for path in (bare.root / "var/edge-node-2").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o640}


def test_an_edge_node_with_another_host_key_gets_nothing(bare: Site, tmp_path: Path) -> None:
    put(bare, "calm_20210429.csv")
    with Sshd(tmp_path / "sshd") as server:
        server.know("other_key")
        server.serves(bare, tmp_path / "far")
        output = night(bare).expect(30).output
        assert "shows another host key than" in output
        assert "Traceback" not in output
        assert here(bare) == ["calm_20210429.csv"]
        check = bare.run("mnaas", "check").expect(1).output
        assert "PROBLEM  edge node" in check
        server.know("host_key")
        night(bare).expect(0)
    assert here(bare) == []


def test_an_edge_node_that_is_down_fails_the_night_and_the_rerun_ends_it(
    bare: Site, tmp_path: Path
) -> None:
    put(bare, "calm_20210429.csv")
    with Sshd(tmp_path / "sshd") as server:
        server.serves(bare, bare.root / "var/edge-node-2")
        server.kill()
        output = night(bare).expect(30).output
        assert "attempt 1 failed, next in" in output
        assert here(bare) == ["calm_20210429.csv"]
        assert set(counted(bare)) == {"calm_20210429.csv"}
        server.start()
        rerun = night(bare).expect(0).output
        assert "running   CustomerBackupFiles.WriteManifest" not in rerun
    assert here(bare) == []
    assert len(far(bare)) == 1


def test_what_another_night_has_sent_is_not_sent_again(bare: Site) -> None:
    put(bare, "calm_20210429.csv")
    bare.configure("mnaas", environment="dev")
    night(bare, "2021-04-29").expect(0)
    bare.configure("mnaas", environment="prod")
    night(bare).expect(0)
    [copy] = (bare.root / "var/edge-node-2").rglob("*.gz")
    copy.unlink()  # somebody there has taken it
    output = night(bare, "2021-04-29").expect(0).output
    assert "gone since" not in output
    assert far(bare) == {}
    transfers = Transfers(bare.root / "var/state/transfers.sqlite").all()
    assert [each.state for each in transfers] == ["removed", "removed"]


def test_a_copy_that_was_cut_off_before_it_was_noted_is_not_sent_again(bare: Site) -> None:
    put(bare, "calm_20210429.csv")
    put(bare, "calm_20210429_b.csv")
    night(bare).expect(0)
    transfers = Transfers(bare.root / "var/state/transfers.sqlite")
    transfers.mark(transfers.of(DATE), "sending", "")
    [first, _] = sorted((bare.root / "var/edge-node-2").rglob("*.gz"))
    inode = first.stat().st_ino
    rewind = ["CustomerBackupFiles", "--date", DATE, "--yes", "--from", "CopyToEdgeNode"]
    bare.run("mnaas", "rewind", *rewind).expect(0)
    night(bare).expect(0)
    assert first.stat().st_ino == inode
    assert set(states(bare).values()) == {"removed"}


def test_a_compressed_copy_that_was_damaged_is_made_anew(bare: Site) -> None:
    put(bare, "calm_20210429.csv", "head\n" * 1000)
    stop_before_copying(bare)
    [packed] = (bare.root / "var/packed").rglob("*.gz")
    packed.write_bytes(bytes(len(packed.read_bytes())))
    output = night(bare).expect(0).output
    assert "with another checksum than it left with" in output
    assert far(bare) == {"traffic/calm/calm_20210429.csv.gz": "head\n" * 1000}


def test_too_little_space_to_compress_changes_nothing(bare: Site) -> None:
    put(bare, "calm_20210429.csv", "x" * 200_000)
    outcome = in_own_mounts(
        bare,
        f"""
        mkdir -p var/packed
        mount -t tmpfs -o size=100k tmpfs var/packed
        set +e; {NIGHT}; echo "exit: $?"
        """,
    )
    assert outcome.stdout.splitlines()[-1] == "exit: 30"
    assert "compressing 1 files may take 195.3 KiB. Nothing was changed." in outcome.stderr
    assert "files_per_run" in outcome.stderr
    assert counted(bare) == {}


def test_a_transfer_ledger_that_is_damaged_is_one_clear_error(bare: Site) -> None:
    put(bare, "calm_20210429.csv")
    (bare.root / "var/state").mkdir()
    (bare.root / "var/state/transfers.sqlite").write_text("no database" * 100)
    output = night(bare).expect(30).output
    assert "the transfer ledger" in output
    assert "--from WriteManifest" in output
    assert "Traceback" not in output


def test_kinds_of_files_that_would_be_written_over_each_other_are_refused(bare: Site) -> None:
    file = bare.root / "config/customers.toml"
    file.write_text(file.read_text().replace('"toll/{customer}"', '"traffic/{customer}"'))
    output = night(bare).expect(35).output
    assert "far_folder 'traffic/calm' is also that of traffic of 'calm'" in output


def test_the_configuration_says_what_an_edge_node_needs(bare: Site) -> None:
    bare.configure("edge_node", transport="sftp")
    output = night(bare).expect(35).output
    assert "[edge_node] host is empty, and environment = prod copies backups there." in output
    bare.configure("mnaas", environment="dev")
    night(bare).expect(0)


def test_a_night_killed_while_files_travel_sends_the_rest_and_none_twice(
    bare: Site, tmp_path: Path
) -> None:
    for number in range(60):
        put(bare, f"calm_20210429_{number:02d}.csv", f"head\n{number}\n" * 500)
    root = bare.root / "var/edge-node-2"
    with Sshd(tmp_path / "sshd") as server, Proxy(server.port, delay_seconds=0.02) as slow:
        key = server.known_hosts.read_text().split(" ", 1)[1]
        server.known_hosts.write_text(f"[127.0.0.1]:{slow.port} {key}")
        server.serves(bare, root, port=slow.port)
        with bare.start(*bare.night_command(pipeline="CustomerBackupFiles")) as process:
            wait_for(lambda: len(list(root.rglob("*.gz*"))) > 20)
            process.kill()
        assert len(here(bare)) == 60
        arrived = {path.name: path.stat().st_ino for path in root.rglob("calm*.gz")}
        rerun = night(bare).expect(0).output
    assert "running   CustomerBackupFiles.WriteManifest" not in rerun
    assert len(far(bare)) == 60
    assert not list(root.rglob(".*"))
    assert here(bare) == []
    for path in root.rglob("*.gz"):
        assert arrived.get(path.name, path.stat().st_ino) == path.stat().st_ino


def test_two_nights_at_once_take_turns_and_do_everything_once(bare: Site) -> None:
    for number in range(20):
        put(bare, f"calm_20210429_{number:02d}.csv", f"head\n{number}\n")
    dates = ("2021-04-29", DATE)
    nights = [
        bare.start(*bare.night_command(date, pipeline="CustomerBackupFiles")) for date in dates
    ]
    outputs = [process.communicate(timeout=60)[0] for process in nights]
    assert [process.returncode for process in nights] == [0, 0], outputs
    assert len(counted(bare)) == len(far(bare)) == 20
    assert len(bare.rows(FINAL, "customer = 'calm'")) == 20
    assert here(bare) == []
    assert not any("gone since" in output for output in outputs)


def test_progress_goes_from_nothing_to_all_in_bytes(bare: Site) -> None:
    told: list[float] = []
    folder = bare.root / "in/traffic"
    sets = [FileSet("traffic", "calm", folder, "far", "calm_*.csv", True)]
    for number in range(10):
        put(bare, f"calm_20210429_{number}.csv", "x" * 1000)
    asked = cast(
        "customer_backup_files",
        SimpleNamespace(
            settle_seconds=60,
            companion_suffix=".sem",
            quarantine_folder="quarantine",
            temporary_suffixes=(".part",),
            files_per_customer=100,
            files_per_run=100,
            threads=2,
            compression_level=2,
        ),
    )
    taken = find(sets, asked, ZoneInfo("UTC")).taken
    manifest = make_manifest(taken, asked, None, lambda done, _words: told.append(done))
    assert len(manifest.listed) == len(told) == 10
    assert told == sorted(told)
    assert told[-1] == 1.0
