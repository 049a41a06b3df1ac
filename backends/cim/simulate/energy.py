"""Energy of one input by component: power of each part of the machine times how long it works.

A part that works while products run draws its power for the busy share of the units it serves; a bus, a router or a
link for the share of its bandwidth that is used; what is always on, for the whole interval on every chip in use.
"""

from __future__ import annotations

from collections import defaultdict

from wsc.backends.cim.machine import CimMachine, Component
from wsc.backends.cim.simulate.prepare import Prepared
from wsc.simulation.trace import EnergyPart

_MESH = 4  # links that leave a router


def energy(prepared: Prepared, interval: int) -> tuple[EnergyPart, ...]:
    """Joules of one input in the steady state, by component, and of the cells that it writes."""
    machine, program = prepared.machine, prepared.program
    cycles = busy_cycles(prepared)
    parts: dict[tuple[str, bool], float] = defaultdict(float)
    for component in machine.components:
        watts = component.milliwatts / 1e3
        if component.active == "always":
            busy = float(interval * instances(machine, component, program.chips))
        else:
            busy = cycles[component.active] * _share(machine, component)
        parts[(component.name, component.moves_data)] += watts * busy / machine.chip.clock_hz
    if cells := written_cells(prepared):
        parts[("writing cells", False)] += cells * machine.write.cell_joules
    return tuple(EnergyPart(name, joules, moves) for (name, moves), joules in parts.items())


def busy_cycles(prepared: Prepared) -> dict[str, float]:
    """Cycles that one input takes of all units, lanes, buses, routers and links together."""
    machine = prepared.machine
    total: dict[str, float] = defaultdict(float)
    hop_bytes = 0.0
    for costs in prepared.stages:
        stage = costs.stage
        units = sum(piece.units for piece in stage.pieces)
        total["product"] += float(units * stage.chunks * costs.product)
        total["vector"] += float(stage.chunks * costs.digital.sum())
        total["bus"] += float(stage.chunks * costs.load.sum() + costs.rewrite_load.sum())
        hop_bytes += stage.chunks * costs.partial_hop_bytes
    for stream in prepared.streams:
        chunks = stream.stream.source_chunks
        for link, amount in stream.load.bytes.items():
            if link[0] in ("in", "out", "next", "back"):
                total["link"] += chunks * amount / machine.chip.chip_link_bytes_per_cycle
            else:
                hop_bytes += chunks * amount
    total["network"] = hop_bytes / (_MESH * machine.tile.router_bytes_per_cycle)
    return total


def instances(machine: CimMachine, component: Component, chips: int) -> int:
    """How many levels of the machine have the component."""
    tiles = machine.tiles_per_chip
    each = {"chip": 1, "tile": tiles, "core": tiles * machine.tile.cores, "unit": machine.units_per_chip}
    return chips * each[component.level]


def _share(machine: CimMachine, component: Component) -> float:
    """Of a component, what one of the things that `busy_cycles` counts keeps busy."""
    if component.active == "product":
        return {"unit": 1.0, "core": 1 / machine.core.units, "tile": 1 / machine.units_per_tile}.get(
            component.level, 1 / machine.units_per_chip
        )
    inside = {"core": float(machine.tile.cores), "unit": float(machine.units_per_tile)}
    return inside.get(component.level, 1.0 if component.level == "tile" else 1 / machine.tiles_per_chip)


def written_cells(prepared: Prepared) -> int:
    """Cells that one input writes: of all weights where arrays are reloaded, and of activations, each copy."""
    return sum(
        costs.stage.copies * p.weight_type.elements * prepared.machine.slices(p.weight_bits)
        for costs in prepared.stages
        if (p := costs.stage.product) and (prepared.reloads or p.rewritten)
    )
