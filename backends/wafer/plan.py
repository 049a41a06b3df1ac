"""The plan of a wafer: which kernels there are, how each is cut, and where it lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wsc.backends.target import Progress
from wsc.backends.wafer.chunks import SHORTENING, ChunkParams, plan_chunks
from wsc.backends.wafer.coarse import Coarse, Job, SizingParams
from wsc.backends.wafer.deepen import deepen
from wsc.backends.wafer.defects import Box
from wsc.backends.wafer.depths import plan_depths
from wsc.backends.wafer.kernels import FusedKernel, cut_kernels, resolve
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.sizing import Candidate, candidates
from wsc.compiler.errors import DoesNotFit, InternalError
from wsc.compiler.ir.graph import Graph
from wsc.compiler.quantities import format_bytes
from wsc.placement.check import check
from wsc.placement.problem import Block, Fabric, Net, Problem, Shape
from wsc.placement.result import Placement
from wsc.placement.solver import Progress as Search
from wsc.placement.solver import Told, solve

_AIM = 0.9  # share of the fabric that rectangles of given shapes can be hoped to fill


@dataclass(frozen=True)
class PlannedKernel:
    """A kernel, the way it is cut, and the corner of its region."""

    kernel: FusedKernel
    candidate: Candidate
    x: int
    y: int


@dataclass(frozen=True)
class Plan:
    """All kernels of a graph on a wafer; `undamaged` is the placement on one without defects, where it has some."""

    graph: Graph
    machine: Wafer
    kernels: tuple[PlannedKernel, ...]
    placement: Placement
    undamaged: Placement | None = None


def make_plan(graph: Graph, machine: Wafer, progress: Progress | None = None) -> Plan:
    """Cut, size and place the kernels of a graph, in shorter chunks where it does not fit; raises DoesNotFit.

    `progress` hears of the slowest kernel that the placer has, and of the least that it may be.
    """
    _check_capacity(graph, machine)
    kernels = cut_kernels(graph)
    for params in SHORTENING[:-1]:
        try:
            return _plan_chunked(graph, kernels, machine, params, progress)
        except DoesNotFit:
            continue
    return _plan_chunked(graph, kernels, machine, SHORTENING[-1], progress)


def _plan_chunked(
    graph: Graph,
    kernels: Sequence[FusedKernel],
    machine: Wafer,
    params: ChunkParams,
    progress: Progress | None,
) -> Plan:
    chunkings = plan_chunks(kernels, params)
    depths = plan_depths(kernels, chunkings)
    readers = _readers(graph, kernels)
    jobs = [Job(k, chunkings[k.name], depths[k.name], readers[k.result.name]) for k in kernels]
    distinct = {job.key: job for job in jobs}
    target = _target_cycles([distinct[job.key] for job in jobs], machine)
    menus = {key: _menu(job, machine, target) for key, job in distinct.items()}
    choices = [menus[job.key] for job in jobs]
    problem = _problem(kernels, choices, machine)
    try:
        placement = solve(problem, told=progress and _told(progress))
    except DoesNotFit as error:
        raise DoesNotFit(f"'{graph.name}' does not fit {machine.name} in a pipeline. {error}") from error
    if faults := check(problem, placement):
        raise InternalError(f"the placement of '{graph.name}' is not legal: {'; '.join(faults)}")
    spots = placement.placed
    chosen = [menu[spot.payload] for menu, spot in zip(choices, spots, strict=True)]
    roomy = deepen(kernels, chosen, machine.core.sram_bytes)
    planned = tuple(
        PlannedKernel(k, candidate, spot.x, spot.y)
        for k, candidate, spot in zip(kernels, roomy, spots, strict=True)
    )
    undamaged = solve(replace(problem, fabric=_fabric(machine, ()))) if machine.keep_outs else None
    return Plan(graph, machine, planned, placement, undamaged)


def _told(progress: Progress) -> Told:
    """What the placer tells, as people read it."""

    def told(search: Search) -> None:
        slowest = f"slowest kernel {search.incumbent:,.0f} cycles, {search.bound:,.0f} at least"
        progress(slowest, round(100 * search.done), 100)

    return told


def _check_capacity(graph: Graph, machine: Wafer) -> None:
    """Refuse at once a model whose weights alone are more than all SRAM."""
    weights = sum(node.type.bytes for node in graph.weights)
    code = machine.core.runtime_code_bytes
    room = machine.usable_cores * (machine.core.sram_bytes - code)
    if weights > room:
        raise DoesNotFit(
            f"'{graph.name}' does not fit {machine.name}: in a pipeline all weights stay in SRAM, and its "
            f"{format_bytes(weights)} of weights are {format_bytes(weights - room)} more than the "
            f"{format_bytes(room)} of all {machine.usable_cores:,} cores ({machine.core.sram_bytes:,} B a core less "
            f"{code:,} B of runtime). A 16-bit or narrower element type, fewer layers, or a larger fabric would "
            "make it fit."
        )


def _readers(graph: Graph, kernels: Sequence[FusedKernel]) -> Counter[str]:
    """How many streams take each kernel's result."""
    taken = Counter(feed.source for kernel in kernels for feed in kernel.streams)
    taken.update(resolve(graph, name)[0] for name in graph.outputs)
    return taken


def _target_cycles(jobs: Sequence[Job], machine: Wafer) -> float:
    """About the least interval at which all kernels together fit the fabric, by the coarse model."""
    made: dict[int, Coarse] = {}
    for job in jobs:
        if id(job) not in made:
            made[id(job)] = Coarse.of(job, machine, SizingParams())
    low, high = 1.0, 1e15
    while high / low > 1.02:
        middle = (low * high) ** 0.5
        cores = sum(_least_cores(made[id(job)], middle) for job in jobs)
        low, high = (low, middle) if cores <= _AIM * machine.usable_cores else (middle, high)
    return high


def _least_cores(coarse: Coarse, cycles: float) -> float:
    able = coarse.fits & (coarse.cycles <= cycles)
    return float(np.min(coarse.cores, where=able, initial=np.inf))


def _menu(job: Job, machine: Wafer, target: float) -> list[Candidate]:
    menu = candidates(job, machine, target)
    if menu:
        return menu
    kernel = job.kernel
    weights = sum(f.type.bytes for f in kernel.feeds if f.is_weight)
    node = kernel.anchor
    raise DoesNotFit(
        f"kernel '{kernel.name}' ({kernel.group}, {node.location}) does not fit {machine.name}: it holds "
        f"{weights:,} bytes of weights and {sum(f.type.bytes for f in kernel.streams):,} bytes of activations, and "
        f"in no way of cutting it over the {machine.cores:,} cores do its tiles stay within the "
        f"{machine.core.sram_bytes:,} bytes of SRAM a core has. A shorter sequence, a smaller batch, a 16-bit element "
        "type or a larger fabric would help."
    )


def _problem(kernels: Sequence[FusedKernel], choices: Sequence[list[Candidate]], machine: Wafer) -> Problem:
    shapes: dict[int, tuple[Shape, ...]] = {}
    for menu in choices:
        if id(menu) not in shapes:
            shapes[id(menu)] = tuple(Shape(c.width, c.height, c.cycles, i) for i, c in enumerate(menu))
    blocks = tuple(Block(k.name, shapes[id(m)], k.group) for k, m in zip(kernels, choices, strict=True))
    return Problem(_fabric(machine, machine.keep_outs), blocks, _nets(kernels))


def _fabric(machine: Wafer, keep_outs: Sequence[Box]) -> Fabric:
    blocked = tuple(cell for box in keep_outs for cell in box.cells)
    return Fabric(machine.grid.width_cores, machine.grid.height_cores, blocked)


def _nets(kernels: Sequence[FusedKernel]) -> tuple[Net, ...]:
    number = {k.result.name: i for i, k in enumerate(kernels)}
    traffic: Mapping[tuple[int, int], int]
    traffic = {}
    for i, kernel in enumerate(kernels):
        for feed in kernel.streams:
            if feed.source in number:
                key = (number[feed.source], i)
                traffic[key] = traffic.get(key, 0) + feed.type.bytes
    return tuple(Net(a, b, weight) for (a, b), weight in traffic.items())
