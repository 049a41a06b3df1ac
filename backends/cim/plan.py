"""The plan: which stages, how many copies of each, on which tiles, and where those lie.

Copies are chosen so that the slowest stage is as fast as the units allow; where cores share their turns among their
units, the time is raised step by step until the blocks also find turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from wsc.backends.cim.buffers import BuffersFullError, kept
from wsc.backends.cim.estimate import product_interval
from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.mapping import Mapping, digital_tiles, pack, refuse, reload
from wsc.backends.cim.program import HOST, Stream
from wsc.backends.cim.sizing import Option, Sizing, size
from wsc.backends.cim.stages import Cut, cut
from wsc.backends.cim.streams import least_room, make_streams
from wsc.compiler.errors import DoesNotFit
from wsc.compiler.ir.graph import Graph
from wsc.placement.grid import Wire, place_on_grid
from wsc.placement.replicate import Choice, replicate

_STEP = 1.02  # by which the time is raised while cores lack turns


@dataclass(frozen=True)
class Plan:
    """All decisions; parallel tuples follow the order of the stages. `units` are those of one copy of everything."""

    machine: CimMachine
    cut: Cut
    names: tuple[str, ...]
    sizings: tuple[Sizing, ...]
    options: tuple[Option, ...]
    mapping: Mapping
    tiles: tuple[tuple[int, ...], ...]
    chips: int
    places: tuple[tuple[int, int, int], ...]
    streams: tuple[Stream, ...]
    slowest_bound: int  # cycles of the slowest crossbar stage that no choice of copies beats within the units

    @property
    def graph(self) -> Graph:
        """The graph that was planned."""
        return self.cut.graph


def make_plan(graph: Graph, machine: CimMachine) -> Plan:
    """Decide; raises DoesNotFit with the number of chips that would be needed.

    Chips are taken for the weights, and more where the streams find no room in the tiles' buffers.
    """
    pieces = cut(graph)
    chips = _chips(pieces, machine)
    while True:
        try:
            return _planned(pieces, machine, chips)
        except BuffersFullError as full:
            wanted = max(chips + 1, ceil(chips * full.need / full.have))
            if wanted > machine.chip.chips:
                raise DoesNotFit(
                    f"The values between the stages of '{graph.name}' need {full.need:,} bytes of buffers at least, "
                    f"and the tiles of '{machine.name}' have {full.have // chips:,} a chip: {wanted:,} chips are "
                    f"needed. A machine file with chip.chips = {wanted:,} or a larger tile.buffer_bytes, fewer bits "
                    "(--dtype int8), or a smaller input would do."
                ) from full
            chips = wanted


def _planned(pieces: Cut, machine: CimMachine, chips: int) -> Plan:
    """The plan on so many chips; raises BuffersFullError, DoesNotFit."""
    budget = chips * machine.units_per_chip
    sizings = tuple(size(pieces, draft, machine, budget) for draft in pieces.drafts)
    options, mapping, bound = _choose(sizings, machine, chips)
    limit = max([o.cycles for s, o in zip(sizings, options, strict=True) if s.product], default=0)
    tiles = chips * machine.tiles_per_chip
    chosen = digital_tiles(pieces, sizings, mapping, machine, tiles, limit)
    names = _names(sizings)
    streams = make_streams(pieces, sizings, options, names)
    near = dict(zip(names, chosen, strict=True))
    needed = least_room(streams, dict(zip(names, mapping.rounds, strict=True)))
    streams = kept(streams, needed, near, tiles, machine.tile.buffer_bytes)
    places = _place(streams, names, chosen, machine, chips)
    return Plan(machine, pieces, names, sizings, options, mapping, chosen, chips, places, streams, bound)


def _chips(pieces: Cut, machine: CimMachine) -> int:
    """As few chips as hold the weights once; all of them where the arrays are reloaded."""
    sizings = [size(pieces, draft, machine, 0) for draft in pieces.drafts if draft.is_crossbar]
    units = sum(sizing.options[0].units for sizing in sizings)
    # Cores whose turns are shared waste units at their ends: those stages are packed before they are counted.
    chips = max(1, ceil(units / machine.units_per_chip))
    if chips > machine.chip.chips and not machine.chip.reload:
        raise refuse(machine, sizings, units)
    return min(chips, machine.chip.chips)


def _choose(
    sizings: Sequence[Sizing], machine: CimMachine, chips: int
) -> tuple[tuple[Option, ...], Mapping, int]:
    tiles = chips * machine.tiles_per_chip
    budget = chips * machine.units_per_chip
    first = tuple(sizing.options[0] for sizing in sizings)
    if sum(option.units for option in first) > budget:
        return first, reload(sizings, first, machine, tiles), 0
    crossbars = [i for i, sizing in enumerate(sizings) if sizing.product]
    if not crossbars:
        empty = pack(sizings, first, machine, tiles, 0)
        assert empty is not None
        return first, empty, 0
    menus = tuple(tuple(Choice(o.cycles, o.units) for o in sizings[i].options) for i in crossbars)
    found = replicate(menus, budget)
    options = list(first)
    for i, choice in zip(crossbars, found.chosen, strict=True):
        options[i] = sizings[i].finest(sizings[i].options[choice], found.slowest)
    if not machine.core.issue_cycles:
        mapping = pack(sizings, options, machine, tiles, 0)
        if mapping is not None:
            return tuple(options), mapping, found.slowest
    return *_with_turns(sizings, machine, tiles, found.slowest), found.slowest


def _with_turns(
    sizings: Sequence[Sizing], machine: CimMachine, tiles: int, start: int
) -> tuple[tuple[Option, ...], Mapping]:
    """The shortest time, in steps, at which the blocks find units and turns; raises DoesNotFit."""
    load = sum(
        s.product.blocks * s.product.positions * machine.core.issue_cycles for s in sizings if s.product
    )
    limit = max(float(start), load / (tiles * machine.tile.cores))
    longest = max(s.options[0].cycles for s in sizings if s.product) + load
    while True:
        options = tuple(_cheapest(sizing, limit) for sizing in sizings)
        mapping = pack(sizings, options, machine, tiles, limit)
        if mapping is not None:
            return options, mapping
        if limit > longest:
            units = sum(option.units for option in options)
            raise DoesNotFit(
                f"The blocks of the weights, {units:,} units, do not fit into the cores of '{machine.name}', "
                f"{tiles * machine.units_per_tile:,} units: rows of a block stay in one core. A machine file with "
                "more chips, or larger cores, would do."
            )
        limit *= _STEP


def _cheapest(sizing: Sizing, limit: float) -> Option:
    """The option of fewest units within the limit; the fastest where there is none."""
    option = next((o for o in sizing.options if o.cycles <= limit), sizing.options[-1])
    return sizing.finest(option, limit)


def _names(sizings: Sequence[Sizing]) -> tuple[str, ...]:
    """A name for each stage: the module that its head comes from, crossbars first, or the head's own, each once."""
    names: dict[int, str] = {}
    order = sorted(range(len(sizings)), key=lambda i: sizings[i].product is None)
    for i in order:
        head = sizings[i].draft.head
        wish = head.location.module or head.name
        names[i] = head.name if wish in names.values() or wish == HOST else wish
    return tuple(names[i] for i in range(len(sizings)))


def _place(
    streams: Sequence[Stream],
    names: Sequence[str],
    tiles: Sequence[tuple[int, ...]],
    machine: CimMachine,
    chips: int,
) -> tuple[tuple[int, int, int], ...]:
    """(chip, x, y) of each tile: chips are filled one after another, each chip's tiles placed by their traffic."""
    each = machine.tiles_per_chip
    index = {name: i for i, name in enumerate(names)}
    wires: list[list[Wire]] = [[] for _ in range(chips)]
    for stream in streams:
        if HOST in (stream.source, stream.target):
            continue
        sources, targets = tiles[index[stream.source]], tiles[index[stream.target]]
        for number, source in enumerate(sources):
            # Positions go in order over the tiles of both ends: a source talks mostly to those of its own share.
            low, high = (
                number * len(targets) // len(sources),
                ceil((number + 1) * len(targets) / len(sources)),
            )
            for target in targets[low:high]:
                if source // each == target // each:
                    weight = ceil(stream.type.bytes / len(sources) / (high - low))
                    wires[source // each].append(Wire(source % each, target % each, weight))
    places: list[tuple[int, int, int]] = []
    for chip, own in enumerate(wires):
        grid = place_on_grid(each, own, machine.chip.width_tiles, machine.chip.height_tiles)
        places += [(chip, x, y) for x, y in grid.places]
    return tuple(places)


def mean_cycles(plan: Plan) -> float:
    """Mean of the crossbar stages' cycles an input."""
    cycles = [o.cycles for s, o in zip(plan.sizings, plan.options, strict=True) if s.product]
    return sum(cycles) / len(cycles) if cycles else 0.0


def product_cycles(plan: Plan) -> float:
    """Cycles between two products of a unit, of the widest inputs there are."""
    bits = [s.product.input_bits for s in plan.sizings if s.product]
    return product_interval(plan.machine, max(bits)) if bits else 0.0
