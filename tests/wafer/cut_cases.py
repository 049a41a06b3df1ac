"""Sequential plans with cuts of one's own, for tests of what a search would seldom choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tests.wafer import models
from tests.wafer.sequential_cases import machine
from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.sequential.causal import with_causal
from wsc.backends.wafer.sequential.division import cut_segments
from wsc.backends.wafer.sequential.draft import Axes
from wsc.backends.wafer.sequential.emit import emit_sequential
from wsc.backends.wafer.sequential.placed import PlacedSegment
from wsc.backends.wafer.sequential.plan import SequentialPlan, task_of
from wsc.backends.wafer.sequential.region import Task, lay
from wsc.backends.wafer.sequential.roll import roll
from wsc.backends.wafer.target import TARGET
from wsc.backends.wafer.verify import verify
from wsc.compiler.ir.graph import Node
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Mesh
from wsc.compiler.ops import Attention, Constant, Expand
from wsc.compiler.ops.base import Array

WAFER = machine("wafer-8x8")


@dataclass(frozen=True)
class Cutting:
    """A model as the wafer takes it, whose dimensions are cut as one asks."""

    model: Model
    task: Task

    @staticmethod
    def of(given: Model, fetch: bool = False) -> Cutting:
        model = TARGET.legalize(given, WAFER)
        rolled = roll(with_causal(model.graph, model.weights))
        return Cutting(model, task_of(model, rolled, WAFER, fetch))

    @property
    def atoms(self) -> list[int]:
        """What may be cut."""
        return [a for a in self.task.dims.extent if a not in self.task.dims.whole]

    def program(self, mesh: Mesh, cuts: Mapping[int, Axes]) -> Program:
        """All layers on one region; raises Conflict where the cuts do not serve."""
        rolled, dims = self.task.rolled, self.task.dims
        laid = lay(self.task, cut_segments(rolled, [rolled.count])[0], mesh, cuts)
        schedule = "streaming" if self.task.fetch else "sequential"
        placed = (PlacedSegment(laid, 0, 0, 0),)
        program = emit_sequential(
            SequentialPlan(self.model.graph, WAFER, schedule, placed, rolled, dims, self.task.keys)
        )
        verify(program)
        return program

    def check(self, program: Program, inputs: list[Array]) -> None:
        """Its numbers are the model's."""
        weights = self.model.weights
        expected = interpret(self.model.graph, inputs, weights)
        for a, b in zip(execute(program, weights, inputs), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * np.abs(b).max())


def without_causal(model: Model) -> Model:
    nodes = tuple(
        replace(n, op=replace(n.op, causal=False)) if isinstance(n.op, Attention) else n
        for n in model.graph.nodes
    )
    return replace(model, graph=replace(model.graph, nodes=nodes))


def masked(given: Model, shape: tuple[int, ...]) -> Model:
    """The attention with a mask for all heads in place of `causal`; a query keeps a key, unless it is masked."""
    _, rows, _ = given.graph.nodes[0].type.shape
    mask = Node("mask", Constant("mask"), (), TensorType(DType.BOOL, shape))
    whole = (1, 1, rows, rows)
    spread = Node("spread", Expand(whole), ("mask",), TensorType(DType.BOOL, whole))
    first = next(i for i, node in enumerate(given.graph.nodes) if not node.is_source)
    is_whole = shape == spread.type.shape
    nodes = [
        replace(n, inputs=(*n.inputs, "mask" if is_whole else "spread")) if isinstance(n.op, Attention) else n
        for n in without_causal(given).graph.nodes
    ]
    kept = np.random.default_rng(1).random(shape) < 0.5
    if shape[-1] > 1:
        kept[..., 0] = True
    made = (mask,) if is_whole else (mask, spread)
    graph = replace(given.graph, nodes=(*nodes[:first], *made, *nodes[first:]))
    return replace(given, graph=graph, weights={**given.weights, "mask": kept})


def blocks(batch: int, rows: int, heads: int) -> dict[str, Model]:
    """An attention of every kind: of all keys, of earlier ones, with masks of pairs, of keys, of queries."""
    given = models.attention_block(batch, rows, heads)
    return {
        "causal": given,
        "all": without_causal(given),
        "pairs": masked(given, (1, 1, rows, rows)),
        "padding": masked(given, (1, 1, 1, rows)),
        "some queries": masked(given, (1, 1, rows, 1)),
    }
