"""Plans that several tests draw."""

from __future__ import annotations

import numpy as np

from wsc.simulation.floorplan import Field, Floorplan, Region


def small_plan() -> Floorplan:
    """Four kernels of three groups on 16 x 8 cores, two of them blocked, with memory and use."""
    regions = (
        Region("model.embed", 0, 0, 3, 8, "embedding"),
        Region("model.h.0.fc", 3, 0, 5, 6, "linear"),
        Region("model.h.0.norm", 3, 6, 5, 1, "norm"),
        Region("model.h.1.fc", 8, 0, 5, 6, "linear"),
    )
    memory = np.full((8, 16), np.nan)
    memory[:, :13] = np.linspace(0, 49152, 8 * 13).reshape(8, 13)
    memory[7, 3:13] = np.nan
    fields = (Field("SRAM per core", "bytes", memory, 0, 49152), Field("use", "", memory / 49152))
    return Floorplan("small", 16, 8, regions, fields, ((15, 0), (15, 7)))


def random_plan(width: int, height: int, count: int) -> Floorplan:
    """`count` overlapping rectangles of six groups, with one field that has holes."""
    random = np.random.default_rng(1)
    regions = []
    for number in range(count):
        x, y = int(random.integers(width - 1)), int(random.integers(height - 1))
        wide, high = int(random.integers(1, width - x)), int(random.integers(1, height - y))
        regions.append(
            Region(f"model.h.{number}.fc", x, y, min(wide, 150), min(high, 150), f"group {number % 6}")
        )
    values = random.normal(size=(height, width))
    values[values < -1] = np.nan
    return Floorplan("random", width, height, tuple(regions), (Field("noise", "J", values),), ((0, 0),))
