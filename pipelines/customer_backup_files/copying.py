"""The way of a listed file to the second edge node, and its end here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pipelines import clock
from pipelines.customer_backup_files.reading import Changed, identity, read_once
from pipelines.customer_backup_files.transfers import (
    CHANGED,
    COUNTED,
    GONE,
    LISTED,
    REMOVED,
    SENDING,
    SENT,
    Transfer,
    Transfers,
)
from pipelines.progress import Progress
from pipelines.words import named
from targets.errors import CorruptCopyError
from targets.marker import Evidence
from targets.store.base import FileStore, Outgoing
from targets.store.local import make_folder

_AT_ONCE = 100  # files whose removal is noted together


class Copying:
    """What a night has listed, copied to the far side; done again as a whole after an error."""

    def __init__(
        self,
        run_key: str,
        transfers: Transfers,
        far: FileStore,
        packed_folder: Path,
        level: int,
        progress: Progress,
    ) -> None:
        self._run_key = run_key
        self._transfers = transfers
        self._far = far
        self._packed_folder = packed_folder
        self._level = level
        self._progress = progress
        self._by_path: dict[str, Transfer] = {}

    def copy_all(self) -> Evidence:
        listed = self._transfers.of(self._run_key)
        open_ones = [each for each in listed if each.state in (LISTED, COUNTED, SENDING)]
        missing = self._send(self._not_there_yet(open_ones))
        ended = self._transfers.of(self._run_key)
        sent = [each for each in ended if each.state in (SENT, REMOVED)]
        return Evidence(
            rows=len(sent),
            sums={
                "bytes": str(sum(each.size for each in sent)),
                "compressed": str(sum(each.packed_size for each in sent)),
            },
            warnings=missing,
        )

    def _not_there_yet(self, transfers: Sequence[Transfer]) -> list[Transfer]:
        """Without what another night has sent, or a killed run of this one."""
        sent = self._transfers.sent()
        there = [each for each in transfers if sent.get(each.far_path) == each.checksum]
        begun = [each for each in transfers if each.state == SENDING and each not in there]
        if begun:
            far = self._far.checksums(sorted(each.far_path for each in begun))
            there += [each for each in begun if far.get(each.far_path) == each.packed_sha256]
        self._mark(there, SENT)
        known = {each.path for each in there}
        return [each for each in transfers if each.path not in known]

    def _send(self, transfers: Sequence[Transfer]) -> list[str]:
        """Send them; warnings about those that are not any more what the manifest says."""
        ready, lost = self._packed(transfers)
        self._mark(lost[CHANGED], CHANGED)
        self._mark(lost[GONE], GONE)
        self._mark(ready, SENDING)
        self._by_path = {each.far_path: each for each in ready}
        total, done = sum(each.packed_size for each in ready) or 1, 0

        def sent(files: Sequence[Outgoing]) -> None:
            nonlocal done
            self._mark([self._by_path[file.path] for file in files], SENT)
            done += sum(file.size for file in files)
            self._progress(done / total, f"{files[-1].path} is there")

        try:
            self._far.send([self._outgoing(each) for each in ready], sent)
        except CorruptCopyError as error:
            for path in error.paths:  # compressed anew by the next attempt
                self._place(self._by_path[path]).unlink(missing_ok=True)
            raise
        return [
            f"{len(each)} {state} since they were listed, not copied: "
            + named([PurePosixPath(one.path).name for one in each])
            for state, each in lost.items()
            if each
        ]

    def _packed(
        self, transfers: Sequence[Transfer]
    ) -> tuple[list[Transfer], dict[str, list[Transfer]]]:
        """Those with a compressed copy, made anew where it is not there; and the others."""
        ready: list[Transfer] = []
        lost: dict[str, list[Transfer]] = {CHANGED: [], GONE: []}
        make_folder(self._packed_folder)
        for each in transfers:
            try:
                ready.append(self._with_copy(each))
            except Changed:
                lost[CHANGED].append(each)
            except FileNotFoundError:
                lost[GONE].append(each)
        return ready, lost

    def _with_copy(self, transfer: Transfer) -> Transfer:
        place = self._place(transfer)
        if place.is_file() and place.stat().st_size == transfer.packed_size:
            return transfer
        facts = read_once(
            Path(transfer.path),
            transfer.identity,
            with_cksum=False,
            pack_to=place,
            level=self._level,
        )
        if facts.sha256 != transfer.checksum:
            place.unlink()
            raise Changed
        made = replace(transfer, packed_size=facts.packed_size, packed_sha256=facts.packed_sha256)
        self._transfers.packed(made)
        return made

    def _place(self, transfer: Transfer) -> Path:
        return self._packed_folder / transfer.packed_name

    def _outgoing(self, transfer: Transfer) -> Outgoing:
        return Outgoing(
            self._place(transfer),
            transfer.far_path,
            transfer.packed_size,
            transfer.packed_sha256,
        )

    def _mark(self, transfers: Sequence[Transfer], state: str) -> None:
        if transfers:
            self._transfers.mark(transfers, state, clock.local_now())


def remove_sent(transfers: Transfers, run_key: str, progress: Progress) -> tuple[int, list[str]]:
    """Remove what was sent, when it is unchanged; how many are removed, and what was kept."""
    listed = transfers.of(run_key)
    sent = [each for each in listed if each.state == SENT]
    kept = []
    for number, portion in enumerate(_portions(sent)):
        changed = [each for each in portion if not _removed(each)]
        gone = [each for each in portion if each not in changed]
        transfers.mark(gone, REMOVED, clock.local_now())
        transfers.mark(changed, CHANGED, clock.local_now())
        kept += [PurePosixPath(each.path).name for each in changed]
        progress((number + 1) * _AT_ONCE / len(sent), "removing what was copied")
    ended = transfers.of(run_key)
    return sum(each.state == REMOVED for each in ended), kept


def _removed(transfer: Transfer) -> bool:
    """Remove a file and its companion, unless it is another file by now."""
    path = Path(transfer.path)
    try:
        if identity(path) != transfer.identity:
            return False
        path.unlink()
    except FileNotFoundError:
        pass  # a killed run has removed it
    if transfer.companion:
        path.with_name(transfer.companion).unlink(missing_ok=True)
    return True


def _portions(transfers: Sequence[Transfer]) -> Iterator[Sequence[Transfer]]:
    for start in range(0, len(transfers), _AT_ONCE):
        yield transfers[start : start + _AT_ONCE]
