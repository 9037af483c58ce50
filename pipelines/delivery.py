"""What a night waits for: external tasks, done by somebody else."""

from __future__ import annotations

from pathlib import Path

import luigi

from pipelines.stored import run_key_of
from targets.file import StoredFile
from targets.store.local import LocalStore


class Delivery(luigi.ExternalTask):
    """What another process delivers; without it there is nothing to work on."""

    pipeline = luigi.Parameter(significant=False, description="who waits for it")
    date = luigi.DateParameter(significant=False, description="for which business date")
    variant = luigi.Parameter(significant=False, default="", description="for which variant")
    run_id = luigi.Parameter(significant=False, default="", description="in which run")
    resume = luigi.Parameter(significant=False, default="", description="how to resume")

    def words(self) -> str:
        """What is waited for."""
        raise NotImplementedError

    def why(self) -> str:
        """Why it is waited for."""
        return f"{self.words()} is not done."


class FileDelivery(Delivery):
    path = luigi.Parameter(description="where it should be")

    def words(self) -> str:
        return str(self.path)

    def why(self) -> str:
        return f"{self.path} has not been delivered."

    def output(self) -> luigi.Target:
        path = Path(self.path)
        return StoredFile(LocalStore(path.parent), path.name)


class NightDelivery(Delivery):
    """A night of another pipeline, done with whatever list."""

    awaited = luigi.Parameter(description="the pipeline whose night it is")

    def words(self) -> str:
        return f"the night {self.awaited} {self.date}"

    def output(self) -> luigi.Target:
        return NightDone(self.awaited, run_key_of(self.date, ""))


class NightDone(luigi.Target):
    def __init__(self, pipeline: str, run_key: str) -> None:
        self.pipeline = pipeline
        self.run_key = run_key

    def exists(self) -> bool:
        entry = luigi.task_register.Register.get_task_cls(self.pipeline)
        return self.run_key in entry.done_keys()
