"""History of runs and steps in a small SQLite file; never in the way of a run.

Whatever is wrong with the file costs a warning, not a night.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from pipelines.database import Database

log = logging.getLogger("luigi-interface.mnaas")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, pipeline TEXT, run_key TEXT, host TEXT, pid INTEGER,
    started TEXT, ended TEXT, state TEXT);
CREATE INDEX IF NOT EXISTS runs_by_pipeline ON runs (pipeline, started);
CREATE TABLE IF NOT EXISTS steps (
    run_id TEXT, step TEXT, started TEXT, ended TEXT, state TEXT,
    attempts INTEGER, rows INTEGER, error TEXT, PRIMARY KEY (run_id, step));
"""


class Ledger:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = Database(path, _SCHEMA, busy_seconds=1.0)

    def run_began(self, run_id: str, pipeline: str, run_key: str, host: str, now: str) -> None:
        self._write(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, NULL, 'running')",
            (run_id, pipeline, run_key, host, os.getpid(), now),
        )

    def run_ended(self, run_id: str, state: str, now: str) -> None:
        self._write("UPDATE runs SET ended = ?, state = ? WHERE run_id = ?", (now, state, run_id))

    def step_began(self, run_id: str, step: str, now: str) -> None:
        self._write(
            "INSERT OR REPLACE INTO steps VALUES (?, ?, ?, NULL, 'running', NULL, NULL, NULL)",
            (run_id, step, now),
        )

    def step_ended(
        self, run_id: str, step: str, state: str, now: str, *, attempts: int, rows: int, error: str
    ) -> None:
        self._write(
            "UPDATE steps SET ended = ?, state = ?, attempts = ?, rows = ?, error = ? "
            "WHERE run_id = ? AND step = ?",
            (now, state, attempts, rows, error, run_id, step),
        )

    def runs(self, pipeline: str, last: int) -> list[dict[str, Any]]:
        """The last runs, newest first, each with its steps."""
        sql = (
            "SELECT * FROM runs WHERE ? IN ('', pipeline) ORDER BY started DESC, rowid DESC LIMIT ?"
        )
        with self._database.open() as connection:
            runs = [dict(row) for row in connection.execute(sql, (pipeline, last))]
            for run in runs:
                steps = "SELECT * FROM steps WHERE run_id = ? ORDER BY started, rowid"
                run["steps"] = [dict(row) for row in connection.execute(steps, (run["run_id"],))]
        return runs

    def _write(self, sql: str, values: tuple[Any, ...]) -> None:
        import sqlite3

        try:
            with self._database.open() as connection:
                connection.execute(sql, values)
                connection.commit()
        except (sqlite3.Error, OSError) as error:
            log.warning("the ledger %s was not written: %s", self._path, error)
