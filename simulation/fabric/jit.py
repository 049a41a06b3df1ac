"""How the simulation is compiled: every function into its caller, so that `kernel.advance` is one piece of code."""

from __future__ import annotations

from numba import njit

# References to arrays aren't counted (`_nrt`): the machine holds them all, and nothing here allocates.
inlined = njit(
    forceinline=True, _nrt=False, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
)
