"""Cycles of a wafer program: an event-driven simulation that knows the program and the machine, and nothing else.

costs, moves             cycles of an instruction
lines, shifts, combines, reduces    of movements of one kind
loops                    cycles of a loop of them
flows, routes, traffic   what a stream puts on the links
prepare, network         all of these, before anything runs
alike                    kernels that do the same
pipeline                 the running machine
report                   the trace of a run
maps, heat, floorplan    numbers for every core
bound                    what no program can beat
"""

from wsc.backends.wafer.simulate.bound import latency_lower_bound, lower_bound
from wsc.backends.wafer.simulate.floorplan import floorplan
from wsc.backends.wafer.simulate.maps import CoreMaps, core_maps
from wsc.backends.wafer.simulate.run import simulate

__all__ = ["CoreMaps", "core_maps", "floorplan", "latency_lower_bound", "lower_bound", "simulate"]
