"""The one tree of errors. A message says what is wrong; its second line says what to do about it.

MnaasError
  ConfigError               a key of the configuration is missing, wrong or contradictory
  PartitionListError        a partition list holds a line that is not a date
  SchemaError               a name or a value that cannot stand in SQL or in a path
  MissingInputError         something that another process delivers is not there
  SourceError               what a source holds contradicts itself
  TransientError            may work when the whole step is tried again
    LostConnectionError     the other side went away, or a file changed under a query
    DeadlineError           the other side did not answer in time
    CorruptCopyError        a copy has another checksum on the far side than here
    FailedJobError          the engine began a statement and could not finish it
  LockTimeoutError          somebody else holds a table for longer than we wait
  WarehouseError            the warehouse refused
    UnknownTableError       a table that is not declared
    StatementError          a statement that it cannot run
      MissingTableError     a table that the engine does not have
      MissingPartitionError a partition that the table does not have
  LoginError                a server does not take us for whom we say we are
  StoreError                a file store refused
    DiskFullError           no space left
  MailError                 a mail that was not taken
  MarkerError               a marker that cannot be read or may not be written
  AuditError                what was written is not what was meant; nothing was switched
  TooManyDropsError         more partitions to drop than max_drops allows
"""

from __future__ import annotations

from collections.abc import Sequence


def first_line(error: BaseException) -> str:
    """What a library's error says, without the stack trace that some put behind it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


class MnaasError(Exception):
    """Every error that we raise ourselves."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message


class ConfigError(MnaasError):
    pass


class PartitionListError(MnaasError):
    pass


class SchemaError(MnaasError):
    pass


class MissingInputError(MnaasError):
    pass


class SourceError(MnaasError):
    pass


class TransientError(MnaasError):
    pass


class LostConnectionError(TransientError):
    pass


class DeadlineError(TransientError):
    pass


class CorruptCopyError(TransientError):
    def __init__(self, message: str, remedy: str, paths: Sequence[str]) -> None:
        super().__init__(message, remedy)
        self.paths = paths


class FailedJobError(TransientError):
    pass


class LockTimeoutError(MnaasError):
    pass


class WarehouseError(MnaasError):
    pass


class UnknownTableError(WarehouseError):
    pass


class StatementError(WarehouseError):
    pass


class MissingTableError(StatementError):
    pass


class MissingPartitionError(StatementError):
    pass


class LoginError(MnaasError):
    pass


class StoreError(MnaasError):
    pass


class DiskFullError(StoreError):
    pass


class MailError(MnaasError):
    def __init__(self, message: str, remedy: str = "", *, may_have_arrived: bool = False) -> None:
        super().__init__(message, remedy)
        self.may_have_arrived = may_have_arrived


class MarkerError(MnaasError):
    pass


class AuditError(MnaasError):
    pass


class TooManyDropsError(MnaasError):
    pass
