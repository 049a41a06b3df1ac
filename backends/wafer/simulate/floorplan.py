"""The wafer as a picture: where the kernels lie, and the fields over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from wsc.backends.wafer.instructions import Recv, Send
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import HOST, Kernel, Program
from wsc.backends.wafer.simulate.heat import energy_map, temperature_map
from wsc.backends.wafer.simulate.maps import maps_of
from wsc.backends.wafer.simulate.prepare import Prepared, prepare
from wsc.simulation.floorplan import Field, Floorplan, Region
from wsc.simulation.trace import Trace


def floorplan(program: Program, machine: Wafer, trace: Trace, wafer: int = 0) -> Floorplan:
    """Regions of a simulated program with its memory, its compute share and the words on its links; of one wafer."""
    which = f", wafer {wafer} of {program.wafers}" if program.wafers > 1 else ""
    program, trace = _one_wafer(program, trace, wafer)
    prepared = prepare(program, machine)
    maps = maps_of(prepared, trace)
    return Floorplan(
        title=f"{program.name} on {machine.name}{which}",
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
            *_heat(prepared, trace),
        ),
    )


def _heat(prepared: Prepared, trace: Trace) -> Iterator[Field]:
    """The energy of an input, and the temperature where the machine says how it is cooled."""
    machine, joules = prepared.machine, energy_map(prepared, trace.interval_cycles)
    yield Field("Energy of an input, the edge's left out", "J", joules, low=0)
    if machine.thermal is not None:
        degrees = temperature_map(machine, joules, trace.interval_cycles)
        yield Field("Temperature, steady state", "°C", degrees)


def _one_wafer(program: Program, trace: Trace, wafer: int) -> tuple[Program, Trace]:
    """Of several wafers one, without what comes from the others: they have their regions at the same places."""
    if program.wafers == 1:
        return program, trace
    kept = [i for i, k in enumerate(program.kernels) if k.wafer == wafer]
    names = {program.kernels[i].name for i in kept} | {HOST}
    streams = tuple(s for s in program.streams if {s.source.kernel, s.target.kernel} <= names)
    joined = {s.name for s in streams}
    kernels = tuple(_without_ports(program.kernels[i], joined) for i in kept)
    traced = replace(trace, kernels=tuple(trace.kernels[i] for i in kept))
    return replace(program, kernels=kernels, streams=streams), traced


def _without_ports(kernel: Kernel, streams: set[str]) -> Kernel:
    body = (i for i in kernel.body if not isinstance(i.op, Recv | Send) or i.op.stream in streams)
    return replace(kernel, body=tuple(body))
