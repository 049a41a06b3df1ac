"""Conductances of programmed cells: levels, what programming and time make of them, and wires in series.

All in units of the largest conductance. Noise is relative to the range between off and on, as published figures are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsc.backends.cim.machine import CimMachine, Physics

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Conditions:
    """Of one analog run: the seed of every draw, and seconds from programming to reading; raises ValueError.

    `ideal` leaves out all of the cells' physics, so that converters alone are at work. `adc_bits` replaces the
    machine's; 0 keeps it. `compensated` takes the mean drift out by a digital factor, as chips do; what differs from
    cell to cell stays.
    """

    seed: int = 0
    seconds: float = 0.0
    ideal: bool = False
    adc_bits: int = 0
    compensated: bool = True

    def __post_init__(self) -> None:
        if self.seconds < 0 or not 0 <= self.adc_bits <= 32:
            raise ValueError(f"conditions need a time of at least 0 and converters of 1 to 32 bits: {self}")


def program_cells(
    levels: NDArray[np.int64],
    top: int,
    machine: CimMachine,
    conditions: Conditions,
    rng: np.random.Generator,
) -> Floats:
    """What cells [rows, columns] at `levels` from 0 to `top` add to a column, in levels, at the time of reading.

    The off conductance is taken off again by a reference column. Wires: the current of a cell passes its own row up to
    its column and its column down to the end; to first order each cell is in series with that much wire.
    """
    p = machine.physics
    ideal = levels.astype(np.float32)
    if conditions.ideal:
        return ideal
    off = np.float32(1 / p.on_off_ratio)
    span = np.float32(1) - off
    g = off + span * ideal / np.float32(top)
    if p.programming_sigma:
        g += np.float32(p.programming_sigma) * span * rng.standard_normal(g.shape, np.float32)
    if p.stuck_fraction:
        draw = rng.random(g.shape, np.float32)
        g = np.where(draw < p.stuck_fraction / 2, off, np.where(draw < p.stuck_fraction, np.float32(1), g))
    g = np.maximum(g, 0) * drift_factor(p, conditions)
    if p.drift_sigma and conditions.seconds > p.drift_start_seconds:
        spread = np.float32(p.drift_sigma) * rng.standard_normal(g.shape, np.float32)
        g = g * np.float32(conditions.seconds / p.drift_start_seconds) ** -spread
    if p.wire_ohm:
        g = g / (1 + g * _wire(levels.shape, p))
    if conditions.compensated:
        g = g / drift_factor(p, conditions)
    return np.asarray((g - off) * (np.float32(top) / span), np.float32)


def drift_factor(p: Physics, conditions: Conditions) -> np.float32:
    """What is left of a conductance: (t / t0) ** -nu (Joshi et al., Nature Communications 2020)."""
    if conditions.seconds <= p.drift_start_seconds:
        return np.float32(1)
    return np.float32((conditions.seconds / p.drift_start_seconds) ** -p.drift_exponent)


def _wire(shape: tuple[int, ...], p: Physics) -> Floats:
    """Resistance of the wires to each cell [rows, columns], in units of that of a cell that is fully on."""
    rows, columns = shape[-2:]
    along = (
        np.arange(1, columns + 1, dtype=np.float32)[None, :]
        + np.arange(rows, 0, -1, dtype=np.float32)[:, None]
    )
    return (along * np.float32(p.wire_ohm * p.on_siemens)).astype(np.float32)
