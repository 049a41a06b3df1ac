"""Values that do not depend on the inputs, kept beside the tensors without data that torch.export traces with.

A model may ask for such a value to decide what to do next, as whether a mask that it has made of ones masks anything.
torch.export cannot tell; here the question is answered by what eager would answer, whatever the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils.weak import WeakIdKeyDictionary

_READS = frozenset({"item", "tolist", "__bool__", "__int__", "__float__", "__index__", "__format__"})
_RANDOM = ("rand", "normal", "bernoulli", "dropout", "multinomial", "empty", "uniform", "exponential")
_SIZED = frozenset(
    {
        "repeat",
        "expand",
        "view",
        "reshape",
        "arange",
        "zeros",
        "ones",
        "full",
        "narrow",
        "split",
        "pad",
        "interpolate",
    }
)
_OF_ANY_SIZE = frozenset({"unique", "unique_consecutive"})  # what is as large as its values say
_UNKNOWN = object()
_LARGEST = 2**20  # elements of a value that is kept


class KnownValues(TorchFunctionMode):
    """While it is entered, answers what a module asks of values that do not depend on its inputs and weights."""

    def __init__(self) -> None:
        super().__init__()
        self._known: WeakIdKeyDictionary = WeakIdKeyDictionary()

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """The call itself, or what a known value answers to it."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _READS and args and args[0] in self._known:
            with _disable_current_modes():
                return func(self._known[args[0]], *args[1:], **kwargs)
        if name == "__iter__" and self._is_held(args[0]):
            return iter(self.__torch_function__(torch.unbind, types, (args[0],)))
        if name in ("__getitem__", "__setitem__"):
            args = (args[0], self._spelled(args[1]), *args[2:])
        elif name in _SIZED:
            args, kwargs = pytree.tree_map(self._number, (args, kwargs))
        elif name == "repeat_interleave" and self._is_held(repeats := _repeats(args, kwargs)):
            with _disable_current_modes():
                kwargs = {**kwargs, "output_size": int(self._known[repeats].sum())}
        elif name in _OF_ANY_SIZE and (real := self._real(func, args, kwargs)) is not _UNKNOWN:
            return pytree.tree_map_only(Tensor, lambda value: self._constant(value, args[0].device), real)
        elif name in ("where", "nonzero") and len(args) == 1 and self._is_mask(args[0]):
            as_tuple = name == "where" or kwargs.get("as_tuple")
            found = self._places(args[0])
            return found if as_tuple else torch.stack(found, 1)
        found = func(*args, **kwargs)
        if name == "__setitem__" or (name.endswith("_") and not name.endswith("__")) or "out" in kwargs:
            self._changed(func, args, kwargs)
        elif any(_has_no_data(leaf) for leaf in pytree.tree_leaves(found)):
            self._keep(func, name, args, kwargs, found)
        return found

    def hold(self, tensor: Tensor, value: Tensor) -> None:
        """Take a tensor to have this value, whatever the inputs."""
        self._known[tensor] = value

    def is_known(self, value: object) -> bool:
        """Whether a tensor has a value that depends on no input."""
        return value in self._known

    def _spelled(self, index: Any) -> Any:
        """An index with numbers in place of known tensors that hold one, and places in place of known masks."""
        found: list[Any] = []
        for part in index if isinstance(index, tuple) else (index,):
            if isinstance(part, Tensor) and part.dtype == torch.bool and self._is_mask(part):
                found += self._places(part)
            else:
                found.append(self._number(part))
        return tuple(found) if isinstance(index, tuple) or len(found) > 1 else found[0]

    def _number(self, leaf: Any) -> Any:
        """The number that a known tensor holds, which torch would ask for itself, and not get."""
        one = isinstance(leaf, Tensor) and leaf.dim() == 0 and leaf.dtype in (torch.int64, torch.int32)
        return int(self._known[leaf]) if one and leaf in self._known else leaf

    def _is_mask(self, value: object) -> bool:
        return isinstance(value, Tensor) and value.dim() > 0 and value in self._known

    def _is_held(self, value: object) -> bool:
        return isinstance(value, Tensor) and value in self._known

    def _places(self, mask: Tensor) -> tuple[Tensor, ...]:
        """The places along each dimension where a known mask is true."""
        with _disable_current_modes():
            real = [index.tolist() for index in self._known[mask].nonzero(as_tuple=True)]
        found = tuple(torch.tensor(index, dtype=torch.int64, device=mask.device) for index in real)
        for tensor, index in zip(found, real, strict=True):
            with _disable_current_modes():
                self._known[tensor] = torch.tensor(index, dtype=torch.int64)
        return found

    def _constant(self, value: Tensor, device: torch.device) -> Tensor:
        """A tensor of known numbers."""
        with _disable_current_modes():
            real = value.tolist()
        found = torch.tensor(real, dtype=value.dtype, device=device)
        self._known[found] = value
        return found

    def _keep(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any, found: Any) -> None:
        made = [leaf for leaf in pytree.tree_leaves(found) if isinstance(leaf, Tensor)]
        if any(word in name for word in _RANDOM) or not all(_is_small(tensor) for tensor in made):
            return
        real = self._real(func, args, kwargs)
        for tensor, value in zip(made, pytree.tree_leaves(real), strict=False):
            if isinstance(value, Tensor) and value.shape == tensor.shape and value.dtype == tensor.dtype:
                self._known[tensor] = value

    def _changed(self, func: Callable[..., Any], args: Any, kwargs: Any) -> None:
        """A call that changes an argument: its value changes too, or is known no more, nor what shares its memory."""
        targets = [t for t in (args[0] if args else None, kwargs.get("out")) if isinstance(t, Tensor)]
        targets = [target for target in targets if target in self._known]
        if not targets or self._real(func, args, kwargs) is not _UNKNOWN:
            return
        memory = {self._known[target].untyped_storage().data_ptr() for target in targets}
        lost = [t for t, value in self._known.items() if value.untyped_storage().data_ptr() in memory]
        for tensor in lost:
            del self._known[tensor]

    def _real(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """What the call gives for known values; _UNKNOWN where an argument is not."""
        if not all(self._is_known(leaf) for leaf in pytree.tree_leaves((args, kwargs))):
            return _UNKNOWN
        real_args, real_kwargs = pytree.tree_map(self._value, (args, kwargs))
        try:
            with _disable_current_modes(), torch.no_grad():
                return func(*real_args, **real_kwargs)
        except Exception:  # nothing depends on a value that is not kept
            return _UNKNOWN

    def _is_known(self, leaf: object) -> bool:
        if isinstance(leaf, Tensor):
            return leaf in self._known
        return not isinstance(leaf, torch.SymInt | torch.SymFloat | torch.SymBool)

    def _value(self, leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            return self._known[leaf]
        return torch.device("cpu") if isinstance(leaf, torch.device) else leaf


def _repeats(args: Any, kwargs: Any) -> object:
    """How often each element is repeated: the second argument, or the only one."""
    return kwargs.get("repeats", args[1] if len(args) > 1 else args[0] if args else None)


def _has_no_data(leaf: object) -> bool:
    if not isinstance(leaf, Tensor) or isinstance(leaf, torch.nn.Parameter):
        return False
    return type(leaf) is not Tensor or leaf.is_meta


def _is_small(tensor: Tensor) -> bool:
    sizes: Iterator[object] = iter(tensor.shape)
    return all(type(size) is int for size in sizes) and tensor.numel() <= _LARGEST
