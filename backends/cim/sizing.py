"""Ways to run a stage: how many copies of its weights, and in how many chunks; fewer cycles for more units."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from wsc.backends.cim.estimate import digital_cycles, product_interval
from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.matrix import copy_units, make_product
from wsc.backends.cim.program import Product
from wsc.backends.cim.stages import WHOLE, Cut, Draft

MAX_CHUNKS = 64
_WASTE = 1.1  # of cycles over whole positions that finer chunks may cost


@dataclass(frozen=True)
class Option:
    """`copies` copies make a chunk's positions, `positions` each, `chunks` times; `cycles` in all, in `units` units."""

    copies: int
    chunks: int
    positions: int
    cycles: int
    units: int


@dataclass(frozen=True)
class Sizing:
    """A stage with its options, fewer cycles for more units; digital stages have one, without units."""

    draft: Draft
    product: Product | None
    rows: int
    digital: float  # cycles of digital work on one tile
    options: tuple[Option, ...]


def size(cut: Cut, draft: Draft, machine: CimMachine, budget: int) -> Sizing:
    """The options of a stage within a budget of units; at least the smallest, even where it is beyond the budget."""
    rows = cut.rows(draft)
    digital = digital_cycles(machine, cut.graph, draft)
    if not draft.is_crossbar:
        chunks = ceil(rows / ceil(rows / MAX_CHUNKS))
        return Sizing(draft, None, rows, digital, (Option(1, chunks, 0, ceil(digital), 0),))
    product = make_product(cut.graph, draft.head, machine, 1)
    streams = cut.stream_dim[draft.head.name] != WHOLE
    units = copy_units(product, machine)
    most = max(1, budget // units)
    interval = product_interval(machine, product.input_bits)
    options = _options(product.positions, rows if streams else 1, most, interval, units)
    return Sizing(draft, product, rows, digital, options)


def _options(positions: int, rows: int, most: int, interval: float, units: int) -> tuple[Option, ...]:
    best: dict[int, Option] = {}
    row = positions // rows
    for rows_a_chunk in _chunk_rows(rows):
        chunks = ceil(rows / rows_a_chunk)
        in_chunk = row * rows_a_chunk
        for share in _shares(in_chunk, most):
            copies = ceil(in_chunk / share)
            option = Option(copies, chunks, share, ceil(chunks * share * interval), copies * units)
            # Finer chunks shorten the way through the pipeline: worth a little of the interval.
            old = best.get(copies)
            if old is None or option.cycles * _WASTE < old.cycles:
                best[copies] = option
    kept: list[Option] = []
    for _, option in sorted(best.items()):
        if not kept or option.cycles < kept[-1].cycles:
            kept.append(option)
    return tuple(kept)


def _chunk_rows(rows: int) -> list[int]:
    """Rows of a chunk to try, few first."""
    least = ceil(rows / MAX_CHUNKS)
    return sorted({ceil(rows / chunks) for chunks in range(1, rows + 1)} & set(range(least, rows + 1)))


def _shares(positions: int, most: int) -> list[int]:
    """Positions of a copy to try: every one that no smaller number of copies gives, up to `most` copies."""
    return sorted({ceil(positions / copies) for copies in range(1, min(most, positions) + 1)})
