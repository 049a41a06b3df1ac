"""The pipeline over random graphs: the numbers stay, every graph between passes verifies, and twice is once."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wsc.compiler.ir.graph import Graph, Location, Node
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import (
    Constant,
    Contract,
    Elementwise,
    Expand,
    Input,
    Norm,
    Op,
    Parameter,
    Permute,
    Reduce,
    Reshape,
    Softmax,
)
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.compiler.passes.recognise import recognise
from wsc.compiler.passes.rewrite import apply_op
from wsc.compiler.passes.simplify import simplify

SIDE = 4  # every tensor is [2, 4, 4], so that any two go together
SHAPE = (2, SIDE, SIDE)
ONE = (
    Elementwise("tanh"),
    Elementwise("mul", (None, 0.5)),
    Elementwise("add", (None, 0)),
    Permute((0, 2, 1)),
    Permute((0, 1, 2)),
    Softmax(2),
    Norm("rms", (2,), 1e-5),
)
TWO = (
    Elementwise("add", (None, None)),
    Elementwise("mul", (None, None)),
    Contract("abk,akn->abn"),
)
STEPS = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=14
)


def make(steps: list[tuple[int, int, int]], seed: int) -> tuple[Model, np.ndarray]:
    """A model that grows by one step after another from an input, a parameter and a constant."""
    rng = np.random.default_rng(seed)
    type_ = TensorType(DType.F32, SHAPE)
    narrow = TensorType(DType.F32, (1, SIDE, SIDE))
    nodes = [
        Node("x", Input(0), (), type_),
        Node("w", Parameter("w"), (), type_),
        Node("c", Constant("c"), (), narrow),
    ]
    nodes.append(apply_op("wide", Expand(SHAPE), nodes[2:], Location()))
    usable = [nodes[0], nodes[1], nodes[3]]
    for number, (what, first, second) in enumerate(steps):
        nodes += grown(f"n{number}", what, [usable[-1 - first % 3], usable[second % len(usable)]])
        usable.append(nodes[-1])
    weights = {
        "w": rng.standard_normal(SHAPE).astype(np.float32),
        "c": rng.standard_normal(narrow.shape).astype(np.float32),
    }
    outputs = (nodes[-1].name, usable[len(usable) // 2].name)
    return Model(Graph("random", tuple(nodes), outputs), weights), rng.standard_normal(SHAPE).astype(
        np.float32
    )


def grown(name: str, what: int, operands: list[Node]) -> list[Node]:
    """One op, or a few that spell out a norm, a view of a view, or an attention's core."""
    first, second = operands
    chosen = what % (len(ONE) + len(TWO) + 3)
    if chosen < len(ONE):
        return [apply_op(name, ONE[chosen], [first], Location())]
    if chosen < len(ONE) + len(TWO):
        return [apply_op(name, TWO[chosen - len(ONE)], [first, second], Location())]
    spelled: tuple[tuple[Op, ...], ...] = (
        (Reshape((2, 16)), Reshape(SHAPE)),
        (Contract("abk,akn->abn"), Elementwise("mul", (None, 0.5)), Softmax(2)),
        (Elementwise("mul", (None, None)), Reduce("mean", (2,), True), Elementwise("add", (None, 1e-3))),
    )
    nodes: list[Node] = []
    for step, op in enumerate(spelled[chosen - len(ONE) - len(TWO)]):
        binary = isinstance(op, Contract) or op == Elementwise("mul", (None, None))
        given = (
            [first, first if len(nodes) or chosen % 2 else second]
            if binary
            else [nodes[-1] if nodes else first]
        )
        nodes.append(apply_op(f"{name}.{step}", op, given, Location()))
    if nodes[-1].type.shape != SHAPE:
        nodes.append(apply_op(f"{name}.root", Elementwise("rsqrt"), nodes[-1:], Location()))
        nodes.append(
            apply_op(f"{name}.scaled", Elementwise("mul", (None, None)), [first, nodes[-1]], Location())
        )
    elif isinstance(nodes[-1].op, Softmax):
        nodes.append(apply_op(f"{name}.mixed", Contract("abk,akn->abn"), [nodes[-1], second], Location()))
    return nodes


@settings(max_examples=150)
@given(steps=STEPS, seed=st.integers(0, 9))
def test_numbers_stay_and_twice_is_once(steps: list[tuple[int, int, int]], seed: int) -> None:
    model, x = make(steps, seed)
    found = run_pipeline(model)
    with np.errstate(all="ignore"):
        ours = interpret(found.graph, (x,), found.weights)
        theirs = interpret(model.graph, (x,), model.weights)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4)
    assert run_pipeline(found).graph == found.graph
    for rewriting in (simplify, recognise):
        once = rewriting(model)
        assert rewriting(once).graph == once.graph
