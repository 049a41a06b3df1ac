"""Temperature of a die in the steady state: heat spreads sideways in the silicon and leaves through the cold plate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn

from wsc.compiler.machine import Thermal


def temperature(
    watts: NDArray[np.float64], thermal: Thermal, cell_mm: tuple[float, float]
) -> NDArray[np.float64]:
    """Degrees Celsius of each cell of a grid from the power in each: [height, width] both.

    `cell_mm` is the width and the height of a cell. Each cell exchanges heat with its four neighbours through the
    silicon between their middles (conductivity x thickness x length of the common side / distance) and with the coolant
    through its own area; no heat leaves through the rim of the die. This linear system of finite volumes (Incropera and
    DeWitt, Fundamentals of Heat and Mass Transfer, chapter 4) is diagonal in the cosine basis of its rim, and is solved
    there exactly.
    """
    width, height = cell_mm
    sheet = thermal.silicon_watts_per_m_k * thermal.silicon_mm * 1e-3  # W/K of a square, whatever its size
    out = width * height / thermal.resistance_k_mm2_per_watt
    rows, columns = watts.shape
    loss = out + sheet * (width / height * _modes(rows)[:, None] + height / width * _modes(columns)[None, :])
    spectrum = dctn(watts, type=2, norm="ortho") / loss
    rise: NDArray[np.float64] = idctn(spectrum, type=2, norm="ortho")
    return thermal.coolant_celsius + rise


def _modes(count: int) -> NDArray[np.float64]:
    """Eigenvalues of the differences between neighbours in a line with closed ends."""
    return np.asarray(2 - 2 * np.cos(np.pi * np.arange(count) / count), dtype=np.float64)
