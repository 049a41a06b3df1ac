"""What each kernel of a model takes of a wafer at the least: cores, and on a core weights, buffers and code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from wsc.backends.wafer.chunks import SHORTENING, plan_chunks
from wsc.backends.wafer.coarse import Coarse, Job, SizingParams
from wsc.backends.wafer.cutting import AxisCut, Cutting, is_sum
from wsc.backends.wafer.depths import plan_depths
from wsc.backends.wafer.emit.kernel import DraftedKernel, draft_kernel
from wsc.backends.wafer.estimate import code_bytes, data_bytes
from wsc.backends.wafer.kernels import cut_kernels
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.plan import WAYS, Way
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.relays import relayed
from wsc.backends.wafer.schedule import Asked
from wsc.backends.wafer.sequential.plan import whole_model
from wsc.backends.wafer.sequential.region import Laid
from wsc.compiler.errors import UnsupportedModel
from wsc.compiler.fit import Fit, Need
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.model import Model

_TRIED = 24  # ways to cut a kernel that are drafted, fewest cores first


def fits(model: Model, machine: Wafer, asked: Asked) -> tuple[Fit, ...]:
    """A pipeline of kernels, and layer after layer with weights resident or fetched, those that were asked for."""
    found = []
    if asked.schedule in ("", "pipeline") and not model.graph.state:
        found.append(pipeline_fit(model.graph, machine))
    for schedule in ("sequential", "streaming"):
        if asked.schedule in ("", schedule):
            found += _in_order(model, machine, asked, schedule)
    return tuple(found)


def pipeline_fit(graph: Graph, machine: Wafer) -> Fit:
    """Every kernel cut into as few cores as hold it, in the shortest chunks; where that is too much, waiting least."""
    fit = _fit(graph, WAYS[0], machine)
    return fit if fit.fits else _fit(graph, WAYS[-1], machine)


def _fit(graph: Graph, way: Way, machine: Wafer) -> Fit:
    graph = relayed(graph, way.readers) if way.readers else graph
    kernels = cut_kernels(graph)
    chunkings = plan_chunks(kernels, SHORTENING[-1])
    depths = plan_depths(kernels, chunkings, way.waiting)
    jobs = [Job(k, chunkings[k.name], depths[k.name]) for k in kernels]
    least = {job.key: _least(job, machine) for job in {job.key: job for job in jobs}.values()}
    needs = []
    for job in jobs:
        cores, parts = least[job.key]
        needs.append(Need(job.kernel.name, job.kernel.group, cores, parts, machine.core.sram_bytes))
    return Fit("pipeline", "core", machine.usable_cores, tuple(needs))


def _least(job: Job, machine: Wafer) -> tuple[int, tuple[tuple[str, int], ...]]:
    """Cores and bytes of the cut of fewest cores that fits; of least bytes, where none does."""
    coarse = Coarse.of(job, machine, SizingParams())
    able = np.flatnonzero(coarse.fits)
    order = able[np.lexsort((coarse.bytes[able], coarse.cores[able]))][:_TRIED]
    for index in order:
        parts = _parts(_drafted(job, coarse, int(index)), machine)
        if sum(size for _, size in parts) <= machine.core.sram_bytes:
            return int(coarse.cores[index]), parts
    smallest = int(np.argmin(np.where(coarse.placeable, coarse.bytes, np.inf)))
    return int(coarse.cores[smallest]), _parts(_drafted(job, coarse, smallest), machine)


def _drafted(job: Job, coarse: Coarse, index: int) -> DraftedKernel:
    cut = [(a, t, p) for a, (t, p) in enumerate(coarse.choice(index)) if p > 1]
    cut.sort(key=lambda c: is_sum(job.kernel, c[0]))
    cuts = tuple(AxisCut(a, t, p, "y") for a, t, p in cut)
    return draft_kernel(job.kernel, Cutting(cuts, job.chunking, job.depths))


def _parts(drafted: DraftedKernel, machine: Wafer) -> tuple[tuple[str, int], ...]:
    """Bytes of one core by what they are for; a send to one reader is counted with the code."""
    instructions = len(drafted.once) + len(drafted.body) + 1
    weights, others = _split(drafted.buffers)
    code = code_bytes(instructions, machine) + machine.core.runtime_code_bytes
    return (("weights", weights), ("buffers", others), ("code", code))


def _split(buffers: Sequence[Buffer]) -> tuple[int, int]:
    """Bytes of weights, and of all other buffers."""
    weights = data_bytes([b for b in buffers if b.role == "weight"])
    return weights, data_bytes(buffers) - weights


def _in_order(model: Model, machine: Wafer, asked: Asked, schedule: str) -> Iterator[Fit]:
    """All layers on one region, one after another; nothing where an op has no such layout."""
    try:
        laid = whole_model(model, machine, asked.wanted, schedule == "streaming")
    except UnsupportedModel:
        return
    mesh = laid.drafted.mesh
    parts = _laid_parts(laid, machine)
    name, cores = "all layers", mesh.width * mesh.height
    whole = Need(name, schedule, cores, parts, machine.core.sram_bytes)
    yield Fit(
        f"{schedule} on {mesh.width} x {mesh.height} cores",
        "core",
        machine.usable_cores,
        (whole,),
        shared=True,
    )


def _laid_parts(laid: Laid, machine: Wafer) -> tuple[tuple[str, int], ...]:
    """Bytes of one core; buffers whose lifetimes do not meet share memory, so that theirs are what is left."""
    code = laid.code + machine.core.runtime_code_bytes
    buffers = laid.drafted.buffers
    weights = data_bytes([b for b in buffers if b.role == "weight"])
    kept = data_bytes([b for b in buffers if b.role == "state"])
    rest = laid.bytes - code - weights - kept
    return (("weights", weights), ("state", kept), ("buffers", rest), ("code", code))
