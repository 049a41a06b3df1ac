"""Lays the blocks of every copy of every stage on tiles, one after another, and gives digital stages tiles to run on.

Tiles are numbered; where each lies on a chip is for the placer. Blocks of a column of blocks follow one another, so
that partial sums mostly meet in their tile. Where a core starts only one product at a time, it takes blocks until its
turns are used up, however many units are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.matrix import block_units
from wsc.backends.cim.sizing import Option, Sizing
from wsc.backends.cim.stages import Cut
from wsc.compiler.errors import DoesNotFit
from wsc.compiler.ops import Cast, Elementwise, Quantize

_VECTOR = 64  # elements, fewer of which are not worth a tile


@dataclass(frozen=True)
class Part:
    """Blocks `first` to `first + count` of a copy on a tile, in `units` units."""

    tile: int
    copy: int
    first: int
    count: int
    units: int


@dataclass(frozen=True)
class Mapping:
    """Parts of each stage, in its order; `rounds` and `passes` of each; how many tiles are used."""

    parts: tuple[tuple[Part, ...], ...]
    rounds: tuple[int, ...]
    passes: tuple[int, ...]
    tiles: int


def pack(
    sizings: Sequence[Sizing], options: Sequence[Option], machine: CimMachine, tiles: int, limit: float
) -> Mapping | None:
    """Crossbar stages on up to `tiles` tiles, no core's turns beyond `limit` cycles; None where they do not fit."""
    cursor = _Cursor(machine, limit)
    parts: list[tuple[Part, ...]] = []
    for sizing, option in zip(sizings, options, strict=True):
        found: list[Part] = []
        for copy in range(option.copies if sizing.product else 0):
            found += _lay_copy(sizing, option, copy, cursor)
            if cursor.tile >= tiles:
                return None
        parts.append(tuple(found))
    return Mapping(tuple(parts), (0,) * len(parts), (1,) * len(parts), min(tiles, cursor.tile + 1))


class _Cursor:
    """The next free unit: tiles, cores and units in order."""

    def __init__(self, machine: CimMachine, limit: float) -> None:
        self.machine = machine
        self.limit = limit
        self.tile = 0
        self.core = 0
        self.units = 0  # used in the core
        self.turns = 0.0  # cycles of its issue slot that are used
        self.lanes = 0.0  # cycles of its digital lanes that are used

    def take(self, units: int, turns: float, lanes: float) -> int:
        """Take units of one core where products share its turns, of one tile otherwise; returns the tile."""
        tile, core = self.machine.tile, self.machine.core
        room = core.units if core.issue_cycles else tile.cores * core.units
        late = core.issue_cycles and max(self.turns + turns, self.lanes + lanes) > self.limit
        if self.units + units > room or (self.units and late):
            self._next()
        self.units += units
        self.turns += turns
        self.lanes += lanes
        return self.tile

    def _next(self) -> None:
        self.units, self.turns, self.lanes = 0, 0.0, 0.0
        last = self.core + 1 >= self.machine.tile.cores or not self.machine.core.issue_cycles
        self.tile, self.core = (self.tile + 1, 0) if last else (self.tile, self.core + 1)


def _lay_copy(sizing: Sizing, option: Option, copy: int, cursor: _Cursor) -> list[Part]:
    product = sizing.product
    assert product is not None
    machine = cursor.machine
    turns = option.chunks * option.positions * machine.core.issue_cycles
    steps = sizing.digital / option.copies / product.blocks
    sums = option.chunks * option.positions * min(product.block_columns, product.columns) / machine.tile.adder_ops_per_cycle
    parts: list[Part] = []
    for block in range(product.blocks):
        units = block_units(product, machine, block)
        tile = cursor.take(units, turns, (steps + sums) * machine.tile.cores)
        if parts and parts[-1].tile == tile:
            last = parts[-1]
            parts[-1] = replace(last, count=last.count + 1, units=last.units + units)
        else:
            parts.append(Part(tile, copy, block, 1, units))
    return parts


def reload(sizings: Sequence[Sizing], options: Sequence[Option], machine: CimMachine, tiles: int) -> Mapping:
    """Stages in rounds that each fill the arrays at most once; one that is larger by itself in several passes."""
    room = tiles * machine.units_per_tile
    rounds: list[int] = []
    passes: list[int] = []
    current, used = 0, 0
    for option in options:
        if used and used + option.units > room:
            current, used = current + 1, 0
        used += option.units
        rounds.append(current)
        passes.append(max(1, ceil(option.units / room)))
    parts: list[tuple[Part, ...]] = []
    for number in range(current + 1):
        members = [i for i, r in enumerate(rounds) if r == number]
        cursor = _Cursor(machine, float("inf"))
        for i in members:
            parts.append(
                _spread(sizings[i], tiles, passes[i])
                if passes[i] > 1
                else _fresh(sizings[i], options[i], cursor)
            )
    return Mapping(tuple(parts), tuple(rounds), tuple(passes), tiles)


def _fresh(sizing: Sizing, option: Option, cursor: _Cursor) -> tuple[Part, ...]:
    copies = range(option.copies) if sizing.product else range(0)
    return tuple(part for copy in copies for part in _lay_copy(sizing, option, copy, cursor))


def _spread(sizing: Sizing, tiles: int, passes: int) -> tuple[Part, ...]:
    """The blocks of one copy in equal runs over the tiles, each filled once a pass."""
    product = sizing.product
    assert product is not None
    run = ceil(product.blocks / tiles)
    return tuple(
        Part(
            tile,
            0,
            first,
            min(run, product.blocks - first),
            ceil(min(run, product.blocks - first) * product.block_units / passes),
        )
        for tile, first in enumerate(range(0, product.blocks, run))
    )


def digital_tiles(
    cut: Cut, sizings: Sequence[Sizing], mapping: Mapping, machine: CimMachine, tiles: int, limit: float
) -> tuple[tuple[int, ...], ...]:
    """Tiles of each digital stage: those of its neighbours, and the least busy others until `limit` cycles are met."""
    busy = [0.0] * tiles
    chosen: list[tuple[int, ...]] = []
    for sizing, parts in zip(sizings, mapping.parts, strict=True):
        own = tuple(dict.fromkeys(part.tile for part in parts))
        for tile in own:
            busy[tile] += sizing.digital / len(own)
        chosen.append(own)
    for i, sizing in enumerate(sizings):
        if sizing.product is not None:
            continue
        near = _near(cut, sizing, chosen) or (0,)
        wanted = max(1, min(tiles, ceil(1.25 * sizing.digital / max(limit, 1.0)), _most_parts(sizing)))
        kept = sorted(near, key=lambda tile: (busy[tile], tile))[
            : max(wanted, min(len(near), _most_parts(sizing)))
        ]
        others = sorted(
            set(range(tiles)) - set(kept), key=lambda tile: (busy[tile], abs(tile - near[0]), tile)
        )
        kept += others[: max(0, wanted - len(kept))]
        chosen[i] = tuple(sorted(kept))
        for tile in kept:
            busy[tile] += sizing.digital / len(kept)
    return tuple(chosen)


def _most_parts(sizing: Sizing) -> int:
    """Parts that a digital stage can be cut into: rows of its result, or vectors where every element is by itself."""
    head = sizing.draft.head
    whole = not isinstance(head.op, Elementwise | Quantize | Cast)
    return max(1, head.type.elements // (max(head.type.shape[-1:] or (1,)) if whole else _VECTOR))


def _near(cut: Cut, sizing: Sizing, chosen: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The tiles of the stages that a stage reads from, or else of those that read it."""
    before = [
        cut.stage_of[name] for node in sizing.draft.nodes for name in node.inputs if name in cut.stage_of
    ]
    before = [i for i in before if i != sizing.draft.index and chosen[i]]
    if before:
        return chosen[max(before)]
    made = {node.name for node in sizing.draft.nodes}
    after = [cut.stage_of[user.name] for name in made for user in cut.graph.users[name]]
    after = [i for i in after if i != sizing.draft.index and chosen[i]]
    return chosen[min(after)] if after else ()


def refuse(machine: CimMachine, sizings: Sequence[Sizing], units: int) -> DoesNotFit:
    """Why the weights do not fit on the chips there are, and how many would be needed."""
    chips = ceil(units / machine.units_per_chip)
    largest = max(sizings, key=lambda sizing: sizing.options[0].units)
    return DoesNotFit(
        f"The weights need {units:,} units of crossbars and '{machine.name}' has {machine.chip.chips} x "
        f"{machine.units_per_chip:,}: {chips:,} chips are needed. The largest layer is '{largest.draft.head.name}' "
        f"({largest.options[0].units:,} units). A machine file with chip.chips = {chips:,}, fewer bits (--dtype int8), "
        "or a machine that reloads its arrays would do."
    )
