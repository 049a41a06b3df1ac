"""A segment on a rectangle of cores: the mesh and the cuts that are cheapest and fit, or by how much they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from wsc.backends.wafer.estimate import code_bytes
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Repeat
from wsc.backends.wafer.sequential.assign import Cuts, has_tokens, outer_parts, search
from wsc.backends.wafer.sequential.cost import expected_cycles, known_in, too_large
from wsc.backends.wafer.sequential.dims import Dims
from wsc.backends.wafer.sequential.draft import Conflict
from wsc.backends.wafer.sequential.memory import placed
from wsc.backends.wafer.sequential.priced import Dearer, Pieces, PricedBuilder
from wsc.backends.wafer.sequential.roll import Rolled
from wsc.backends.wafer.sequential.segment import Builder, Drafted, Segment, instructions_in
from wsc.compiler.errors import UnsupportedModel
from wsc.compiler.ir.graph import Node
from wsc.compiler.layout import Mesh, MeshAxis


@dataclass(frozen=True)
class Task:
    """What is laid out: the rolled graph, keys of stacked weights, the machine, and whether weights are fetched."""

    rolled: Rolled
    dims: Dims
    keys: Mapping[str, str]
    machine: Wafer
    fetch: bool = False


@dataclass(frozen=True)
class Laid:
    """A segment laid out; `cycles` are expected, `bytes` those of a core with code and runtime."""

    segment: Segment
    drafted: Drafted
    cuts: Cuts = field(repr=False)
    cycles: float = inf
    bytes: int = 0
    code: int = 0


def lay_out(task: Task, segment: Segment, width: int, height: int) -> Laid:
    """The cheapest way found; it may not fit the memory of a core."""
    nodes = nodes_of(task.rolled, segment)
    return lay_out_on(task, segment, _meshes(task.dims, nodes, width, height))


def lay_out_on(task: Task, segment: Segment, meshes: Sequence[Mesh]) -> Laid:
    """The cheapest way found on one of the meshes; it may not fit the memory of a core."""
    nodes = nodes_of(task.rolled, segment)
    found: list[tuple[float, Mesh, Cuts]] = []
    for mesh in meshes:
        cuts, cost = search(task.dims, nodes, mesh, _Price(task, segment, mesh))
        if cost < inf:
            found.append((cost, mesh, cuts))
    if not found:
        raise UnsupportedModel(
            f"'{segment.name}' of '{task.rolled.graph.name}' cannot be laid out on a whole region (--schedule"
            " sequential or streaming), however its dimensions are cut."
        )
    _, mesh, cuts = min(found, key=lambda option: option[0])
    return lay(task, segment, mesh, cuts)


def lay(task: Task, segment: Segment, mesh: Mesh, cuts: Cuts) -> Laid:
    """A segment on a mesh with its dimensions cut in a given way; raises Conflict."""
    return addressed(task, segment, _draft(task, segment, mesh, cuts), cuts)


def code_alone(task: Task, segment: Segment, layers: bool = False) -> int:
    """Bytes of the code of a segment, or of its layers, that nothing is cut in: cuts only add movements.

    0 where it cannot be drafted.
    """
    try:
        body = _draft(task, segment, mesh_of(1, 1, 1, 1), {}).body
    except Conflict:
        return 0
    told = tuple(i for i in body if isinstance(i.op, Repeat)) if layers else body
    return code_bytes(instructions_in(told), task.machine)


def addressed(
    task: Task,
    segment: Segment,
    drafted: Drafted,
    cuts: Cuts,
    held: Mapping[str, int] | None = None,
    end: int = 0,
) -> Laid:
    """A drafted segment with its buffers' addresses; `held` are those of what is resident, below `end`, if known."""
    mesh = drafted.mesh
    buffers = placed(drafted.buffers, drafted.body, held, end)
    by_name = {b.name: b for b in buffers}
    cycles = expected_cycles(task.machine, mesh, by_name, drafted.body)
    code = code_bytes(instructions_in(drafted.body), task.machine)
    drafted = Drafted(mesh, buffers, drafted.body, drafted.inward, drafted.outward)
    return Laid(
        segment, drafted, cuts, cycles, code + _data(buffers) + task.machine.core.runtime_code_bytes, code
    )


def _data(buffers: tuple[Buffer, ...]) -> int:
    return max((b.address + b.bytes for b in buffers), default=0)


class _Price:
    """Expected cycles of a segment by its cuts, with what it takes beyond a core's memory; infinite on conflict."""

    def __init__(self, task: Task, segment: Segment, mesh: Mesh) -> None:
        self.task, self.segment, self.mesh = task, segment, mesh
        self.pieces = Pieces()

    def __call__(self, cuts: Cuts, limit: float = inf) -> float:
        """The price; where it is above the limit, infinite or the price."""
        machine = self.task.machine
        try:
            drafted = self._drafted(cuts, limit)
        except (Conflict, Dearer):
            return inf
        cycles = expected_cycles(machine, self.mesh, {b.name: b for b in drafted.buffers}, drafted.body)
        held = sum(b.bytes for b in drafted.buffers if b.role != "local")
        largest = max((b.bytes for b in drafted.buffers if b.role == "local"), default=0)
        largest = max([largest, *(known.largest for known in known_in(drafted.body))])
        code = code_bytes(instructions_in(drafted.body), machine) + machine.core.runtime_code_bytes
        return cycles + too_large(held + 2 * largest + code, machine)

    def _drafted(self, cuts: Cuts, limit: float) -> Drafted:
        task = self.task
        return PricedBuilder(
            task.rolled,
            task.dims,
            self.segment,
            task.machine,
            self.mesh,
            cuts,
            task.keys,
            task.fetch,
            pieces=self.pieces,
            limit=limit,
        ).build()


def _draft(task: Task, segment: Segment, mesh: Mesh, cuts: Cuts) -> Drafted:
    builder = Builder(task.rolled, task.dims, segment, task.machine, mesh, cuts, task.keys, task.fetch)
    return builder.build()


def nodes_of(rolled: Rolled, segment: Segment) -> list[Node]:
    """The nodes of a segment and the sources that they read, in the order of the graph."""
    names = {*segment.before, *segment.after, *segment.inside(rolled)}
    names |= {name for n in names for name in rolled.graph[n].inputs}
    return [node for node in rolled.graph.nodes if node.name in names]


def _meshes(dims: Dims, nodes: list[Node], width: int, height: int) -> list[Mesh]:
    """Meshes of rows by columns, the columns in two axes; square ones have their rows in two axes alike."""
    found, tokens = [], has_tokens(dims, nodes)
    for outer in outer_parts(dims, nodes, width):
        found.append(mesh_of(1, height, outer, width // outer))
        side = min(width, height)
        if outer <= side and tokens:
            found.append(mesh_of(outer, side // outer, outer, side // outer))
    return list(dict.fromkeys(found))


def mesh_of(y0: int, y1: int, x0: int, x1: int) -> Mesh:
    """Rows and columns in two axes each."""
    return Mesh(tuple(MeshAxis(n, p, n[0]) for n, p in (("y0", y0), ("y1", y1), ("x0", x0), ("x1", x1))))
