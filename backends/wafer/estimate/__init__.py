"""What a kernel is expected to cost, to decide with: closed forms over its tiles. No simulator uses this."""

from wsc.backends.wafer.estimate.instructions import (
    code_bytes,
    data_bytes,
    instruction_cycles,
    instruction_spent,
)
from wsc.backends.wafer.estimate.interval import KernelTime, kernel_time
from wsc.backends.wafer.estimate.moves import Spent, move_spent

__all__ = [
    "KernelTime",
    "Spent",
    "code_bytes",
    "data_bytes",
    "instruction_cycles",
    "instruction_spent",
    "kernel_time",
    "move_spent",
]
