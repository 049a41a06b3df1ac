"""The plan of a wafer: which kernels there are, how each is cut, and where it lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np

from wsc.backends.target import Progress
from wsc.backends.wafer.chunks import SHORTENING, plan_chunks
from wsc.backends.wafer.coarse import Coarse, Job, SizingParams
from wsc.backends.wafer.deepen import deepen
from wsc.backends.wafer.defects import Box
from wsc.backends.wafer.depths import DepthParams, in_time, plan_depths
from wsc.backends.wafer.kernels import FusedKernel, cut_kernels, resolve
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.relays import relayed
from wsc.backends.wafer.sizing import Candidate, candidates
from wsc.compiler.errors import DoesNotFit, InternalError
from wsc.compiler.ir.graph import Graph
from wsc.compiler.quantities import format_bytes
from wsc.placement.check import check
from wsc.placement.problem import Block, Fabric, Net, Problem, Shape
from wsc.placement.result import Placement
from wsc.placement.solver import Progress as Search
from wsc.placement.solver import Told, solve


@dataclass(frozen=True)
class Way:
    """How many kernels a value is sent to, before a copy of it sends it on (0: any), and what room waiting has."""

    readers: int = 0
    waiting: DepthParams = field(default_factory=DepthParams)


# Relays and less room for what waits take longer: a model that does not fit with one is tried with the next.
WAYS = (
    Way(),
    *(Way(6, DepthParams(late=True, inputs=inputs)) for inputs in (None, 8, 2, 1)),
)
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


def make_plan(
    graph: Graph,
    machine: Wafer,
    progress: Progress | None = None,
    proven: Callable[[Plan], object] = lambda plan: None,
) -> Plan:
    """Cut, size and place the kernels of a graph; raises DoesNotFit.

    Where it does not fit, it is tried in shorter chunks; then with values passed on from reader to reader, and less
    and less room for what waits between kernels. `proven` raises DoesNotFit for a plan whose program takes more
    colours than there are. `progress` hears of the slowest kernel that the placer has, and of the least that it may be.
    """
    _check_capacity(graph, machine)
    rooms = _Rooms(machine)
    refused: list[tuple[int, DoesNotFit]] = []  # with how far each came
    for way in WAYS:
        shared = relayed(graph, way.readers) if way.readers else graph
        kernels = cut_kernels(shared)
        readers = _readers(shared, kernels)
        for params in SHORTENING:
            chunkings = plan_chunks(kernels, params)
            depths = plan_depths(kernels, chunkings, way.waiting)
            jobs = [Job(k, chunkings[k.name], depths[k.name], readers[k.result.name]) for k in kernels]
            last = way is WAYS[-1] and params is SHORTENING[-1]
            if not rooms.hold(jobs) and (refused or not last):
                continue
            came = 0
            try:
                menus, came = rooms.menus(jobs), 1
                order = in_time(kernels, chunkings) if way.waiting.late else []
                plan, came = _placed(shared, kernels, menus, order, machine, progress), 2
                proven(plan)
            except DoesNotFit as error:
                refused.append((came, error))
                if came == 2:  # with shorter chunks as many streams would meet
                    break
            else:
                return plan
    raise max(reversed(refused), key=lambda found: found[0])[1]


class _Rooms:
    """What the kernels of a pipeline take of the fabric, one way of chunking and buffering after another."""

    def __init__(self, machine: Wafer) -> None:
        self.machine = machine
        self._least: dict[Hashable, float] = {}  # cores of a job at its smallest, by the coarse model
        self._coarse: dict[Hashable, Coarse] = {}  # of the jobs at hand

    def hold(self, jobs: Sequence[Job]) -> bool:
        """Whether every kernel fits some region, and all at their smallest together the fabric.

        Of the coarse model; candidates are cut as it is, so that no placement has room for what has none here.
        """
        keys = [job.key for job in jobs]
        self._coarse = {}
        for key, job in zip(keys, jobs, strict=True):
            if key not in self._least:
                self._coarse[key] = Coarse.of(job, self.machine, SizingParams())
                self._least[key] = _least_cores(self._coarse[key], inf)
            if self._least[key] == inf:
                return False
        return sum(self._least[key] for key in keys) <= self.machine.usable_cores

    def menus(self, jobs: Sequence[Job]) -> list[list[Candidate]]:
        """The candidates of each job, jobs of one key sharing theirs; raises DoesNotFit for one that has none."""
        keys = [job.key for job in jobs]
        distinct = dict(zip(keys, jobs, strict=True))
        for key, job in distinct.items():
            if key not in self._coarse:
                self._coarse[key] = Coarse.of(job, self.machine, SizingParams())
        target = _target_cycles([self._coarse[key] for key in keys], self.machine)
        menus = {key: _menu(job, self._coarse[key], self.machine, target) for key, job in distinct.items()}
        return [menus[key] for key in keys]


def _placed(
    graph: Graph,
    kernels: Sequence[FusedKernel],
    choices: Sequence[list[Candidate]],
    order: Sequence[tuple[int, int]],
    machine: Wafer,
    progress: Progress | None,
) -> Plan:
    problem = _problem(kernels, choices, order, machine)
    try:
        placement = solve(problem, told=progress and _told(progress))
    except DoesNotFit as error:
        raise DoesNotFit(
            f"'{graph.name}' does not fit {machine.name} in a pipeline: {_inside(error)}"
        ) from error
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


def _inside(error: DoesNotFit) -> str:
    """An error as a part of a sentence."""
    text = str(error)
    return text[:1].lower() + text[1:]


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


def _target_cycles(coarse: Sequence[Coarse], machine: Wafer) -> float:
    """About the least interval at which all kernels together fit the fabric, by the coarse model."""

    def cores(cycles: float) -> float:
        return sum(_least_cores(one, cycles) for one in coarse)

    least = cores(inf)
    aim = _AIM * machine.usable_cores
    if least <= machine.usable_cores:  # where little is left, what there is
        aim = max(aim, least)
    low, high = 1.0, 1e15
    while high / low > 1.02:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if cores(middle) <= aim else (middle, high)
    return high


def _least_cores(coarse: Coarse, cycles: float) -> float:
    able = coarse.fits & (coarse.cycles <= cycles)
    return float(np.min(coarse.cores, where=able, initial=np.inf))


def _menu(job: Job, coarse: Coarse, machine: Wafer, target: float) -> list[Candidate]:
    menu = candidates(job, machine, target, coarse=coarse)
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


def _problem(
    kernels: Sequence[FusedKernel],
    choices: Sequence[list[Candidate]],
    order: Sequence[tuple[int, int]],
    machine: Wafer,
) -> Problem:
    """Kernels to place: by the bytes between them, or, where an order of theirs is given, all streams alike short.

    A stream takes a colour wherever it goes, however little it carries.
    """
    shapes: dict[int, tuple[Shape, ...]] = {}
    for menu in choices:
        if id(menu) not in shapes:
            shapes[id(menu)] = tuple(Shape(c.width, c.height, c.cycles, i) for i, c in enumerate(menu))
    blocks = tuple(Block(k.name, shapes[id(m)], k.group) for k, m in zip(kernels, choices, strict=True))
    nets = _nets(kernels)
    if order:
        joined = dict.fromkeys([*((net.source, net.target) for net in nets), *order])
        nets = tuple(Net(source, target) for source, target in joined)
    return Problem(_fabric(machine, machine.keep_outs), blocks, nets)


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
