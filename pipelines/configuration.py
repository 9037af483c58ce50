"""Where the configuration comes from: Luigi's own files first, then ours behind them.

Luigi reads its own files and never `config/luigi.cfg`; `bootstrap` puts that file behind them.
"""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass, field
from pathlib import Path

import luigi
from luigi.configuration import LuigiConfigParser, get_config

# Keys of [core] that Luigi reads and does not declare: it would warn of them.
READ_ELSEWHERE = {"rpc_connect_timeout", "rpc_retry_attempts", "rpc_retry_wait"}
PACKAGED = Path(__file__).parent / "config" / "luigi.cfg"


@dataclass
class Origin:
    """Which files the configuration came from, and where relative paths begin."""

    base: Path = field(default_factory=Path.cwd)
    files: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


origin = Origin()


def bootstrap() -> None:
    """Put our files behind the user's own; what is wrong is kept until `check` is asked."""
    origin.problems = []
    origin.files = _users_files()
    luigi.interface.core.ignore_unconsumed |= READ_ELSEWHERE
    project = _project_file()
    origin.base = _base(project)
    for path in dict.fromkeys([project or PACKAGED, PACKAGED]):
        try:
            _put_behind(path)
        except (OSError, configparser.Error) as error:
            origin.problems.append(f"{path} cannot be read: {one_line(error)}")
    if project and project not in origin.files:
        origin.files.append(project)
    if not origin.files:
        origin.files.append(PACKAGED)


def _users_files() -> list[Path]:
    named = os.environ.get("LUIGI_CONFIG_PATH")
    if named and not Path(named).is_file():
        origin.problems.append(f"LUIGI_CONFIG_PATH names {named}, which is not a file.")
    paths = dict.fromkeys([*LuigiConfigParser._config_paths, named or ""])
    return [Path(path).absolute() for path in reversed(paths) if path and Path(path).is_file()]


def _project_file() -> Path | None:
    """The project's config/luigi.cfg: of the working directory, else of the checkout."""
    here = Path.cwd() / "config" / "luigi.cfg"
    checkout = Path(__file__).resolve().parent.parent / "config" / "luigi.cfg"
    return next((path for path in (here, checkout) if path.is_file()), None)


def _base(project: Path | None) -> Path:
    """The parent of the config/ folder in use: the user's own, or else the project's."""
    named = Path(os.environ.get("LUIGI_CONFIG_PATH", "")).absolute()
    for file in (named, project):
        if file is not None and file.parent.name == "config":
            return file.parent.parent
    return Path.cwd()


def _put_behind(path: Path) -> None:
    ours = configparser.ConfigParser(interpolation=None)
    ours.optionxform = str  # type: ignore[assignment,method-assign]
    with path.open() as stream:
        ours.read_file(stream)
    config = get_config()
    for section in ours.sections():
        for option, value in ours.items(section):
            if not config.has_option(section, option):
                config.set(section, option, value)


def path(text: str, **values: object) -> Path:
    """A configured path; `{date}` and the like take their values."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return origin.base / Path(text).expanduser()


def scheduler_place() -> tuple[str, int]:
    """Where luigid is to be found."""
    config = get_config()
    return config.get("core", "scheduler_host"), config.getint("core", "scheduler_port")


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())
