"""Colours that people with any colour vision can tell apart, shared by pictures and terminals.

Group colours are Paul Tol's "light" scheme (https://personal.sron.nl/~pault/), made for areas with black text
on them. Fields use viridis, which is perceptually uniform. From the ninth group on colours come again, hatched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BACKGROUND = "#FFFFFF"
INK = "#1A1A1A"
FAINT_INK = "#5A5A5A"
EDGE = "#3C3C3C"


@dataclass(frozen=True)
class Paint:
    """How an area is filled: a colour, #RRGGBB, and matplotlib's pattern of hatches over it."""

    colour: str
    hatch: str = ""
    hatch_colour: str = BACKGROUND


GROUPS = ("#77AADD", "#EE8866", "#EEDD88", "#FFAABB", "#99DDFF", "#44BB99", "#BBCC33", "#AAAA00")
HATCHES = ("", "////", "....", "xxxx")
FIELD_MAP = "viridis"

UNUSED = Paint("#F4F4F4", "////", "#CFCFCF")
BLOCKED = Paint("#2B2B2B")
NO_VALUE = Paint("#E4E4E4")
BLOCKED_ON_FIELD = Paint("#EE4422")  # the dark end of the map would hide dark cores


def group_paint(index: int) -> Paint:
    """How the group at `index` is filled."""
    return Paint(GROUPS[index % len(GROUPS)], HATCHES[index // len(GROUPS) % len(HATCHES)])


def rgb(colour: str) -> tuple[int, int, int]:
    """#RRGGBB as three numbers from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def shade(values: NDArray[np.float64], scale: tuple[float, float]) -> NDArray[np.uint8]:
    """[..., 4]: the colour of each value on a scale from low to high; transparent where the value is NaN."""
    from matplotlib import colormaps

    low, high = scale
    unknown = np.isnan(values)
    parts = np.clip((np.where(unknown, low, values) - low) / (high - low), 0.0, 1.0)
    rgba: NDArray[np.uint8] = colormaps[FIELD_MAP](parts, bytes=True)
    rgba[unknown] = 0
    return rgba


def is_dark(colour: NDArray[np.uint8]) -> bool:
    """Whether white reads better on it than black."""
    red, green, blue = (int(part) for part in colour[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 127
