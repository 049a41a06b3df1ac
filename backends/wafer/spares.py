"""Spare cores: each row skips its dead cores, so that programs see a whole fabric whose links are a little longer.

A row has some cores more than the fabric is wide. Its first live ones, as many as the fabric is wide, are the row that
programs see; links past what is dead reach further. So neighbours in a column may stand some columns apart. Cerebras
says that a wafer has 1 to 1.5 % of spare cores, and redundant links, diagonal ones among them, by which the cores
between a defect and a spare of its row move by one (Hot Chips 2019; WikiChip Fuse 3010). What longer links cost is not
said.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Repair:
    """A fabric as programs see it; all arrays are [row, column].

    `dead` cores are those that no spare stands in for. `aside[y, x]` is how many columns the core stands further on
    than its number says.
    """

    dead: Cells
    aside: Counts
    spares: int
    replaced: int

    @cached_property
    def whole(self) -> bool:
        """Whether every core stands where its number says."""
        return not self.aside.any()

    @cached_property
    def along_columns(self) -> Counts:
        """Columns that the links of each column have gone aside, in all, from row 0 to each row."""
        steps = np.abs(np.diff(self.aside, axis=0))
        return np.concatenate([np.zeros((1, self.aside.shape[1]), np.int64), steps.cumsum(axis=0)])

    def across(self, x: int, y: int, width: int, height: int) -> dict[str, int]:
        """Columns that links skip along the worst row, and go aside along the worst column, of a region."""
        rows, columns = slice(y, y + height), slice(x, x + width)
        down = self.along_columns[:, columns]
        return {
            "x": int((self.aside[rows, x + width - 1] - self.aside[rows, x]).max()),
            "y": int((down[y + height - 1] - down[y]).max()),
        }

    @property
    def facts(self) -> str:
        """What stands in for what, and how much longer links are in the mean."""
        height, width = self.aside.shape
        row = float(self.aside[:, -1].mean()) / max(1, width - 1)
        column = float(self.along_columns[-1].mean()) / max(1, height - 1)
        left = int(self.dead.sum())
        return (
            f"{self.replaced:,} of {self.spares:,} spare cores stand in for dead ones"
            + (f", {left:,} dead ones are left" if left else "")
            + f"; a link along a row skips {row:.4f} columns in the mean, one along a column goes {column:.2f} aside"
        )


def repair(dead: Cells, width: int) -> Repair:
    """Repair a fabric whose rows have as many spares as `dead` is wider than `width`.

    Where a row has more dead cores than spares, the last of them stay.
    """
    spares = dead.shape[1] - width
    if not dead.any():
        return Repair(dead[:, :width], np.zeros((len(dead), width), np.int64), spares * len(dead), 0)
    skipped = dead & (dead.cumsum(axis=1) <= spares)
    places = np.argsort(skipped, axis=1, kind="stable")[:, :width]
    left = np.take_along_axis(dead, places, axis=1)
    return Repair(
        left, places - np.arange(width), spares * dead.shape[0], int((skipped & _used(places, dead)).sum())
    )


def _used(places: Counts, dead: Cells) -> Cells:
    """Cores up to the last one of each row that programs see."""
    return np.arange(dead.shape[1]) <= places[:, -1:]
