"""Which function lowers which ATen operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from wsc.frontend.lower.value import Lowered

Lowering = Callable[
    ..., Lowered
]  # of a Call and of the operation's own arguments, as ATen's schema orders them
_F = TypeVar("_F", bound=Lowering)
_LOWERINGS: dict[str, Lowering] = {}


class Unsupported(Exception):
    """What a lowering raises for arguments it cannot take; the message says which, in a few words."""


def lowering(*targets: str) -> Callable[[_F], _F]:
    """Registers a function as the lowering of operations such as `aten.linear.default`."""

    def register(function: _F) -> _F:
        for target in targets:
            if target in _LOWERINGS:
                raise ValueError(f"{target} has two lowerings")
            _LOWERINGS[target] = function
        return function

    return register


def find_lowering(target: str) -> Lowering | None:
    """The lowering of an operation, if there is one."""
    return _LOWERINGS.get(target)


def lowered_targets() -> frozenset[str]:
    """Every operation that has a lowering; export keeps these whole."""
    return frozenset(_LOWERINGS)
