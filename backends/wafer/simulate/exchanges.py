"""Cycles of an exchange between any cores of a region: its flows, on links and on ramps, and who hears whom."""

from __future__ import annotations

from functools import lru_cache
from math import ceil

import numpy as np

from wsc.backends.wafer.machine import Core, Fabric, Wafer
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.simulate.costs import MOVEMENT, Cost
from wsc.backends.wafer.simulate.flows import Index, Port, find_flows
from wsc.backends.wafer.simulate.routes import Flights, find_ways
from wsc.compiler.layout import Mesh


def exchanged(machine: Wafer, mesh: Mesh, operand: Buffer, result: Buffer) -> tuple[Flights, Index]:
    """Words from core to core of the region, and the links on the way of each."""
    return _flights(machine.fabric, *(Port(b.type, b.layout, mesh) for b in (operand, result)))


def _flights(fabric: Fabric, source: Port, target: Port) -> tuple[Flights, Index]:
    flows = find_flows(source, (), target)
    sizes = flows.elements * source.type.dtype.bytes
    words = -(-sizes // fabric.link_bytes_per_cycle)
    width = source.mesh.width
    places = (flows.source % width, flows.source // width, flows.target % width, flows.target // width)
    flights = Flights(*places, words)
    return flights, find_ways(flights, "xy").hops


def exchange_cost(machine: Wafer, mesh: Mesh, operand: Buffer, result: Buffer) -> Cost:
    """A core starts a task for every core that it hears from, and one to send; what it keeps goes over no ramp.

    The busiest link, and the busiest ramp, take a cycle a word; then the last word flies as far as any goes.
    """
    return _cost(machine.core, machine.fabric, *(Port(b.type, b.layout, mesh) for b in (operand, result)))


@lru_cache(256)  # programs exchange the like of each other's tensors, region after region
def _cost(core: Core, fabric: Fabric, before: Port, after: Port) -> Cost:
    mesh = before.mesh
    flights, hops = _flights(fabric, before, after)
    moved = hops > 0
    f = Flights(
        *(column[moved] for column in (flights.sx, flights.sy, flights.tx, flights.ty, flights.words))
    )
    source, target = f.sy * mesh.width + f.sx, f.ty * mesh.width + f.tx
    ramps = [int(np.bincount(cores, f.words, 1).max()) for cores in (source, target)]
    heard = int(np.bincount(target, minlength=1).max())
    startup = core.task_startup_cycles * (1 + heard)
    on_links = find_ways(f, "xy").loads.busiest
    far = int(hops.max(initial=0)) * fabric.hop_cycles + 2 * fabric.ramp_cycles
    busy = max(1, startup + max(ramps))
    lines = ("x", "y") if f.words.size else ()
    return Cost(MOVEMENT, busy, startup + ceil(max(*ramps, on_links)) + far, lines, on_links)
