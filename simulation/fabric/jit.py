"""How the simulation is compiled: every function into its caller, so that `clock.advance` is one piece of code.

A call that stays a call passes the arrays' structures one by one, which takes longer than what most functions do.
"""

from __future__ import annotations

from typing import Any

from numba import njit

# References to arrays aren't counted (`_nrt`): the machine holds them all, and nothing here allocates.
_FLAGS: dict[str, Any] = {"_nrt": False, "error_model": "numpy"}
# Nothing but other compiled functions calls these, so none gets an entry from Python, which takes long to compile.
_NO_ENTRY: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

inlined = njit(forceinline=True, **_FLAGS, **_NO_ENTRY)
kept = njit(cache=True, nogil=True, **_FLAGS)
