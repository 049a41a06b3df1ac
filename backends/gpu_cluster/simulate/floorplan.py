"""The cluster as a picture: a column for each rank of an NVLink domain, a row for each domain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wsc.backends.gpu_cluster.instructions import Communicate, Launch, Send
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.program import Program, class_of_ranks, flat, peak_bytes
from wsc.backends.gpu_cluster.simulate.energy import energies
from wsc.simulation.floorplan import Field, Floorplan, Region
from wsc.simulation.trace import Trace


def floorplan(program: Program, machine: Cluster, trace: Trace) -> Floorplan:
    """Which GPU is of which class, with memory, and time in kernels and in collectives over it."""
    width = min(machine.gpus, machine.system.domain_gpus)
    height = -(-machine.gpus // width)
    classes = class_of_ranks(program)
    regions = tuple(
        Region(f"rank {rank}", rank % width, rank // width, 1, 1, _group(program, int(number)))
        for rank, number in enumerate(classes)
    )
    peaks = [peak_bytes(program, ranks) for ranks in program.classes]
    held = _over(np.array(peaks, np.float64)[classes], width, height)
    fields = (
        Field("Memory held at most", "bytes", held, low=0, high=machine.gpu.hbm_bytes),
        Field(
            "Utilisation, in kernels of an interval",
            "",
            _over(_busy(program, trace), width, height),
            low=0,
            high=1,
        ),
        Field(
            "Links, bytes an input moved by collectives",
            "bytes",
            _over(_moved(program), width, height),
            low=0,
        ),
        Field("Energy of an input", "J", _over(_joules(program, machine, trace), width, height), low=0),
    )
    return Floorplan(f"{program.name} on {machine.name}", width, height, regions, fields)


def _group(program: Program, number: int) -> str:
    where = program.classes[number].where
    return " ".join(f"{axis} {index}" for axis, index in where) or "rank"


def _busy(program: Program, trace: Trace) -> NDArray[np.float64]:
    """Each rank's share of the interval in kernels; kernels of one class follow each other in the trace."""
    classes = class_of_ranks(program)
    shares = []
    rows = iter(trace.kernels)
    for ranks in program.classes:
        count = sum(isinstance(i, Launch | Communicate) for i in flat(ranks.body))
        cycles = sum(next(rows).compute_cycles for _ in range(count))
        shares.append(min(1.0, cycles / trace.interval_cycles))
    return np.array(shares)[classes]


def _moved(program: Program) -> NDArray[np.float64]:
    """Bytes an input of each rank's collectives and messages."""
    totals = [
        sum(i.bytes for i in flat(ranks.body) if isinstance(i, Communicate | Send)) / program.runs
        for ranks in program.classes
    ]
    return np.array(totals, np.float64)[class_of_ranks(program)]


def _joules(program: Program, machine: Cluster, trace: Trace) -> NDArray[np.float64]:
    seconds = trace.interval_cycles / trace.clock_hz * program.runs
    return np.array([e.joules / program.runs for e in energies(program, machine, seconds)])


def _over(values: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """One value a rank as rows of domains, NaN where a GPU has no rank."""
    full = np.full(width * height, np.nan)
    full[: len(values)] = values
    return full.reshape(height, width)
