"""The chips as a picture: which stage has most of each tile, and fields over the tiles; chips stand side by side."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.program import Program, Stage
from wsc.backends.cim.simulate.heat import energy_of_tiles, link_bytes_of_tiles
from wsc.backends.cim.simulate.prepare import Prepared, prepare
from wsc.simulation.floorplan import Field, Floorplan, Region
from wsc.simulation.trace import Trace


def floorplan(program: Program, machine: CimMachine, trace: Trace) -> Floorplan:
    """A region for each used tile, and fields: arrays and cells used, activity of arrays and lanes, buffers."""
    prepared = prepare(program, machine)
    joules = energy_of_tiles(prepared, trace.interval_cycles)
    owners = _owners(program)
    at = {tile: (chip * program.width + x, y) for tile, (chip, x, y) in enumerate(program.places)}
    regions = tuple(
        Region(f"{stage.name} (tile {tile})", *at[tile], 1, 1, stage.group)
        for tile, stage in sorted(owners.items())
    )
    width, height = program.width * program.chips, program.height

    def field(title: str, unit: str, values: dict[int, float], high: float | None) -> Field:
        painted = np.full((height, width), np.nan)
        for tile, value in values.items():
            x, y = at[tile]
            painted[y, x] = value
        return Field(title, unit, painted, low=0, high=high)

    return Floorplan(
        title=f"{program.name} on {machine.name}",
        width=width,
        height=height,
        regions=regions,
        fields=(
            field("Arrays used, of the tile's", "", _arrays_used(program, machine), 1),
            field("Cells used, of the tile's", "", _cells_used(program, machine), 1),
            field("Utilisation of arrays in use", "", _activity(prepared, trace), 1),
            field("Lanes busy, of an interval", "", _lanes(prepared, trace), 1),
            field("Buffer taken", "bytes", _buffers(program), float(machine.tile.buffer_bytes)),
            field(
                "Links, bytes an input to neighbours",
                "bytes",
                dict(enumerate(link_bytes_of_tiles(prepared))),
                None,
            ),
            field("Energy of an input", "J", dict(enumerate(joules)), None),
        ),
    )


def _owners(program: Program) -> dict[int, Stage]:
    """The stage with most units in each tile; of digital stages any, where there is no other."""
    best: dict[int, tuple[int, Stage]] = {}
    for stage in program.stages:
        units: dict[int, int] = defaultdict(int)
        for piece in stage.pieces:
            units[piece.tile] += piece.units
        for tile, count in units.items():
            if tile not in best or count > best[tile][0]:
                best[tile] = (count, stage)
    return {tile: stage for tile, (_, stage) in best.items()}


def _arrays_used(program: Program, machine: CimMachine) -> dict[int, float]:
    used: dict[int, float] = dict.fromkeys(range(len(program.places)), 0.0)
    for stage in program.stages:
        for piece in stage.pieces:
            used[piece.tile] += piece.units / machine.units_per_tile / program.rounds
    return {tile: min(1.0, share) for tile, share in used.items()}


def _cells_used(program: Program, machine: CimMachine) -> dict[int, float]:
    used: dict[int, float] = dict.fromkeys(range(len(program.places)), 0.0)
    for stage in program.stages:
        product = stage.product
        if product is None:
            continue
        whole = product.blocks * product.block_rows * product.block_columns
        filled = product.weight_type.elements / whole
        for piece in stage.pieces:
            weights = piece.count * product.block_rows * product.block_columns * filled
            cells = weights * machine.slices(product.weight_bits)
            tile = (
                machine.units_per_tile
                * machine.array.rows
                * machine.array.columns
                * machine.array.arrays_per_unit
            )
            used[piece.tile] += cells / tile / program.rounds / stage.passes
    return {tile: min(1.0, share) for tile, share in used.items()}


def _activity(prepared: Prepared, trace: Trace) -> dict[int, float]:
    busy: dict[int, float] = defaultdict(float)
    units: dict[int, int] = defaultdict(int)
    for costs in prepared.stages:
        for piece in costs.stage.pieces:
            busy[piece.tile] += piece.units * costs.stage.chunks * costs.product
            units[piece.tile] += piece.units
    return {tile: min(1.0, busy[tile] / (n * trace.interval_cycles)) for tile, n in units.items() if n}


def _lanes(prepared: Prepared, trace: Trace) -> dict[int, float]:
    busy = np.zeros(len(prepared.program.places))
    for costs in prepared.stages:
        busy[costs.tiles] += costs.stage.chunks * costs.digital
    return {tile: min(1.0, float(value) / trace.interval_cycles) for tile, value in enumerate(busy)}


def _buffers(program: Program) -> dict[int, float]:
    taken: dict[int, float] = dict.fromkeys(range(len(program.places)), 0.0)
    for stream in program.streams:
        for tile in stream.homes:
            taken[tile] += stream.capacity * stream.chunk_bytes / len(stream.homes)
    return taken
