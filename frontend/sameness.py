"""Whether two modules are the same up to their weights: same code, same configuration, same shapes.

Layers know their own number, and most only to find their cache. Whole numbers may differ, then; `Watched` stands in
for them while the first of the modules runs, and tells if the number decided anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import FunctionType
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

_CONTENTS = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")
_PLAIN = (int, float, str, bytes, bool, type(None), torch.dtype, torch.device, torch.Size)
Attribute = tuple[str, str]  # of a module within the layer, and of its attribute


class NumberUsed(Exception):
    """A layer computed something from its own number."""


class Watched:
    """Stands in for a number that may be stored, handed on and compared with None, and nothing else.

    `shared` lets it pick a layer's own part of what layers share.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def _used(self, *_: object, **__: object) -> NoReturn:
        raise NumberUsed

    __class__ = property(_used)
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __mod__ = __rmod__ = _used
    __floordiv__ = __truediv__ = __rtruediv__ = __pow__ = __neg__ = __abs__ = _used
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __hash__ = _used
    __index__ = __int__ = __float__ = __bool__ = __str__ = __repr__ = __format__ = _used
    __getattr__ = __call__ = __iter__ = __len__ = _used


def numbers_apart(first: nn.Module, other: nn.Module) -> frozenset[Attribute] | None:
    """The whole numbers in which two modules differ; None where they differ in anything else but weights."""
    ours, theirs = list(first.named_modules()), list(other.named_modules())
    if [name for name, _ in ours] != [name for name, _ in theirs] or _ties(first) != _ties(other):
        return None
    found: set[Attribute] = set()
    for (name, a), (_, b) in zip(ours, theirs, strict=True):
        differing = _own_numbers_apart(a, b)
        if differing is None:
            return None
        found |= {(name, attribute) for attribute in differing}
    return frozenset(found)


def _own_numbers_apart(a: nn.Module, b: nn.Module) -> list[str] | None:
    if type(a) is not type(b) or _shapes(a) != _shapes(b):
        return None
    mine, its = vars(a), vars(b)
    if mine.keys() != its.keys():
        return None
    different = [
        key for key in mine if key not in _CONTENTS and not _equal(mine[key], its[key], "hooks" in key)
    ]
    numbers = all(type(mine[key]) is int and type(its[key]) is int for key in different)
    return different if numbers else None


def _equal(a: object, b: object, hooks: bool, met: frozenset[tuple[int, int]] = frozenset()) -> bool:
    """Whether an attribute is the same; hooks must be none. Pairs that have been `met` are being compared."""
    if hooks:
        return not a and not b
    if a is b or (id(a), id(b)) in met:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, _PLAIN):
        return a == b
    met |= {(id(a), id(b))}
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key], False, met) for key in a)
    if isinstance(a, set | frozenset) and isinstance(b, set | frozenset):
        return all(isinstance(member, _PLAIN) for member in (*a, *b)) and a == b
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_equal(x, y, False, met) for x, y in zip(a, b, strict=True))
    if isinstance(a, partial) and isinstance(b, partial):
        return _equal((a.func, a.args, a.keywords), (b.func, b.args, b.keywords), False, met)
    return is_plain_object(a) and _equal(vars(a), vars(b), False, met)


class _Plain:
    """An object of a class of its own has its attributes, and nothing hidden beside them."""


def is_plain_object(value: object) -> bool:
    """Whether all that an object holds are its attributes: no module, tensor, function or class."""
    kind = type(value)
    return (
        kind.__basicsize__ == _Plain.__basicsize__
        and hasattr(value, "__dict__")
        and not isinstance(value, type | FunctionType | nn.Module | Tensor)
        and not any(vars(base).get("__slots__") for base in kind.__mro__)
    )


def _shapes(module: nn.Module) -> list[object]:
    """Names and types of a module's own parameters and buffers."""
    return [
        (name, None if t is None else (t.shape, t.dtype, t.device, t.requires_grad, type(t)))
        for name, t in _own(module)
    ]


def _own(module: nn.Module) -> Iterator[tuple[str, Tensor | None]]:
    yield from module._parameters.items()
    yield from module._buffers.items()


def _ties(module: nn.Module) -> list[int]:
    """For each tensor of a module, the number of the first place where it stands."""
    places: dict[int, int] = {}
    tensors: list[Any] = [t for part in module.modules() for _, t in _own(part) if t is not None]
    return [places.setdefault(id(tensor), number) for number, tensor in enumerate(tensors)]
