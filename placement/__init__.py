"""Placement of kernels on a fabric of cores.

from wsc.placement import Effort, solve
placement = solve(problem, Effort.HIGH)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsc.placement.effort import Effort, SolveParams
    from wsc.placement.solver import solve

__all__ = ["Effort", "SolveParams", "solve"]


def __getattr__(name: str) -> Any:
    """Imports the solver when it is first asked for: it is heavy."""
    if name not in __all__:
        raise AttributeError(f"module 'wsc.placement' has no attribute '{name}'")
    home = "wsc.placement.solver" if name == "solve" else "wsc.placement.effort"
    return getattr(import_module(home), name)
