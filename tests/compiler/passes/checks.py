"""What holds for every pass, on one model."""

from collections.abc import Callable

from tests.compiler import golden
from tests.compiler.arrays import assert_close
from tests.compiler.graphs import outputs
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.text import print_graph
from wsc.compiler.ir.verify import verify
from wsc.compiler.passes.rewrite import weight_key


def check_pass(name: str, apply: Callable[[Model], Model], before: Model) -> Model:
    """Compare before and after with a golden file, and check what holds for every pass."""
    after = apply(before)
    golden.check(f"pass_{name}.txt", f"{print_graph(before.graph)}\n{print_graph(after.graph)}")
    verify(after.graph)
    assert_same_outputs(before, after)
    assert_same_inputs(before, after)
    assert_only_referenced_weights(after)
    assert_idempotent(apply, after)
    assert_blind_to_bytes(apply, before, after)
    return after


def assert_same_outputs(before: Model, after: Model) -> None:
    for old, new in zip(outputs(before), outputs(after), strict=True):
        assert_close(new, old)


def assert_same_inputs(before: Model, after: Model) -> None:
    assert [(n.name, n.type) for n in before.graph.inputs] == [(n.name, n.type) for n in after.graph.inputs]


def assert_only_referenced_weights(model: Model) -> None:
    assert set(model.weights) <= {weight_key(node) for node in model.graph.weights}


def assert_idempotent(apply: Callable[[Model], Model], once: Model) -> None:
    twice = apply(once)
    assert twice.graph == once.graph
    assert twice.weights.keys() == once.weights.keys()


def assert_blind_to_bytes(apply: Callable[[Model], Model], before: Model, after: Model) -> None:
    """A model captured without the bytes of its parameters gives the same graph, and no bytes for them."""
    constants = {weight_key(n): None for n in before.graph.weights if n.op.kind == "constant"}
    without = apply(Model(before.graph, {key: before.weights[key] for key in constants}))
    assert without.graph == after.graph
    known = {weight_key(n) for n in after.graph.weights if n.op.kind == "constant"}
    assert set(without.weights) == known
