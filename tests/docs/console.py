"""Terminal sessions in Markdown, run again and compared.

In a `console` block `$ ` starts a command and the lines below it are what it prints; a line `...`
stands for any lines, and what differs from run to run (times, ids, paths) is taken as equal.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARIES = (
    (re.compile(r"\d{8}T\d{6}-[0-9a-f]+"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "<time>"),
    (re.compile(r"\b\d+(\.\d+)? s\b"), "<seconds>"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "<digest>"),
    (re.compile(r"held by .*"), "held by <somebody>"),
    (re.compile(r", \d+ GiB free|, \.\.\.$"), ", <free>"),
)


@dataclass
class Command:
    line: str
    expected: list[str] = field(default_factory=list)


def commands_of(document: Path) -> list[Command]:
    commands: list[Command] = []
    for block in _BLOCK.findall(document.read_text()):
        until = ""  # inside a here-document: to its last line, all is typed
        for line in block.splitlines():
            if until:
                commands[-1].line += f"\n{line}"
                until = "" if line == until else until
            elif line.startswith("$ "):
                commands.append(Command(line[2:]))
                until = "END" if line.endswith("<<'END'") else ""
            else:
                commands[-1].expected.append(line)
    # `make demo` prints a command of its own, which is output and not typed
    return _joined(commands)


def _joined(commands: list[Command]) -> list[Command]:
    joined: list[Command] = []
    for command in commands:
        if joined and joined[-1].expected[-1:] == [""]:
            joined[-1].expected += [f"$ {command.line}", *command.expected]
        else:
            joined.append(command)
    return joined


def run(command: str, folder: Path, environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout.replace(str(folder), "~/mnaas-pipelines").splitlines()


def matches(expected: list[str], printed: list[str]) -> bool:
    """Line by line; each `...` takes as few lines as it can."""
    lines = [_common(line) for line in printed]
    at, wild_at, resume = 0, -1, 0
    wanted = [_common(line) for line in expected]
    here = 0
    while here < len(lines):
        if at < len(wanted) and wanted[at] == "...":
            wild_at, resume, at = at, here, at + 1
        elif at < len(wanted) and wanted[at] == lines[here]:
            at, here = at + 1, here + 1
        elif wild_at >= 0:
            resume += 1
            at, here = wild_at + 1, resume
        else:
            return False
    return all(line == "..." for line in wanted[at:])


def _common(line: str) -> str:
    for pattern, name in _VARIES:
        line = pattern.sub(name, line)
    return " ".join(line.split())  # columns are as wide as what varies
