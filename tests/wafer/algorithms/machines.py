"""Machines shipped with the target."""

from functools import cache
from pathlib import Path

import wsc.backends.wafer
from wsc.backends.wafer.machine import Wafer
from wsc.compiler.machine import read_machine

MACHINES = Path(wsc.backends.wafer.__file__).parent / "machines"


@cache
def machine(name: str) -> Wafer:
    return read_machine(MACHINES / f"{name}.toml", Wafer)
