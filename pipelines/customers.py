"""The customers and their files: `config/customers.toml`, checked as a whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines import configuration
from pipelines.parameters import PathParameter
from pipelines.settings import Section, section
from targets.errors import ConfigError

_OF_A_SET = {"folder": str, "far_folder": str, "pattern": str, "header": bool}
_OF_A_CUSTOMER = {"infonova": bool, "file_types": list}
_EXAMPLE = 'as in: [file_types.traffic] folder = "var/files/backup/traffic"'


@dataclass(frozen=True)
class FileSet:
    """The files of one type for one customer."""

    process_name: str
    customer: str
    folder: Path
    far_folder: str
    pattern: str
    header: bool


@dataclass(frozen=True)
class Customers:
    regular: frozenset[str]
    infonova: frozenset[str]
    file_sets: tuple[FileSet, ...]

    def group(self, customer: str) -> str:
        if customer in self.regular:
            return "regular"
        return "infonova" if customer in self.infonova else "unknown"


class customers(Section):
    file = PathParameter(description="file types and customers, as TOML")

    def problems(self) -> Iterator[str]:
        if self.file.is_file():  # where it is not, only those who need it are stopped
            try:
                content = _read(self.file)
            except ConfigError as error:
                yield f"[customers] file: {error.message}"
            else:
                yield from (f"{self.file.name}: {problem}" for problem in _problems(content))


def all_customers() -> Customers:
    """The customers, when there is nothing wrong with them."""
    content = _read(section(customers).file)
    named: Mapping[str, Any] = content["customers"]
    infonova = frozenset(name for name, keys in named.items() if keys.get("infonova"))
    return Customers(frozenset(named) - infonova, infonova, tuple(_file_sets(content)))


def in_words() -> str:
    known = all_customers()
    count = len(known.regular) + len(known.infonova)
    return f"{count} customers, {len(known.file_sets)} kinds of files"


def _file_sets(content: Mapping[str, Any]) -> Iterator[FileSet]:
    for customer, own in content["customers"].items():
        for kind in own.get("file_types", content["file_types"]):
            keys = {**content["file_types"][kind], **own.get(kind, {})}
            yield FileSet(
                kind,
                customer,
                configuration.path(keys["folder"], customer=customer),
                keys.get("far_folder", f"{kind}/{{customer}}").replace("{customer}", customer),
                keys["pattern"],
                keys.get("header", False),
            )


def _read(file: Path) -> Mapping[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        content: Mapping[str, Any] = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file} cannot be read: {error.strerror if isinstance(error, OSError) else error}.",
            "Name the file with your customers in [customers] file. Check it with: mnaas check",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}.") from error
    return content


def _problems(content: Mapping[str, Any]) -> Iterator[str]:
    """Everything that is wrong, each with the name that it is about."""
    kinds, named = content.get("file_types"), content.get("customers")
    for name in content:
        if name not in ("file_types", "customers"):
            yield f"[{name}] is not expected here; [file_types.*] and [customers.*] are."
    if not isinstance(kinds, dict) or not kinds:
        yield f"no file type, {_EXAMPLE}."
        return
    if not isinstance(named, dict) or not named:
        yield "no customer, as in: [customers.customer_0001]"
        return
    for kind, keys in kinds.items():
        yield from _problems_of_a_set(f"[file_types.{kind}]", keys)
        yield from (f"[file_types.{kind}] {key} is missing." for key in _missing(keys))
    found = [
        problem
        for customer, keys in named.items()
        for problem in _problems_of_a_customer(customer, keys, kinds)
    ]
    yield from found or _shared_far_folders(content)


def _shared_far_folders(content: Mapping[str, Any]) -> Iterator[str]:
    """Where two kinds of files share one, a copy could be written over by another file's."""
    first: dict[str, FileSet] = {}
    try:
        sets = list(_file_sets(content))
    except (KeyError, TypeError, AttributeError):
        return  # told above
    for each in sets:
        other = first.setdefault(each.far_folder, each)
        if other is not each:
            yield (
                f"[customers.{each.customer!r}] {each.process_name}: far_folder "
                f"{each.far_folder!r} is also that of {other.process_name} of {other.customer!r}; "
                "each needs its own, or one file would be written over another."
            )


def _missing(keys: Any) -> list[str]:
    return [key for key in ("folder", "pattern") if isinstance(keys, dict) and key not in keys]


def _problems_of_a_customer(customer: str, keys: Any, kinds: Mapping[str, Any]) -> Iterator[str]:
    where = f"[customers.{customer!r}]"
    if not _is_a_folder_name(customer):
        yield f"{where} is not a name for a customer: it becomes a folder on the edge node."
    if not isinstance(keys, dict):
        yield f"{where} = {keys!r}: a table is expected, such as {{}}."
        return
    for key, value in keys.items():
        if key in _OF_A_CUSTOMER:
            yield from _wrong_type(where, key, value, _OF_A_CUSTOMER[key])
        elif key in kinds:
            yield from _problems_of_a_set(f"[customers.{customer}.{key}]", value)
        else:
            known = ", ".join([*_OF_A_CUSTOMER, *kinds])
            yield f"{where} {key} is neither a key nor a file type; there are: {known}."
    listed = keys.get("file_types", [])
    for kind in listed if isinstance(listed, list) else ():
        if kind not in kinds:
            yield f"{where} file_types: {kind!r} is none of {', '.join(kinds)}."


def _problems_of_a_set(where: str, keys: Any) -> Iterator[str]:
    if not isinstance(keys, dict):
        yield f"{where} = {keys!r}: a table is expected."
        return
    for key, value in keys.items():
        if key not in _OF_A_SET:
            yield f"{where} {key} is not a key; there are: {', '.join(_OF_A_SET)}."
        else:
            yield from _wrong_type(where, key, value, _OF_A_SET[key])
    pattern, far = keys.get("pattern", "*"), keys.get("far_folder", "")
    if isinstance(pattern, str) and ("/" in pattern or not pattern):
        yield f"{where} pattern = {pattern!r} must be the name of files, without a folder."
    if isinstance(far, str) and (far.startswith("/") or ".." in PurePosixPath(far).parts):
        yield f"{where} far_folder = {far!r} must stay below the edge node's folder."


def _wrong_type(where: str, key: str, value: object, kind: type) -> Iterator[str]:
    if not isinstance(value, kind):
        words = {str: "text", bool: "true or false", list: "a list"}[kind]
        yield f"{where} {key} = {value!r} must be {words}."


def _is_a_folder_name(name: str) -> bool:
    return bool(name) and name[0] != "." and "/" not in name and name.isprintable()
