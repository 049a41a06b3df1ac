"""Finds targets: a folder here with a `target.py`, or an installed package's entry point in the group `wsc.targets`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from wsc.backends.target import Target
from wsc.compiler.errors import InternalError, MachineError, UnknownTarget

GROUP = "wsc.targets"


@dataclass(frozen=True)
class Selection:
    """A target and one of its machines, with the file that describes it."""

    target: Target
    machine: Any
    path: Path


@cache
def targets() -> dict[str, Target]:
    """Every target by name; raises InternalError where two have one name."""
    folders = sorted(p.parent.name for p in Path(__file__).parent.glob("*/target.py"))
    built_in = [import_module(f"wsc.backends.{folder}.target").TARGET for folder in folders]
    return by_name([*built_in, *_from_entry_points(entry_points(group=GROUP))])


def by_name(found: Iterable[Target]) -> dict[str, Target]:
    """Targets by name; raises InternalError where two have one name."""
    named: dict[str, Target] = {}
    for target in found:
        if target.name in named:
            raise InternalError(
                f"two targets are called '{target.name}': {named[target.name]!r} and {target!r}"
            )
        named[target.name] = target
    return named


def _from_entry_points(points: Iterable[EntryPoint]) -> list[Target]:
    return [point.load() for point in points]


def machine_names() -> dict[str, str]:
    """Every shipped machine and the target it belongs to, sorted; raises InternalError for a name given twice."""
    named: dict[str, str] = {}
    for target in targets().values():
        for machine in target.machines():
            if machine in named:
                raise InternalError(
                    f"targets '{named[machine]}' and '{target.name}' both have a machine '{machine}'"
                )
            named[machine] = target.name
    return dict(sorted(named.items()))


def select(name: str) -> Selection:
    """The machine called `name`, or described by the file `name` (with `target = "..."`); raises UnknownTarget."""
    if name.endswith(".toml"):
        return _from_file(Path(name))
    known = machine_names()
    if name not in known:
        close = get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise UnknownTarget(
            f"there is no target '{name}'.{hint} Known targets: {', '.join(known)}; or give the path of a machine file."
        )
    target = targets()[known[name]]
    path = target.machines()[name]
    return Selection(target, target.machine(path), path)


def _from_file(path: Path) -> Selection:
    try:
        kind = tomllib.loads(path.read_text(encoding="utf-8")).get("target")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MachineError(f"cannot read the machine file {path}: {error}") from error
    if kind not in targets():
        raise UnknownTarget(
            f'the machine file {path} must say which target it is for, as target = "..." at its top; '
            f"known targets: {', '.join(sorted(targets()))}"
        )
    target = targets()[str(kind)]
    return Selection(target, target.machine(path), path)
