"""One kernel, cut as the test says and not as the plan would: emitted between streams of the host."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from math import prod

import numpy as np

from tests.compiler.arrays import draw
from tests.wafer.compiling import machine
from tests.wafer.samples import Sample
from wsc.backends.wafer.coarse import cuttable
from wsc.backends.wafer.cutting import AxisCut, Chunking, Cutting, extent, overlap, windows_on
from wsc.backends.wafer.emit.program import emit
from wsc.backends.wafer.kernels import FusedKernel, cut_kernels
from wsc.backends.wafer.legalize import legalize
from wsc.backends.wafer.plan import Plan, PlannedKernel
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.sizing import Candidate
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import AxisKind, Elementwise, Input, Op, Parameter
from wsc.compiler.ops.base import Array
from wsc.placement.result import Placed, Placement

Rng = np.random.Generator
CORNER = (1, 2)  # where a forced kernel lies: x and y differ


class Builder:
    """A graph built node by node, with the arrays of its inputs and weights."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.inputs: list[Array] = []
        self.weights: dict[str, Array] = {}

    def source(self, type: TensorType, array: Array, is_weight: bool) -> str:
        name = f"v{len(self.nodes)}"
        op: Op = Parameter(f"key.{name}") if is_weight else Input(len(self.inputs))
        self.nodes.append(Node(name, op, (), type))
        if is_weight:
            self.weights[f"key.{name}"] = array
        else:
            self.inputs.append(array)
        return name

    def add(self, op: Op, *operands: str) -> str:
        types = {node.name: node.type for node in self.nodes}
        type = op.infer([types[name] for name in operands])
        self.nodes.append(Node(f"v{len(self.nodes)}", op, operands, type))
        return self.nodes[-1].name

    def model(self, *outputs: str) -> Model:
        return Model(Graph("sample", tuple(self.nodes), outputs), self.weights)


def build(
    sample: Sample, weights: Iterable[int] = (), tail: str = "", seed: int = 0
) -> tuple[Model, list[Array]]:
    """A model of the sample, the operands in `weights` being weights, and its inputs; then what `tail` names."""
    made = Builder()
    operands = sample.operands(seed)
    names = [
        made.source(type, array, i in set(weights))
        for i, (type, array) in enumerate(zip(sample.types, operands, strict=True))
    ]
    value = made.add(sample.op, *names)
    type = made.nodes[-1].type
    if type.dtype is DType.F32 and tail:
        value = _with_tail(made, value, type, tail, np.random.default_rng(seed + 1))
    return made.model(value), made.inputs


TAILS = ("", "tanh", "residual", "scaled", "masked", "all")


def _with_tail(made: Builder, value: str, type: TensorType, tail: str, rng: Rng) -> str:
    """What may follow a kernel's anchor: a function, a residual, a broadcast weight, a mask that arrives."""
    if tail in ("tanh", "all"):
        value = made.add(Elementwise("tanh"), value)
    if tail in ("residual", "all"):
        value = made.add(Elementwise("add", (None, None)), made.source(type, draw(type, rng), False), value)
    if tail in ("scaled", "all"):
        narrow = TensorType(type.dtype, tuple(1 if rng.random() < 0.5 else n for n in type.shape))
        for is_weight in (True, False):
            factor = made.source(narrow, draw(narrow, rng), is_weight)
            value = made.add(Elementwise("mul", (None, None)), value, factor)
    if tail in ("masked", "all"):
        mask = TensorType(DType.BOOL, type.shape)
        kept = made.source(mask, draw(mask, rng), False)
        value = made.add(Elementwise("select", (None, None, -1.0)), kept, value)
    return value


def only_kernel(model: Model) -> tuple[Model, FusedKernel]:
    """The model as the wafer takes it, and its one kernel."""
    legal = legalize(model, machine("wafer-16x16"))
    (kernel,) = cut_kernels(legal.graph)
    return legal, kernel


def force(model: Model, kernel: FusedKernel, cutting: Cutting) -> Program:
    """The program of a kernel that is cut this way."""
    mesh = cutting.mesh
    placed = Placed(*CORNER, mesh.width, mesh.height, 0, 0)
    placement = Placement((placed,), 0, 0, 0, mesh.width * mesh.height, "optimal")
    planned = PlannedKernel(kernel, Candidate(cutting, mesh.width, mesh.height, 0, 0), *CORNER)
    return emit(Plan(model.graph, machine("wafer-16x16"), (planned,), placement))


def cuttings(kernel: FusedKernel, rng: Rng, chunking: Chunking) -> Iterator[Cutting]:
    """No cut; every axis that may be cut by itself, every two, and all together, with random tiles and turns."""
    able = [a for a in range(len(kernel.axes)) if extent(kernel, chunking, a) > 1 and cuttable(kernel, a)]
    sets = [(), *((a,) for a in able), *combinations(able, 2), tuple(able)]
    for axes in dict.fromkeys(sets):
        cuts = [_cut(kernel, rng, chunking, a) for a in rng.permutation(np.array(axes, int)).tolist()]
        depths = tuple(int(n) for n in rng.integers(1, 4, len(kernel.streams)))
        yield Cutting(tuple(cuts), chunking, depths)


def _cut(kernel: FusedKernel, rng: Rng, chunking: Chunking, axis: int) -> AxisCut:
    """Tiles of a random size, along x or y; sometimes there is a part more than needed, which holds nothing."""
    slid = windows_on(kernel, axis)
    least = max([1, *(-(-max(overlap(w)) // w.stride) for w, _ in slid)])  # what a halo asks of a neighbour
    n = extent(kernel, chunking, axis)
    tile = int(rng.integers(least, max(least, n - 1) + 1))
    owned = [(n, tile), *((length, tile * w.stride) for w, length in slid)]
    parts = max(-(-length // size) for length, size in owned) + int(rng.random() < 0.2)
    return AxisCut(axis, tile, parts, "xy"[int(rng.integers(2))])


def chunkings(kernel: FusedKernel) -> list[Chunking]:
    """The whole tensor at once, and the most and fewest chunks along every axis that allows them."""
    found = [Chunking()]
    for axis, about in enumerate(kernel.axes):
        everywhere = all(axis in row for row in kernel.result_axes)
        arrives = any(axis in feed.axes for feed in kernel.streams)
        if about.kind is AxisKind.PARALLEL and everywhere and arrives and not windows_on(kernel, axis):
            divisors = [n for n in range(2, about.extent + 1) if about.extent % n == 0]
            found += [
                Chunking(axis, n) for n in dict.fromkeys((divisors or [1])[i] for i in (0, -1)) if n > 1
            ]
    return found


def cores(cutting: Cutting) -> int:
    return prod(c.parts for c in cutting.cuts)
