"""Reduces and all-reduces of a buffer in a block: the algorithm by name, or the one of fewest modelled cycles."""

from __future__ import annotations

from dataclasses import dataclass, replace

from wsc.backends.wafer.algorithms.block import Block
from wsc.backends.wafer.algorithms.choose import choose_all_reduce, choose_reduce
from wsc.backends.wafer.instructions import AllReduce, Move, ReduceTo
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.trees import rooted_tree
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.layout import Layout

FUNCTIONS = ("sum", "max", "min")


@dataclass(frozen=True)
class Combining:
    """How sums are made across cores: on the machine given by modelled cycles, or by an algorithm by name.

    `group` goes with "two-phase" and "k-tree". `root` is the part that an all-reduce's tree leads to, "middle" the one
    in the middle of the line, from which both sides are as far; a reduce always leads to part 0.
    """

    machine: Wafer
    algorithm: str | None = None
    group: int | None = None
    root: int | str = 0


def combine(
    block: Block,
    partial: Buffer,
    axis: str,
    how: Combining,
    *,
    fn: str = "sum",
    everywhere: bool = True,
    name: str = "",
) -> Buffer:
    """Addends on the parts of an axis combined, on every part or on part 0 alone.

    Raises AlgorithmError where the buffer is no addend along the axis, or the algorithm cannot serve.
    """
    if axis not in partial.layout.partial:
        raise AlgorithmError(
            f"'{partial.name}' of layout {partial.layout} has no partial sums along '{axis}'"
        )
    if fn not in FUNCTIONS:
        raise AlgorithmError(f"cores combine by {', '.join(FUNCTIONS)}, not by '{fn}'")
    rest = tuple(a for a in partial.layout.partial if a != axis)
    layout = replace(partial.layout, partial=rest)
    if not everywhere:
        layout = replace(layout, at=(*layout.at, axis))
    op = _op(block, partial, axis, how, fn, everywhere)
    return block.add(op, [partial], partial.type, layout, name)


def combine_all(block: Block, partial: Buffer, how: Combining, *, fn: str = "sum", name: str = "") -> Buffer:
    """Addends along all axes of the buffer combined, on every part."""
    for axis in partial.layout.partial:
        partial = combine(block, partial, axis, how, fn=fn, name=name)
    return partial


def _op(block: Block, partial: Buffer, axis: str, how: Combining, fn: str, everywhere: bool) -> Move:
    parts, pitch = block.mesh[axis].parts, block.mesh.pitch(axis)
    algorithm, group, root = how.algorithm, how.group, parts // 2 if how.root == "middle" else how.root
    if algorithm is None:
        words = -(-partial.tile_type.bytes // how.machine.fabric.link_bytes_per_cycle) * pitch
        choice = (choose_all_reduce if everywhere else choose_reduce)(words, parts, how.machine, pitch)
        algorithm, group, root = choice.algorithm, choice.group, choice.root
    if not isinstance(root, int):
        raise AlgorithmError(f"an all-reduce leads to a part by number or to its 'middle', not to '{root}'")
    if everywhere and algorithm == "ring":
        return AllReduce(axis, fn, "ring")
    try:
        rooted_tree(parts, algorithm, group, root)
    except ValueError as error:
        raise AlgorithmError(str(error)) from error
    if everywhere:
        return AllReduce(axis, fn, algorithm, group, root or None)
    if root:
        raise AlgorithmError(f"a reduce leads to part 0, not to part {root}: use an all-reduce")
    return ReduceTo(axis, fn, algorithm, group)


def partial_layout(layout: Layout, axes: tuple[str, ...]) -> Layout:
    """The layout with addends along more axes."""
    return replace(layout, partial=(*layout.partial, *axes))
