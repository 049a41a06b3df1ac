"""wsc: compile PyTorch models to programs for the machines that come after the GPU.

    import wsc
    exe = wsc.compile(model, example_inputs, target="wse2")
    exe.cycles, exe.placement, exe.program    # typed values
    exe(x)                                    # runs the emitted program
    exe.inspect("kernels").save("p.png")

Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsc.api import Executable, compile, load
    from wsc.compiler.errors import WscError
    from wsc.torch_backend import last_report, reset_report

__version__ = "0.1.0"
__all__ = ["Executable", "WscError", "__version__", "compile", "last_report", "load", "reset_report"]

_HOMES = {
    "Executable": "wsc.api",
    "compile": "wsc.api",
    "load": "wsc.api",
    "WscError": "wsc.compiler.errors",
    "last_report": "wsc.torch_backend",
    "reset_report": "wsc.torch_backend",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'wsc' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
