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
    """Crossbar stages on up to `tiles` tiles, no core's turns beyond `limit` cycles; None where they do not fit.

    In the order of the pipeline if that fits. Where cores share turns, stages of many products for their units may
    leave cores full of turns and empty of units: then those come first, and the others go wherever there is room.
    """
    order = list(range(len(sizings)))
    found = _packed(sizings, options, _Bins(machine, limit, tiles), order, set())
    if found is None and machine.core.issue_cycles:
        large = {i for i in order if _is_large(sizings[i], options[i], machine, limit)}
        order.sort(key=lambda i: i in large)
        found = _packed(sizings, options, _Bins(machine, limit, tiles), order, large)
    if found is None:
        return None
    used = 1 + max((part.tile for parts in found for part in parts), default=0)
    return Mapping(found, (0,) * len(found), (1,) * len(found), used)


def _is_large(sizing: Sizing, option: Option, machine: CimMachine, limit: float) -> bool:
    """Whether a stage would fill cores with its units before their turns are used up."""
    if sizing.product is None:
        return False
    turns = option.chunks * option.positions * machine.core.issue_cycles / max(limit, 1.0)
    return turns < sizing.product.block_units / machine.core.units


def _packed(
    sizings: Sequence[Sizing],
    options: Sequence[Option],
    bins: _Bins,
    order: Sequence[int],
    anywhere: set[int],
) -> tuple[tuple[Part, ...], ...] | None:
    """The parts of every stage, laid in an order; those of `anywhere` in the first bin with room for each block."""
    parts: list[tuple[Part, ...]] = [()] * len(sizings)
    try:
        for i in order:
            copies = range(options[i].copies if sizings[i].product else 0)
            laid = [_lay_copy(sizings[i], options[i], copy, bins, i in anywhere) for copy in copies]
            parts[i] = tuple(part for copy in laid for part in copy)
    except _FullError:
        return None
    return tuple(parts)


class _FullError(Exception):
    """No bin has room."""


class _Bins:
    """What is used of each bin: of each core where products share its turns, of each tile otherwise."""

    def __init__(self, machine: CimMachine, limit: float, tiles: int) -> None:
        self.machine = machine
        self.shared = machine.core.issue_cycles > 0
        self.room = machine.core.units if self.shared else machine.units_per_tile
        self.limit = limit
        count = tiles * (machine.tile.cores if self.shared else 1)
        self.units = [0] * count
        self.turns = [0.0] * count  # cycles of the issue slot
        self.lanes = [0.0] * count  # cycles of the digital lanes
        self.current = 0

    def take(self, units: int, turns: float, lanes: float, anywhere: bool) -> int:
        """Take units of one bin, the current one or a later one, or any; returns its tile. Raises _FullError."""
        start = 0 if anywhere else self.current
        for bin in range(start, len(self.units)):
            if self._fits(bin, units, turns, lanes):
                break
        else:
            raise _FullError
        if not anywhere:
            self.current = bin
        self.units[bin] += units
        self.turns[bin] += turns
        self.lanes[bin] += lanes
        return bin // self.machine.tile.cores if self.shared else bin

    def _fits(self, bin: int, units: int, turns: float, lanes: float) -> bool:
        if self.units[bin] + units > self.room:
            return False
        late = self.shared and max(self.turns[bin] + turns, self.lanes[bin] + lanes) > self.limit
        return not (late and self.units[bin])


def _lay_copy(sizing: Sizing, option: Option, copy: int, bins: _Bins, anywhere: bool = False) -> list[Part]:
    product = sizing.product
    assert product is not None
    machine = bins.machine
    turns = option.chunks * option.positions * machine.core.issue_cycles
    steps = sizing.digital / option.copies / product.blocks
    sums = (
        option.chunks
        * option.positions
        * min(product.block_columns, product.columns)
        / machine.tile.adder_ops_per_cycle
    )
    parts: list[Part] = []
    for block in range(product.blocks):
        units = block_units(product, machine, block)
        tile = bins.take(units, turns, (steps + sums) * machine.tile.cores, anywhere)
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
    bins = [_Bins(machine, float("inf"), tiles) for _ in range(current + 1)]
    parts = [
        _spread(sizing, tiles, several) if several > 1 else _fresh(sizing, option, bins[number])
        for sizing, option, number, several in zip(sizings, options, rounds, passes, strict=True)
    ]
    return Mapping(tuple(parts), tuple(rounds), tuple(passes), tiles)


def _fresh(sizing: Sizing, option: Option, bins: _Bins) -> tuple[Part, ...]:
    copies = range(option.copies) if sizing.product else range(0)
    return tuple(part for copy in copies for part in _lay_copy(sizing, option, copy, bins))


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
        others = _others(set(range(tiles)) - set(kept), near, busy, machine.tiles_per_chip)
        kept += others[: max(0, wanted - len(kept))]
        chosen[i] = tuple(sorted(kept))
        for tile in kept:
            busy[tile] += sizing.digital / len(kept)
    return tuple(chosen)


def _others(free: set[int], near: tuple[int, ...], busy: Sequence[float], chip: int) -> list[int]:
    """Tiles by chip, for links between chips are slow: the nearest chip first, in a chip the least busy tile."""
    chips = {tile // chip for tile in near}
    away = {tile: min(abs(tile // chip - other) for other in chips) for tile in free}
    return sorted(free, key=lambda tile: (away[tile], busy[tile], abs(tile - near[0]), tile))


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
