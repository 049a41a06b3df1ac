"""Finds targets: a folder here with a `target.py`, or an installed package's entry point in the group `wsc.targets`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from wsc.backends.target import Target
from wsc.compiler.errors import InternalError, MachineError, UnknownTarget, UserError

GROUP = "wsc.targets"


@dataclass(frozen=True)
class Selection:
    """A target and one of its machines, with the text of the file that describes it."""

    target: Target
    machine: Any
    text: str = field(repr=False)

    @staticmethod
    def of(target: Target, path: Path) -> Selection:
        """The machine that a file describes; raises MachineError."""
        machine = target.machine(path)
        return Selection(target, machine, path.read_text(encoding="utf-8"))


@cache
def targets() -> dict[str, Target]:
    """Every target by name; raises InternalError where two have one name, UserError for a package that cannot load."""
    folders = sorted(p.parent.name for p in Path(__file__).parent.glob("*/target.py"))
    built_in = [import_module(f"wsc.backends.{folder}.target").TARGET for folder in folders]
    return by_name([*built_in, *load_entry_points(entry_points(group=GROUP))])


def by_name(found: Iterable[Target]) -> dict[str, Target]:
    """Targets by name; raises InternalError where two have one name."""
    named: dict[str, Target] = {}
    for target in found:
        if target.name in named:
            raise InternalError(
                f"Two targets are called '{target.name}': {_home(named[target.name])} and {_home(target)}"
            )
        named[target.name] = target
    return named


def load_entry_points(points: Iterable[EntryPoint]) -> list[Target]:
    """The targets of installed packages; raises UserError for one that cannot be loaded or is no target."""
    return [_load(point) for point in points]


def _load(point: EntryPoint) -> Target:
    place = f"The target '{point.name}' of the installed package at {point.value}"
    try:
        target = point.load()
    except Exception as error:
        raise UserError(f"{place} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(target, Target):
        raise UserError(f"{place} is no wsc.backends.target.Target, but {type(target).__name__}")
    return target


def _home(target: Target) -> str:
    return f"{type(target).__module__}.{type(target).__qualname__}"


def machine_names() -> dict[str, str]:
    """Every shipped machine and the target it belongs to, sorted; raises InternalError for a name given twice."""
    return names_of_machines(targets().values())


def names_of_machines(found: Iterable[Target]) -> dict[str, str]:
    """The machines of these targets and the target of each, sorted; raises InternalError for a name given twice."""
    named: dict[str, str] = {}
    for target in found:
        for machine in target.machines():
            if machine in named:
                raise InternalError(
                    f"Targets '{named[machine]}' and '{target.name}' both have a machine '{machine}'"
                )
            named[machine] = target.name
    return dict(sorted(named.items()))


def select(name: str) -> Selection:
    """The machine called `name`, or described by the file `name` (which says `target = "..."`).

    Raises UnknownTarget with the machines there are, MachineError for a file that cannot be read.
    """
    if name.endswith(".toml"):
        return _from_file(Path(name))
    known = machine_names()
    if name not in known and (made := _made(name)) is not None:
        return made
    if name not in known:
        raise UnknownTarget(
            f"There is no target '{name}'.{_nearest(name, known)} Known targets: {', '.join(known)}; "
            "or give the path of a machine file, which ends in .toml."
        )
    target = targets()[known[name]]
    return Selection.of(target, target.machines()[name])


def _made(name: str) -> Selection | None:
    """A machine that some target makes from its name, such as a cluster of any number of GPUs."""
    for target in targets().values():
        found = target.named(name)
        if found is not None:
            return Selection(target, *found)
    return None


def _from_file(path: Path) -> Selection:
    try:
        kind = tomllib.loads(path.read_text(encoding="utf-8")).get("target")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MachineError(f"Cannot read the machine file {path}: {_reason(error)}.") from error
    if not isinstance(kind, str) or kind not in targets():
        said = (
            "does not say for which target it is" if kind is None else f"is for an unknown target, {kind!r}"
        )
        raise UnknownTarget(
            f'The machine file {path} {said}.{_nearest(str(kind), targets())} It must say target = "..." at its top, '
            f"with one of: {', '.join(sorted(targets()))}."
        )
    return Selection.of(targets()[kind], path)


def _nearest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name.lower(), known, n=1, cutoff=0.4)
    return f" Did you mean '{close[0]}'?" if close else ""


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
