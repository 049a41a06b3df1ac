"""A cache of keys or values that grows by an element a step, held by one line of parts after another (WaferLLM).

Appending to one part ("concat") fills its memory while that of all others stays free. In balance every part hands its
oldest element on to the next part, by one shift between neighbours, and no part ever holds two more than another: the
cache holds as many elements as all parts together have slots (WaferLLM, arXiv 2502.04563, section 5.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wsc.backends.wafer.algorithms.block import Block
from wsc.backends.wafer.instructions import Append, Filled
from wsc.backends.wafer.program import Buffer, Program
from wsc.compiler.errors import AlgorithmError, DoesNotFit
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Layout, Mesh


@dataclass(frozen=True)
class Cache:
    """How elements are held: along dimension `dim`, which is cut along `axis`.

    Not `balanced`, what comes after the first `start` elements stays on part 0.
    """

    axis: str
    dim: int
    balanced: bool = True
    start: int = 0

    def capacity(self, mesh: Mesh, cache: Buffer) -> int:
        """How many elements a cache holds before a part has no slot left."""
        slots, parts = cache.layout.cuts[self.dim][-1].tile, mesh[self.axis].parts
        if self.balanced:
            return slots * parts
        return self.start + max(0, slots - -(-self.start // parts)) if self.start <= slots * parts else 0


def append(block: Block, cache: Buffer, fresh: Buffer, length: Buffer, how: Cache) -> Buffer:
    """The cache with one element more, in the same memory; `length` i32[1], on every core, counts those before.

    `fresh` has extent 1 along the dimension and is on every part of the axis or on part 0. Raises AlgorithmError where
    the cache is not cut along the axis alone, or `fresh` does not lie as the rest of it.
    """
    cuts = cache.layout.cuts[how.dim]
    if (
        len(cuts) != 1
        or cuts[0].axis != how.axis
        or cache.type.shape[how.dim] != cuts[0].tile * block.mesh[how.axis].parts
    ):
        raise AlgorithmError(
            f"a cache has full tiles cut along '{how.axis}' in dimension {how.dim}, not {cache.layout}"
        )
    shape = tuple(1 if d == how.dim else n for d, n in enumerate(cache.type.shape))
    others = tuple(() if d == how.dim else c for d, c in enumerate(cache.layout.cuts))
    wanted = TensorType(cache.type.dtype, shape)
    if fresh.type != wanted or fresh.layout.cuts != others or set(fresh.layout.at) > {how.axis}:
        raise AlgorithmError(
            f"a cache {cache.type} {cache.layout} takes {wanted} {Layout(others)}, not {fresh.type} {fresh.layout}"
        )
    op = Append(how.axis, how.dim, how.balanced, how.start)
    return block.overwrite(op, [fresh, cache, length], cache)


def filled(block: Block, cache: Buffer, length: Buffer, how: Cache) -> Buffer:
    """Truth values [1, t] of the slots that hold an element, cut as dimension `dim` of the cache is."""
    rank = cache.type.rank
    shape = (1,) * (rank - 1) + (cache.type.shape[how.dim],)
    layout = Layout(((),) * (rank - 1) + (cache.layout.cuts[how.dim],))
    op = Filled(how.axis, rank - 1, how.balanced, how.start)
    return block.add(op, [length], TensorType(DType.BOOL, shape), layout, "filled")


def longest(build: Callable[[int], Program], most: int = 1 << 24) -> int:
    """The largest number up to `most` for which `build` fits the machine; 0 where none does.

    `build` makes, for instance, the program of a decode step for a context, and raises DoesNotFit.
    """
    low, high = 0, 1
    while high <= most and _fits(build, high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _fits(build, middle) else (low, middle)
    return low


def _fits(build: Callable[[int], Program], size: int) -> bool:
    try:
        build(size)
    except DoesNotFit:
        return False
    return True
