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


def lean_jit(function: Function) -> Function:
    """As `jit`, for inner loops that make no arrays: without numba's runtime, and so without counts of references.

    Every view of an array, a row of a table for one, is counted otherwise, by two atomic instructions: of the folding
    of a chain that was two thirds of the time.
    """
    lean = numba.njit(cache=True, nogil=True, _nrt=False)  # type: ignore[call-overload]  # known to its docs alone
    return cast(Function, lean(function))
