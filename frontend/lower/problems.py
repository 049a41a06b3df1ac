"""What cannot be lowered, gathered over the whole model and said at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsc.compiler.errors import UnsupportedModel
from wsc.compiler.ir.graph import Location


@dataclass(frozen=True)
class Problem:
    """One call that cannot be lowered, and why, in a few words."""

    target: str
    reason: str
    location: Location


def unsupported_model(name: str, problems: Sequence[Problem]) -> UnsupportedModel:
    """The error that lists each distinct operation with the first place where it stands and how many there are."""
    groups: dict[tuple[str, str], list[Location]] = {}
    for problem in problems:
        groups.setdefault((problem.target, problem.reason), []).append(problem.location)
    lines = [_line(*group, places) for group, places in groups.items()]
    count = "1 operation" if len(lines) == 1 else f"{len(lines)} operations"
    return UnsupportedModel(
        f"'{name}' uses {count} that wsc cannot compile:\n"
        + "\n".join(lines)
        + "\nRewrite these lines with other operations, or leave them out of the module that is compiled."
    )


def _line(target: str, reason: str, places: Sequence[Location]) -> str:
    said = f"  {target} at {places[0]}"
    if len(places) > 1:
        said += f" and {len(places) - 1} more" + (" places" if len(places) > 2 else " place")
    return f"{said}: {reason}" if reason else said
