"""A mesh of routers and cores, simulated cycle by cycle with the data that moves. Knows no machine by name.

parts      what a fabric is made of: routes of colours, instructions of cores
assemble   parts as flat arrays
state      the arrays, by name
jit        how it is compiled
prefetch   asking for memory ahead of its use
lanes      arithmetic on 32-bit words
memory     words of the cores' memories
router     one cycle of the routers
core       one cycle of the cores
clock      the loop of cycles, compiled as one piece
run        a fabric at work: what it stops for, and what it tells
diagnose   who waits for whom
"""

from wsc.simulation.fabric.parts import (
    Access,
    Core,
    Fabric,
    Instruction,
    Lanes,
    Position,
    Route,
    Transfer,
)
from wsc.simulation.fabric.run import Call, Machine

__all__ = [
    "Access",
    "Call",
    "Core",
    "Fabric",
    "Instruction",
    "Lanes",
    "Machine",
    "Position",
    "Route",
    "Transfer",
]
