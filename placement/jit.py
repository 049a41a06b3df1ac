"""Numba's compiler as this room uses it: machine code kept on disk, free of Python's lock, whole numbers only.

But for the prices of tolls.py: what is said of them is computed in whole numbers again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def jit(function: Function) -> Function:
    """The function compiled at its first call, or taken from the cache beside its source file."""
    return cast(Function, numba.njit(cache=True, nogil=True)(function))
