"""Where the customers' backup files are: on their way, and by what this machine, the table and
the second edge node say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipelines import clock, settings, wiring
from pipelines.customer_backup_files.finding import find, quarantined
from pipelines.customer_backup_files.reading import identity
from pipelines.customer_backup_files.settings import customer_backup_files
from pipelines.customer_backup_files.tasks import all_transfers
from pipelines.customer_backup_files.transfers import (
    CHANGED,
    COUNTED,
    GONE,
    LISTED,
    REMOVED,
    SENDING,
    SENT,
    Transfer,
)
from pipelines.customers import all_customers
from pipelines.tables import customers_files_records_count as FINAL
from targets.warehouse.base import Statement

MEANING = {
    "new": "here, the next run takes it",
    "waiting": "here, for a later run: there are too many",
    "being written": "here, left until it is complete",
    "refused": "here, its name or kind cannot be handled",
    "unknown": "here, of no customer in the configuration",
    "quarantined": "here, its checksum file says otherwise",
    LISTED: "in the manifest",
    COUNTED: "in the table",
    SENDING: "on its way, or cut off there",
    SENT: "verified on the second edge node",
    REMOVED: "verified there and removed here",
    CHANGED: "not any more what was listed, kept",
    GONE: "not here any more, and never copied",
}
_COUNTED_FOR = (COUNTED, SENDING, SENT, REMOVED)


@dataclass(frozen=True)
class Place:
    """A file and where it is."""

    file: str
    state: str
    since: str = ""
    night: str = ""
    size: int = 0
    customer: str = ""
    process: str = ""
    far_path: str = ""


@dataclass(frozen=True)
class Difference:
    file: str
    night: str
    words: str


def places() -> list[Place]:
    """Every file that lies here or that a night has listed."""
    asked = settings.section(customer_backup_files)
    sets = all_customers().file_sets
    findings = find(sets, asked, clock.zone())
    listed = all_transfers().all()
    known = {(each.path, each.identity) for each in listed}
    here = [
        Place(
            found.name,
            "new",
            size=found.identity.size,
            customer=found.file_set.customer,
            process=found.file_set.process_name,
        )
        for found in findings.taken
        if (str(found.path), found.identity) not in known
    ]
    here += [Place("", "waiting")] * findings.waiting
    for state, names in (
        ("being written", findings.left),
        ("refused", findings.refused),
        ("unknown", findings.strangers),
        ("quarantined", quarantined(sets, asked)),
    ):
        here += [Place(name, state) for name in names]
    return [*here, *map(_place, listed)]


def _place(transfer: Transfer) -> Place:
    return Place(
        PurePosixPath(transfer.path).name,
        transfer.state,
        transfer.changed_at[:19],
        transfer.run_key,
        transfer.size,
        transfer.customer,
        transfer.process_name,
        transfer.far_path,
    )


def audit(run_key: str = "") -> tuple[int, list[Difference]]:
    """How many files were compared, and what does not agree: three sets, one comparison each."""
    transfers = all_transfers()
    listed = transfers.of(run_key) if run_key else transfers.all()
    sent = transfers.sent()
    differences = [*_still_here(listed, sent), *_not_counted(listed), *_not_there(listed)]
    return len(listed), sorted(differences, key=lambda each: (each.night, each.file))


def _still_here(transfers: Sequence[Transfer], sent: Mapping[str, str]) -> list[Difference]:
    found = []
    for each in transfers:
        try:
            same = identity(Path(each.path)) == each.identity
        except FileNotFoundError:
            same = False
            on_its_way = each.state in (LISTED, COUNTED, SENDING)
            if on_its_way and sent.get(each.far_path) != each.checksum:
                found.append(_difference(each, "is not here any more, and was not copied"))
        if same and each.state == REMOVED:
            found.append(_difference(each, "is here, and was removed"))
    return found


def _not_counted(transfers: Sequence[Transfer]) -> list[Difference]:
    expected = [each for each in transfers if each.state in _COUNTED_FOR]
    dates = sorted({each.file_date for each in expected})
    if not dates:
        return []
    warehouse = wiring.warehouse()
    sql = (
        f"SELECT DISTINCT customer, process_name, customer_filename, checksum "
        f"FROM {warehouse.spell(FINAL)} WHERE {warehouse.where_partition(FINAL, dates)}"
    )
    try:
        counted = set(warehouse.query(Statement("audit", sql, {FINAL.name: frozenset(dates)})))
    finally:
        warehouse.close()
    return [
        _difference(each, f"is not in {FINAL.name} {each.file_date}")
        for each in expected
        if (each.customer, each.process_name, PurePosixPath(each.path).name, each.checksum)
        not in counted
    ]


def _not_there(transfers: Sequence[Transfer]) -> list[Difference]:
    """A name that came again was written over there: the last one counts."""
    latest: dict[str, Transfer] = {}
    for each in sorted(transfers, key=lambda each: each.changed_at):
        if each.state in (SENT, REMOVED):
            latest[each.far_path] = each
    if not latest:
        return []
    far = wiring.edge_node()
    try:
        there = far.checksums(sorted(latest))
    finally:
        far.close()
    found = []
    for path, each in latest.items():
        if path not in there:
            found.append(_difference(each, f"is gone from the second edge node: {path}"))
        elif there[path] != each.packed_sha256:
            found.append(_difference(each, f"differs on the second edge node: {path}"))
    return found


def _difference(transfer: Transfer, words: str) -> Difference:
    return Difference(PurePosixPath(transfer.path).name, transfer.run_key, words)
