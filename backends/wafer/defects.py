"""Dead cores and dead links of a wafer: listed, or drawn from a yield, and the rectangles that are kept out of.

A dead core takes its router with it. A dead link takes the core to its west or north out of use, so that no region
holds both of its ends. Dead cores that touch, also at a corner, are kept out of as the one rectangle around them, until
no two rectangles touch: then a wavelet can walk around any of them without meeting another. Where the machine has spare
columns, only what they cannot stand in for is kept out of (`wsc.backends.wafer.spares`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator
from scipy import ndimage

from wsc.backends.wafer.spares import Repair, repair
from wsc.compiler.machine import Count, Part, Rate, sourced

Cell = tuple[Annotated[int, Field(ge=0, strict=True)], Annotated[int, Field(ge=0, strict=True)]]
Cells = Annotated[tuple[Cell, ...], BeforeValidator(sourced)]
Links = Annotated[tuple[tuple[Cell, Cell], ...], BeforeValidator(sourced)]


@dataclass(frozen=True, order=True)
class Box:
    """Cores from (x, y) to (right, bottom), both included."""

    x: int
    y: int
    right: int
    bottom: int

    @property
    def cores(self) -> int:
        """Number of cores."""
        return (self.right - self.x + 1) * (self.bottom - self.y + 1)

    @property
    def cells(self) -> tuple[tuple[int, int], ...]:
        """The cores as (x, y)."""
        return tuple((x, y) for y in range(self.y, self.bottom + 1) for x in range(self.x, self.right + 1))

    @property
    def transposed(self) -> Box:
        """The box with x and y exchanged."""
        return Box(self.y, self.x, self.bottom, self.right)


class Defects(Part):
    """What is broken on one wafer: cores as [x, y], links as [[x, y], [x, y]] of neighbours, and random ones.

    Each core is dead with a chance of 1 - `core_yield`, drawn with `seed`; both are given or neither. Every row has
    `spare_columns` cores more than the fabric is wide, and places count these too. A link takes `detour_hops` more for
    each column that it skips or goes aside.
    """

    dead_cores: Cells = ()
    dead_links: Links = ()
    core_yield: Annotated[Rate, Field(le=1)] | None = None
    seed: Count | None = None
    spare_columns: Count = 0
    detour_hops: Count = 1

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.core_yield is None) != (self.seed is None):
            raise ValueError("core_yield and seed are given together")
        for (ax, ay), (bx, by) in self.dead_links:
            if abs(ax - bx) + abs(ay - by) != 1:
                raise ValueError(f"dead_links: ({ax}, {ay}) and ({bx}, {by}) are no neighbours")
        return self


@lru_cache(maxsize=64)
def keep_outs(defects: Defects, width: int, height: int) -> tuple[Box, ...]:
    """Rectangles without a usable core on a fabric of this size, no two of which touch; raises ValueError.

    It raises where a defect is outside of the fabric, or where the defects cut the fabric in two.
    """
    dead = repaired(defects, width, height).dead
    boxes = _boxes(dead)
    for box in boxes:
        if box.right - box.x + 1 == width or box.bottom - box.y + 1 == height:
            raise ValueError(
                f"dead cores from {(box.x, box.y)} to {(box.right, box.bottom)} cut the fabric in two"
            )
    return boxes


@lru_cache(maxsize=64)
def repaired(defects: Defects, width: int, height: int) -> Repair:
    """The fabric of this size with spare cores in place of dead ones; raises ValueError for a defect outside of it."""
    width_made = width + defects.spare_columns
    cells = [*defects.dead_cores, *(min(link) for link in defects.dead_links)]
    ends = [end for link in defects.dead_links for end in link]
    for x, y in (*cells, *ends):
        if x >= width_made or y >= height:
            raise ValueError(f"({x}, {y}) is outside of a fabric of {width_made} x {height} cores")
    dead = np.zeros((height, width_made), np.bool_)
    if defects.core_yield is not None:
        drawn = np.random.Generator(np.random.PCG64(defects.seed)).random(dead.shape)
        dead |= drawn >= defects.core_yield
    for x, y in cells:
        dead[y, x] = True
    return repair(dead, width)


def _boxes(dead: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> tuple[Box, ...]:
    """Rectangles around what touches, filled until nothing touches any more."""
    while True:
        labels, _ = ndimage.label(dead, np.ones((3, 3), np.int64))
        found = ndimage.find_objects(labels)
        filled = dead.copy()
        for rows, columns in found:
            filled[rows, columns] = True
        if (filled == dead).all():
            return tuple(sorted(Box(c.start, r.start, c.stop - 1, r.stop - 1) for r, c in found))
        dead = filled
