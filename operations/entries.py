"""Which night is meant: the pipeline's name, its date and its own parameters."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any

import click
import luigi

import pipelines
from pipelines import clock
from pipelines.night import Entry
from pipelines.step import Step

PIPELINES: dict[str, type[Entry]] = {name: getattr(pipelines, name) for name in pipelines.__all__}


def pipeline_named(_context: click.Context, _parameter: click.Parameter, name: str) -> type[Entry]:
    if name in PIPELINES:
        return PIPELINES[name]
    raise click.BadParameter(f"{name!r} is not a pipeline. {near(name, PIPELINES)}")


def day_named(_context: click.Context, _parameter: click.Parameter, name: str) -> date:
    """YYYY-MM-DD, or yesterday in the configured time zone."""
    if name == "yesterday":
        return datetime.now(clock.zone()).date() - timedelta(days=1)
    try:
        return date.fromisoformat(name)
    except ValueError:
        raise click.BadParameter(f"{name!r} is not a date (YYYY-MM-DD or yesterday).") from None


def step_named(entry: Entry, name: str) -> type[Step]:
    """The step of that name, or of that number in the legacy job's status file.

    A number means the earliest step in our order that had this flag or a later one: every step
    that the legacy job would have done again is done again.
    """
    steps = {kind.__name__: kind for kind in entry.steps()}
    if name in steps:
        return steps[name]
    if name.isdecimal():
        for kind in steps.values():
            if kind.legacy_flag is not None and kind.legacy_flag >= int(name):
                return kind
        flags = (f"{kind.legacy_flag} {step}" for step, kind in steps.items() if kind.legacy_flag)
        raise click.BadParameter(
            f"{entry.task_family} has no step of flag {name} or higher. "
            f"There are: {', '.join(flags)}."
        )
    raise click.BadParameter(f"{entry.task_family} has no step {name!r}. {near(name, steps)}")


def near(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.3)
    return f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}."


def _own_parameters() -> dict[str, luigi.Parameter]:
    """The parameters that pipelines have beside the date, whichever pipeline has them."""
    found = {}
    for kind in PIPELINES.values():
        found.update(dict(kind.get_params()))
    del found["date"], found["stored_only"]
    return found


def own_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """PIPELINE and the pipelines' own parameters; the command gets `kind` and `own`."""

    @functools.wraps(command)
    def with_own(name: type[Entry], **options: Any) -> Any:
        given = {key: options.pop(key) for key in _own_parameters()}
        return command(kind=name, own=_parsed(name, given), **options)

    for key, parameter in _own_parameters().items():
        # A flag comes as text like the others, for the parameter to parse.
        flag = isinstance(parameter, luigi.BoolParameter)
        more: dict[str, Any] = (
            {"is_flag": True, "flag_value": "true", "default": None} if flag else {}
        )
        option = click.option(_flag(key), key, help=parameter.description, **more)
        with_own = option(with_own)
    return click.argument("name", callback=pipeline_named, metavar="PIPELINE")(with_own)


def night_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """PIPELINE, --date and the pipelines' own parameters; the command gets an `entry`."""

    @functools.wraps(command)
    def with_entry(kind: type[Entry], own: dict[str, Any], date: date, **options: Any) -> Any:
        return command(entry=kind(date=date, **own), **options)

    day = click.option("--date", callback=day_named, required=True, help="YYYY-MM-DD or yesterday.")
    return day(own_options(with_entry))


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _parsed(kind: type[Entry], given: dict[str, str | None]) -> dict[str, Any]:
    """The parameters that were given, checked to be ones that this pipeline has."""
    known = dict(kind.get_params())
    parsed = {}
    for key, value in given.items():
        if value is None:
            continue
        if key not in known:
            raise click.UsageError(f"{kind.__name__} has no {_flag(key)}.")
        try:
            parsed[key] = known[key].parse(value)
        except ValueError as error:
            raise click.BadParameter(f"{_flag(key)} {value!r}: {error}") from error
    return parsed
