"""Run `luigi` and print, on its last line, how many statements and connections it took."""

from __future__ import annotations

import sys
from typing import Any

from targets.warehouse.session import Session


def main() -> None:
    from luigi.cmdline import luigi_run

    counted = {"statements": 0, "connections": 0}
    running, connected = Session._running, Session._connected

    def run(self: Session, *arguments: Any) -> Any:
        counted["statements"] += 1
        return running(self, *arguments)

    def connect(self: Session) -> Any:
        counted["connections"] += self._driver is None
        return connected(self)

    Session._running = run  # type: ignore[method-assign]
    Session._connected = connect  # type: ignore[method-assign]
    try:
        luigi_run(sys.argv[1:])
    finally:
        print(f"{counted['statements']} statements, {counted['connections']} connections")


if __name__ == "__main__":
    main()
