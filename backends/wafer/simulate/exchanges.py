"""Cycles of an exchange between any cores of a region: its flows, on links and on ramps, and who hears whom."""

from __future__ import annotations

from math import ceil

import numpy as np

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.simulate.costs import MOVEMENT, Cost
from wsc.backends.wafer.simulate.flows import Port, find_flows
from wsc.backends.wafer.simulate.routes import Flights, link_loads
from wsc.compiler.layout import Mesh


def exchange_cost(machine: Wafer, mesh: Mesh, operand: Buffer, result: Buffer) -> Cost:
    """A core starts a task for every core that it hears from, and one to send; what it keeps goes over no ramp.

    The busiest link, and the busiest ramp, take a cycle a word; then the last word flies as far as any goes.
    """
    flows = find_flows(Port(operand.type, operand.layout, mesh), (), Port(result.type, result.layout, mesh))
    moved = flows.source != flows.target
    source, target = flows.source[moved], flows.target[moved]
    sizes = flows.elements[moved] * operand.type.dtype.bytes
    words = -(-sizes // machine.fabric.link_bytes_per_cycle)
    width = mesh.width
    flights = Flights(source % width, source // width, target % width, target // width, words)
    ramps = [int(np.bincount(cores, words).max(initial=0)) if cores.size else 0 for cores in (source, target)]
    heard = int(np.bincount(target).max(initial=0)) if target.size else 0
    startup = machine.core.task_startup_cycles * (1 + heard)
    on_links = link_loads(flights, "xy").busiest
    far = int(flights.hops.max(initial=0)) * machine.fabric.hop_cycles + 2 * machine.fabric.ramp_cycles
    busy = max(1, startup + max(ramps))
    lines = ("x", "y") if words.size else ()
    return Cost(MOVEMENT, busy, startup + ceil(max(*ramps, on_links)) + far, lines, on_links)
