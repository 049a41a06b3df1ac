"""Cycles of an exchange between any cores of a region: its flows, on links and on ramps, and who hears whom."""

from __future__ import annotations

from math import ceil

import numpy as np

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.simulate.costs import MOVEMENT, Cost
from wsc.backends.wafer.simulate.flows import Index, Port, find_flows
from wsc.backends.wafer.simulate.routes import Flights, find_ways
from wsc.compiler.layout import Mesh


def exchanged(machine: Wafer, mesh: Mesh, operand: Buffer, result: Buffer) -> tuple[Flights, Index]:
    """Words from core to core of the region, and the links on the way of each."""
    source, target = (Port(b.type, b.layout, mesh) for b in (operand, result))
    flows = find_flows(source, (), target)
    sizes = flows.elements * operand.type.dtype.bytes
    words = -(-sizes // machine.fabric.link_bytes_per_cycle)
    width = mesh.width
    places = (flows.source % width, flows.source // width, flows.target % width, flows.target // width)
    flights = Flights(*places, words)
    return flights, find_ways(flights, "xy").hops


def exchange_cost(machine: Wafer, mesh: Mesh, operand: Buffer, result: Buffer) -> Cost:
    """A core starts a task for every core that it hears from, and one to send; what it keeps goes over no ramp.

    The busiest link, and the busiest ramp, take a cycle a word; then the last word flies as far as any goes.
    """
    flights, hops = exchanged(machine, mesh, operand, result)
    moved = hops > 0
    f = Flights(
        *(column[moved] for column in (flights.sx, flights.sy, flights.tx, flights.ty, flights.words))
    )
    source, target = f.sy * mesh.width + f.sx, f.ty * mesh.width + f.tx
    ramps = [int(np.bincount(cores, f.words, 1).max()) for cores in (source, target)]
    heard = int(np.bincount(target, minlength=1).max())
    startup = machine.core.task_startup_cycles * (1 + heard)
    on_links = find_ways(f, "xy").loads.busiest
    far = int(hops.max(initial=0)) * machine.fabric.hop_cycles + 2 * machine.fabric.ramp_cycles
    busy = max(1, startup + max(ramps))
    lines = ("x", "y") if f.words.size else ()
    return Cost(MOVEMENT, busy, startup + ceil(max(*ramps, on_links)) + far, lines, on_links)
