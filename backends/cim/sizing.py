"""Ways to run a stage: how many copies of its weights, and in how many chunks; fewer cycles for more units."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from wsc.backends.cim.estimate import digital_cycles, product_interval
from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.matrix import copy_units, make_product
from wsc.backends.cim.program import UNSIGNED, Product
from wsc.backends.cim.stages import WHOLE, Cut, Draft

MAX_CHUNKS = 64
MIN_CHUNKS = 12  # where there are as many rows: what follows begins early
_SLOWER = 1.08  # that a stage may be for more chunks


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
    variants: tuple[Option, ...] = ()  # every option with other chunks

    def finest(self, option: Option, limit: float) -> Option:
        """The option's copies in as many chunks as stay within a limit of cycles: a short way through the pipeline."""
        within = [
            o
            for o in self.variants
            if o.copies == option.copies and o.cycles <= _SLOWER * max(limit, option.cycles)
        ]
        return max(within, key=lambda o: (o.chunks, -o.cycles), default=option)


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
    interval = product_interval(machine, product.input_bits, product.input_encoding != UNSIGNED)
    write = write_cycles(product, machine)
    variants = _variants(product.positions, rows if streams else 1, most, interval, units, write)
    return Sizing(draft, product, rows, digital, _fastest(variants), variants)


def write_cycles(product: Product, machine: CimMachine) -> float:
    """Cycles an input to write a matrix that is an activation, all blocks side by side; 0 for a weight."""
    if not product.rewritten:
        return 0.0
    paired = 2 if product.encoding == "differential_rows" else 1
    return min(product.rows, product.block_rows) * paired * machine.write.row_cycles


def _variants(
    positions: int, rows: int, most: int, interval: float, units: int, write: float
) -> tuple[Option, ...]:
    """Every sensible number of copies in every sensible number of chunks."""
    found: list[Option] = []
    row = positions // rows
    for rows_a_chunk in _chunk_rows(rows):
        chunks = ceil(rows / rows_a_chunk)
        in_chunk = row * rows_a_chunk
        for share in _shares(in_chunk, most):
            copies = ceil(in_chunk / share)
            found.append(
                Option(copies, chunks, share, ceil(write + chunks * share * interval), copies * units)
            )
    return tuple(found)


def _fastest(variants: tuple[Option, ...]) -> tuple[Option, ...]:
    """For each number of copies the fastest option, less those that more copies do not make faster."""
    kept: list[Option] = []
    for option in sorted(variants, key=lambda o: (o.copies, o.cycles, -o.chunks)):
        if not kept or option.cycles < kept[-1].cycles:
            kept.append(option)
    return tuple(kept)


def _chunk_rows(rows: int) -> list[int]:
    """Rows of a chunk to try, few first."""
    least, most = ceil(rows / MAX_CHUNKS), ceil(rows / min(rows, MIN_CHUNKS))
    return sorted({ceil(rows / chunks) for chunks in range(1, rows + 1)} & set(range(least, most + 1)))


def _shares(positions: int, most: int) -> list[int]:
    """Positions of a copy to try: every one that no smaller number of copies gives, up to `most` copies."""
    return sorted({ceil(positions / copies) for copies in range(1, min(most, positions) + 1)})
