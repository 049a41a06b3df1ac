"""The undominated rectangles of all kinds of blocks as arrays that compiled code reads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wsc.placement.candidates import Catalogue
from wsc.placement.problem import Ints


class Sides(NamedTuple):
    """Widths and heights of all kinds of blocks one after another; kind k has rows start[k] to start[k + 1]."""

    width: Ints
    height: Ints
    start: Ints


def sides_of(menus: Catalogue, limit: int) -> Sides | None:
    """Of each menu the rectangles that no other is as narrow and as low as; None where one has none."""
    fronts = [np.array(menu.front(limit), np.int64).reshape(-1, 2) for menu in menus.menus]
    if min(map(len, fronts)) == 0:
        return None
    every = np.concatenate(fronts)
    start = np.cumsum([0, *map(len, fronts)]).astype(np.int64)
    return Sides(every[:, 0].copy(), every[:, 1].copy(), start)


def turned(sides: Sides) -> Sides:
    """With x and y exchanged."""
    return Sides(sides.height, sides.width, sides.start)
