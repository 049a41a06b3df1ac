"""Where an input's energy is spent, and what passes the links: one number a tile of the program."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wsc.backends.cim.simulate.energy import busy_cycles, instances, share, written_cells
from wsc.backends.cim.simulate.prepare import Prepared, StageCosts

Tiles = NDArray[np.float64]
_BETWEEN_TILES = ("e", "w", "n", "s")


def energy_of_tiles(prepared: Prepared, interval: int) -> Tiles:
    """Joules of an input in each tile, which add up to those of `energy`.

    What works while products run, lanes, buses and routers is where they work; what is always on, links between chips
    and partial sums on their way are the same in all tiles that they serve.
    """
    machine, program = prepared.machine, prepared.program
    busy, total = _busy(prepared), busy_cycles(prepared)
    even = np.full(len(program.places), 1 / len(program.places))
    joules = np.zeros(len(program.places))
    for component in machine.components:
        seconds = component.milliwatts / 1e3 / machine.chip.clock_hz
        if component.active == "always":
            joules += even * (seconds * interval * instances(machine, component, program.chips))
            continue
        found = busy.get(component.active, even)
        where = found / found.sum() if found.sum() else even
        joules += where * (total[component.active] * share(machine, component) * seconds)
    if prepared.reloads:
        units = _units(prepared)
        where = units / units.sum() if units.sum() else even
        joules += where * (written_cells(prepared) * machine.write.cell_joules)
    return joules


def link_bytes_of_tiles(prepared: Prepared) -> Tiles:
    """Bytes an input that streams send from each tile to its neighbours; partial sums of products are left out."""
    at = {place: tile for tile, place in enumerate(prepared.program.places)}
    found = np.zeros(len(at))
    for place, amount in _passing(prepared):
        if place in at:
            found[at[place]] += amount
    return found


def _busy(prepared: Prepared) -> dict[str, Tiles]:
    """Cycles of an input by what is at work, in each tile."""
    count = len(prepared.program.places)
    found = {name: np.zeros(count) for name in ("product", "vector", "bus", "network")}
    for costs in prepared.stages:
        for piece in costs.stage.pieces:
            found["product"][piece.tile] += piece.units * costs.stage.chunks * costs.product
        np.add.at(found["vector"], costs.tiles, costs.stage.chunks * costs.digital)
        np.add.at(found["bus"], costs.tiles, costs.stage.chunks * costs.load)
        found["network"] += _partials(costs, count)
    found["network"] += link_bytes_of_tiles(prepared)
    return found


def _partials(costs: StageCosts, count: int) -> Tiles:
    """Byte-hops of a stage's partial sums, by what each of its tiles sends."""
    sends = np.zeros(count)
    for piece in costs.stage.pieces:
        sends[piece.tile] += piece.sends
    whole = costs.stage.chunks * costs.partial_hop_bytes
    return np.asarray(sends * (whole / sends.sum())) if sends.sum() else sends


def _units(prepared: Prepared) -> Tiles:
    units = np.zeros(len(prepared.program.places))
    for costs in prepared.stages:
        for piece in costs.stage.pieces:
            units[piece.tile] += piece.units
    return units


def _passing(prepared: Prepared) -> Iterator[tuple[tuple[int, int, int], float]]:
    """(place, bytes an input) of every link that leaves a tile for another of its chip."""
    for stream in prepared.streams:
        chunks = stream.stream.source_chunks
        for (kind, chip, x, y), amount in stream.load.bytes.items():
            if kind in _BETWEEN_TILES:
                yield (chip, x, y), chunks * amount
