"""Which operations compute each row by itself, and what may be asked of how many rows there are."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NoReturn

from torch import Tensor

from wsc.compiler.errors import UnsupportedModel

# Each element of the result is made of the elements at its place, broadcast.
_POINTWISE = frozenset(
    (
        *(
            "add",
            "sub",
            "mul",
            "div",
            "truediv",
            "rsub",
            "radd",
            "rmul",
            "neg",
            "abs",
            "pow",
            "sqrt",
            "rsqrt",
        ),
        *("iadd", "isub", "imul", "itruediv", "true_divide"),
        *(
            "relu",
            "relu6",
            "leaky_relu",
            "gelu",
            "silu",
            "mish",
            "elu",
            "selu",
            "celu",
            "softplus",
            "hardswish",
        ),
        *(
            "sigmoid",
            "logsigmoid",
            "tanh",
            "exp",
            "log",
            "sin",
            "cos",
            "erf",
            "square",
            "reciprocal",
            "clamp",
            "clip",
        ),
        *("to", "type_as", "type", "float", "half", "bfloat16", "double", "contiguous", "clone", "detach"),
        *("dropout", "minimum", "maximum", "where", "masked_fill", "zeros_like", "ones_like", "hardsigmoid"),
    )
)
_ALONG = frozenset(
    {"softmax", "log_softmax", "sum", "mean", "amax", "amin", "chunk", "split", "norm", "normalize"}
)
OF_MATRICES = frozenset({"linear", "matmul", "mm"})
_OF_LAST = frozenset({"layer_norm", "rms_norm"})


class RowsTogether(UnsupportedModel):
    """Rows that a mask picks are computed in a way that may depend on which they are."""


class Count(int):
    """How many rows a mask picks, while nobody asks for more than whether it is nothing."""

    def _used(self, *_: object) -> NoReturn:
        raise RowsTogether(
            "The number of rows that a mask picks is used as a number, and it depends on values: count with "
            "mask.sum(), which stays a tensor."
        )

    def _compared(self, way: Callable[[int, Any], bool], other: Any) -> bool:
        return way(int.__index__(self), other) if other == 0 else self._used()

    def __eq__(self, other: object) -> bool:
        return self._compared(operator.eq, other)

    def __ne__(self, other: object) -> bool:
        return self._compared(operator.ne, other)

    def __gt__(self, other: Any) -> bool:
        return self._compared(operator.gt, other)

    def __lt__(self, other: Any) -> bool:
        return self._compared(operator.lt, other)

    __hash__ = int.__hash__
    __ge__ = __le__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _used
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __pow__ = __float__ = __int__ = (
        _used
    )


def kept(name: str, args: Any, kwargs: Any, x: Tensor, found: Any, back: int) -> int:
    """Where the rows are in a result, counted from the back; refuses what does not compute each by itself."""
    if name in _POINTWISE:
        return back
    if name in OF_MATRICES and args[0] is x and back > 1:
        return back
    if name in _OF_LAST and back > len(args[1] if len(args) > 1 else kwargs["normalized_shape"]):
        return back
    if name in _ALONG:
        dim = kwargs.get("dim", args[1] if len(args) > 1 and name not in ("chunk", "split") else None)
        dim = args[2] if name in ("chunk", "split") and len(args) > 2 else dim
        if isinstance(dim, int) and (dim - x.dim() if dim >= 0 else dim) != -back:
            smaller = isinstance(found, Tensor) and found.dim() < x.dim()
            after = dim % x.dim() > x.dim() - back
            return back - 1 if smaller and after else back
    if name in ("reshape", "view", "flatten", "unsqueeze", "squeeze"):
        return _reshaped(x, found, back)
    if name == "getitem" and x is args[0]:
        return _sliced(x, args[1], found, back)
    return refuse(f"'{name}' may join them")


def _reshaped(x: Tensor, found: Tensor, back: int) -> int:
    at = x.dim() - back
    before, rows = x.shape[:at].numel(), x.shape[at]
    for dim, extent in enumerate(found.shape):
        if extent == rows and found.shape[:dim].numel() == before:
            return found.dim() - dim
    return refuse("a change of shape joins them")


def _sliced(x: Tensor, index: Any, found: Tensor, back: int) -> int:
    parts = index if isinstance(index, tuple) else (index,)
    at, whole = x.dim() - back, slice(None)
    if parts[0] is Ellipsis and len(parts) - 1 < back and all(isinstance(p, slice) for p in parts[1:]):
        return back
    if at == 0 and isinstance(parts[0], slice) and parts[0] == whole:
        return found.dim()
    return refuse("a part of them is read")


def changes(name: str) -> bool:
    """Whether a function of this name changes its first argument."""
    return name.startswith("__i") or (name.endswith("_") and not name.endswith("__"))


def refuse(reason: str) -> NoReturn:
    """Raise RowsTogether for this reason."""
    raise RowsTogether(
        "How many rows a mask picks depends on the values of tensors, so that all are computed, the others dropped in "
        f"the end; but {reason}. Compute all rows and choose with torch.where."
    )
