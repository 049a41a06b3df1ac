"""The cycle-level simulation of a wafer program: every wavelet, with its data, on a small fabric.

unroll     a kernel's instructions as they run, with what each waits for
works      the work of a core as instructions of a fabric's core
build      the whole machine: cores, routes, the host's cores at the edges
memory     tiles in the memory of cores
local      what a core computes for itself
run        the simulation, and its outputs
"""

from wsc.backends.wafer.simulate.cycle.run import CycleResult, simulate_cycles

__all__ = ["CycleResult", "simulate_cycles"]
