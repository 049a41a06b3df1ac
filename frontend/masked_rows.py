"""Rows that a mask picks, as all rows with the mask beside them: mixtures of experts written as loops over experts.

Such a loop asks which tokens chose an expert (`torch.where(mask)`), computes with these rows alone, and adds them back
(`index_add_`), so that every shape depends on values. Here the rows are all places of the mask; what is computed for
those that it leaves out is dropped where rows are put back. That is the same only while each row is computed by
itself: operations known to do so are let through, every other one over such rows is refused.

A loop over the experts that any token chose, `for e in (counts > 0).nonzero()`, runs over all of them: one that no
token chose has no rows, and nothing else is taken to happen for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils.weak import WeakIdKeyDictionary

from wsc.frontend.places import place_of_call
from wsc.frontend.row_rules import OF_MATRICES, Count, changes, kept, refuse

_ASKED = frozenset({"dim", "is_floating_point", "is_complex", "get_device", "get"})  # "get": of attributes
_COUNTING = frozenset({"sum", "any", "bincount", "count_nonzero"})
# What may be done with the numbers of the experts that any token chose, beside walking through them.
_SHAPING = frozenset({"squeeze", "flatten", "reshape", "view", "getitem"})
_PICKING = frozenset({"where", "nonzero", "getitem", "setitem"})  # what picks rows, or reads or writes them
_OF_SIZES = frozenset(
    {"view", "reshape", "zeros", "ones", "empty", "new_zeros", "new_ones", "new_empty", "expand"}
)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Which dimension of a tensor, counted from the back, has the rows, and which of them are picked."""

    back: int
    picked: Tensor

    def are(self, other: _Rows) -> bool:
        """Whether these are the same rows at the same place."""
        return self.back == other.back and self.picked is other.picked


class MaskedRows(TorchFunctionMode):
    """While it is entered, within `KnownValues`, rows that a mask of unknown values picks are all rows."""

    def __init__(self, is_known: Callable[[object], bool]) -> None:
        super().__init__()
        self._is_known = is_known
        self._rows: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self._from: WeakIdKeyDictionary = WeakIdKeyDictionary()  # where in the user's code a mask picked them
        self._spelled: WeakIdKeyDictionary = WeakIdKeyDictionary()  # the places of a mask, and its version
        self._counts: WeakIdKeyDictionary = (
            WeakIdKeyDictionary()
        )  # integers that count, whether they are above 0
        self._every: WeakIdKeyDictionary = WeakIdKeyDictionary()  # numbers of all experts, for those chosen
        self._each: WeakIdKeyDictionary = WeakIdKeyDictionary()  # one of these numbers
        self._first: WeakIdKeyDictionary = WeakIdKeyDictionary()  # the first of masks that are computed alike
        self._masks: dict[
            object, tuple[Tensor, object]
        ] = {}  # by call; with what it read, to keep that alive

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """The call itself, or the same over all rows."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").strip("_")
        if name not in _PICKING and not (self._rows or self._every or self._each):
            found = func(*args, **kwargs)
            self._note(name, args, found)
            return found
        leaves = pytree.tree_leaves((args, kwargs))
        given = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        if name not in _OF_SIZES and any(isinstance(leaf, Count) for leaf in leaves):
            Count()._used()
        if name == "where" and len(given) == len(args) == 1 and self._is_mask(given[0]):
            return self._places(given[0])
        if name == "nonzero" and self._is_mask(args[0]):
            return self._nonzero(func, args, kwargs)
        if name == "getitem" and self._is_index(args[1]):
            return self._read(func, *args)
        if name == "setitem" and self._is_index(args[1]):
            return self._write(func, *args)
        if any(tensor in self._rows for tensor in given):
            return self._over_rows(func, name, args, kwargs, [t for t in given if t in self._rows])
        if any(tensor in self._every for tensor in given):
            return self._of_every(func, name, args, kwargs)
        if any(tensor in self._each for tensor in given):
            self._check_each(name, args)
        found = func(*args, **kwargs)
        self._note(name, args, found)
        return found

    def check(self, result: object) -> None:
        """Raise RowsTogether where a model gives rows that a mask picks: how many they are depends on values."""
        for leaf in pytree.tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf in self._rows:
                refuse(f"the model returns those of {self._from[self._rows[leaf].picked]}")
            if isinstance(leaf, Tensor) and leaf in self._every:
                refuse("the model returns the numbers of those that were chosen")

    def _check_each(self, name: str, args: Any) -> None:
        """Of one of all experts only its mask and its weights are read: what else is read, is read of those chosen."""
        others = name == "getitem" and args[0] not in self._each and not isinstance(args[0], nn.Parameter)
        if others and args[0].is_floating_point():
            refuse("something else is read by the number of one that was chosen")

    def _note(self, name: str, args: Any, found: Any) -> None:
        """Remember what counts, and what asks whether counts are above 0."""
        if not isinstance(found, Tensor) or found.is_floating_point():
            return
        asks = name in ("gt", "greater", "ne") and args[0] in self._counts and args[1] == 0
        if found.dim() == 1 and (name in _COUNTING or asks):
            self._counts[found] = asks or name == "any"
        if found.dtype == torch.bool:
            call = (name, *(_told(argument) for argument in args))
            self._first[found] = self._masks.setdefault(call, (found, args))[0]

    def _of_every(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
        found = func(*args, **kwargs)
        if name in _SHAPING and args[0] in self._every:
            self._every[found] = True
        elif name == "unbind":
            self._each.update((number, True) for number in found)
        elif name not in ("tolist", "get", "dim"):
            refuse(f"'{name}' takes the numbers of those that were chosen")
        return found

    def _is_mask(self, value: object) -> bool:
        return isinstance(value, Tensor) and value.dim() > 0 and not self._is_known(value)

    def _places(self, mask: Tensor) -> tuple[Tensor, ...]:
        """The index along each dimension of every place of a mask, in order."""
        if self._counts.get(mask):
            every = torch.arange(len(mask))
            self._every[every] = True
            return (every,)
        mask = self._first.get(mask, mask)
        found: tuple[Tensor, ...]
        version, found = self._spelled.get(mask, (-1, ()))
        if version != mask._version:
            picked = mask.reshape(-1).bool()
            self._from[picked] = place_of_call()
            grids = torch.meshgrid(*(torch.arange(extent) for extent in mask.shape), indexing="ij")
            found = tuple(grid.reshape(-1).to(mask.device) for grid in grids)
            for index in found:
                self._rows[index] = _Rows(1, picked)
            self._spelled[mask] = (mask._version, found)
        return found

    def _nonzero(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if kwargs.get("as_tuple") or (len(args) > 1 and args[1]):
            return self._places(args[0])
        if not self._counts.get(args[0]):
            return func(*args, **kwargs)
        (every,) = self._places(args[0])
        return self._of_every(torch.Tensor.reshape, "reshape", (every, (-1, 1)), {})

    def _is_index(self, index: object) -> bool:
        """Whether an index picks rows by a mask, or by what came of one."""
        parts = index if isinstance(index, tuple) else (index,)
        return any(isinstance(p, Tensor) and (p in self._rows or self._picks(p)) for p in parts)

    def _picks(self, part: Tensor) -> bool:
        return part.dtype == torch.bool and self._is_mask(part)

    def _with_places(self, index: Any) -> tuple[Any, ...]:
        """An index with places instead of masks."""
        found: list[Any] = []
        for part in index if isinstance(index, tuple) else (index,):
            found += self._places(part) if isinstance(part, Tensor) and self._picks(part) else [part]
        return tuple(found)

    def _of_index(self, index: tuple[Any, ...]) -> _Rows:
        marks = [self._rows[p] for p in index if isinstance(p, Tensor) and p in self._rows]
        if not marks:
            refuse("an index is of those that were chosen")
        if not all(mark.are(marks[0]) for mark in marks):
            refuse("an index is made of two masks")
        return _Rows(1, marks[0].picked)

    def _read(self, func: Callable[..., Any], x: Tensor, index: Any) -> Tensor:
        """Rows at places that a mask picks: those of all its places."""
        index = self._with_places(index)
        rows = self._of_index(index)
        if x in self._rows or any(i is Ellipsis for i in index):
            refuse("some of them are picked again")
        places = [at for at, part in enumerate(index) if isinstance(part, Tensor)]
        if places != list(range(places[0], places[-1] + 1)):
            refuse("the tensors of an index stand apart")
        found: Tensor = func(x, index)
        before = sum(not isinstance(part, int) for part in index[: places[0]])
        self._rows[found] = _Rows(found.dim() - before, rows.picked)
        return found

    def _write(self, func: Callable[..., Any], x: Tensor, index: Any, value: Any) -> None:
        """Rows, or one value, put at places that a mask picks; others stay, and a place picked twice has the sum."""
        index = self._with_places(index)
        rows = self._of_index(index)
        flat, place = self._flattened(x, index)
        hit = torch.zeros(len(flat), device=x.device).index_add(0, place, rows.picked.float()) > 0
        if isinstance(value, Tensor) and value.dim():
            if value not in self._rows or not self._rows[value].are(_Rows(value.dim(), rows.picked)):
                refuse("what is put back is not of the same mask")
            source = _picked_only(value.to(x.dtype), rows.picked).expand(len(place), *flat.shape[1:])
            value = torch.zeros_like(flat).index_add(0, place, source)
        after = torch.where(hit.reshape(-1, *(1,) * (flat.dim() - 1)), value, flat)
        func(x, Ellipsis, after.reshape(x.shape).to(x.dtype))

    def _flattened(self, x: Tensor, index: tuple[Any, ...]) -> tuple[Tensor, Tensor]:
        """The tensor with the dimensions of an index as one, and the place of each row along it."""
        if not all(isinstance(part, Tensor) for part in index):
            refuse("they are put back beside a slice")
        place = index[0]
        for part, extent in zip(index[1:], x.shape[1:], strict=False):
            place = place * extent + part
        return x.reshape(-1, *x.shape[len(index) :]), place

    def _over_rows(
        self, func: Callable[..., Any], name: str, args: Any, kwargs: Any, marked: list[Tensor]
    ) -> Any:
        first = self._rows[marked[0]]
        if name in _ASKED:
            return self._asked(func, args, kwargs)
        if name in ("numel", "size"):
            return self._size(name, args, kwargs)
        if name == "index_add":
            return self._added(func, args, kwargs)
        if name in OF_MATRICES and len(marked) > 1:
            refuse(f"'{name}' sums over them")
        if (changes(func.__name__) and args[0] not in self._rows) or not all(
            self._rows[t].are(first) for t in marked
        ):
            refuse(f"'{name}' takes them with what is not of the same mask")
        found = func(*args, **kwargs)
        back = kept(name, args, kwargs, marked[0], found, first.back)
        for leaf in pytree.tree_leaves(found):
            if isinstance(leaf, Tensor):
                self._rows[leaf] = _Rows(back, first.picked)
        return found

    def _added(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Rows added at places that a mask picks: of those it leaves out, zeros."""
        dim, index, source = (
            args[i] if len(args) > i else kwargs.pop(key)
            for i, key in enumerate(("dim", "index", "source"), 1)
        )
        if dim or index not in self._rows or source not in self._rows or args[0] in self._rows:
            refuse("'index_add' takes them with what is not of the same mask")
        picked = self._rows[index].picked
        if not self._rows[source].are(_Rows(source.dim(), picked)):
            refuse("'index_add' takes them with what is not of the same mask")
        return func(args[0], 0, index, _picked_only(source, picked), *args[4:], **kwargs)

    def _asked(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """An attribute: sizes with the count of rows marked as such."""
        found = func(*args, **kwargs)
        if any(isinstance(leaf, Tensor) for leaf in pytree.tree_leaves(found)):
            refuse("an attribute shows them in another way")
        return self._counted(args[0], found) if isinstance(found, torch.Size) else found

    def _size(self, name: str, args: Any, kwargs: Any) -> Any:
        x = args[0]
        if name == "numel":
            return Count(x.shape.numel())
        sizes = self._counted(x, tuple(x.shape))
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        return sizes if dim is None else sizes[dim]

    def _counted(self, x: Tensor, sizes: tuple[int, ...]) -> tuple[int, ...]:
        at = x.dim() - self._rows[x].back
        return tuple(Count(n) if d == at else n for d, n in enumerate(sizes))


def _told(argument: object) -> object:
    """What tells an argument from another, and from itself when it has changed."""
    if isinstance(argument, Tensor):
        return id(argument), argument._version
    return type(argument), repr(argument)


def _picked_only(source: Tensor, picked: Tensor) -> Tensor:
    """Rows, with zeros for those that a mask leaves out."""
    nothing = torch.zeros((), dtype=source.dtype, device=source.device)
    return torch.where(picked.reshape(-1, *(1,) * (source.dim() - 1)), source, nothing)
