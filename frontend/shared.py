"""Objects that all layers are called with and each uses its own part of, as they do with a cache.

A layer finds its part by its number: element `number` of a list that the object holds. While the first of equal layers
runs, that part is lent to it alone, over tensors that stand for any layer's; whatever else it asks of the list raises
NumberUsed. What the layer leaves in the part is what its equals leave in theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from wsc.frontend.sameness import NumberUsed, Watched, is_plain_object


class _Lent(list[Any]):
    """Stands in for a list of parts: only the layer's own can be read, and only by its number."""

    def __getitem__(self, index: Any) -> Any:
        if type(index) is not Watched:
            raise NumberUsed
        return super().__getitem__(object.__getattribute__(index, "number"))

    def _used(self, *_: object, **__: object) -> NoReturn:
        raise NumberUsed

    __iter__ = __reversed__ = __setitem__ = __delitem__ = __contains__ = __eq__ = __ne__ = _used
    __add__ = __iadd__ = __mul__ = __imul__ = _used
    append = extend = insert = pop = remove = clear = sort = reverse = index = count = copy = _used


@dataclass(frozen=True)
class Part:
    """What an object holds for one layer: an element of one of its lists."""

    owner: Any
    attribute: str
    number: int
    element: Any

    @property
    def state(self) -> dict[str, Any]:
        """The element's attributes."""
        state: dict[str, Any] = vars(self.element)
        return state


def parts_of(owner: object, number: int | None) -> list[Part]:
    """What an object holds for the layer of this number; none where it is not of that kind."""
    if number is None or not is_plain_object(owner):
        return []
    return [
        Part(owner, attribute, number, value[number])
        for attribute, value in vars(owner).items()
        if type(value) is list and number < len(value) and is_plain_object(value[number])
    ]


def rest_of(owner: object) -> tuple[object, ...]:
    """What tells an object from another, and from itself when it has changed, but for its lists' elements."""
    return (
        id(owner),
        *((k, len(v)) if type(v) is list else (k, id(v), type(v)) for k, v in vars(owner).items()),
    )


@contextmanager
def lent(parts: Sequence[Part], states: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """While a layer runs: its parts are copies with other attributes, which are given, and as it leaves them."""
    copies = []
    for part, state in zip(parts, states, strict=True):
        copy = object.__new__(type(part.element))
        vars(copy).update(state)
        copies.append(copy)
    kept = [vars(part.owner)[part.attribute] for part in parts]
    for part, whole, copy in zip(parts, kept, copies, strict=True):
        others: list[Any] = [None] * len(whole)
        others[part.number] = copy
        vars(part.owner)[part.attribute] = _Lent(others)
    lists = [vars(part.owner)[part.attribute] for part in parts]
    try:
        yield [vars(copy) for copy in copies]
        if any(vars(p.owner)[p.attribute] is not own for p, own in zip(parts, lists, strict=True)):
            raise NumberUsed
    finally:
        for part, whole in zip(parts, kept, strict=True):
            vars(part.owner)[part.attribute] = whole
