"""The wafer as a picture: where the kernels lie, and the fields over them."""

from __future__ import annotations

import numpy as np

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate.maps import core_maps
from wsc.simulation.floorplan import Field, Floorplan, Region
from wsc.simulation.trace import Trace


def floorplan(program: Program, machine: Wafer, trace: Trace) -> Floorplan:
    """Regions of a simulated program with its memory, its compute share and the words on its links."""
    maps = core_maps(program, machine, trace)
    return Floorplan(
        title=f"{program.name} on {machine.name}",
        width=program.width,
        height=program.height,
        regions=tuple(Region(k.name, k.x, k.y, k.width, k.height, k.group) for k in program.kernels),
        blocked=tuple(cell for box in machine.keep_outs for cell in box.cells),
        fields=(
            Field(
                "SRAM used",
                "bytes",
                maps.memory_bytes.astype(np.float64),
                low=0,
                high=machine.core.sram_bytes,
            ),
            Field(
                "Utilisation, compute cycles of an interval",
                "",
                maps.compute_share.astype(np.float64),
                low=0,
                high=1,
            ),
            Field("Links, all that leave a core", "words/input", maps.link_words.astype(np.float64), low=0),
            Field(
                "Busiest link that leaves a core",
                "words/input",
                maps.busiest_link_words.astype(np.float64),
                low=0,
            ),
        ),
    )
