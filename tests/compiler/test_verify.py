"""Each invariant of a graph, broken once."""

from dataclasses import replace

import pytest

from tests.compiler import golden
from tests.compiler.graphs import graph
from wsc.compiler.errors import VerificationError
from wsc.compiler.ir.graph import Graph, Location, Node, State
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ir.verify import Verified, verify
from wsc.compiler.ops import Input

GOOD = graph(
    "%x = input(index=0) : f32[2,3]",
    "%w = parameter(key='w') : f32[4,3]",
    '%y = contract(equation="ak,nk->an") %x %w : f32[2,4] at "m.py":7 in "fc"',
    "return %y",
)
X, W, Y = GOOD.nodes


def with_nodes(*nodes: Node) -> Graph:
    return replace(GOOD, nodes=nodes)


BROKEN = {
    "a name twice": with_nodes(X, W, Y, W),
    "a name with a space": with_nodes(X, replace(W, name="a b"), Y),
    "an empty name": with_nodes(X, replace(W, name=""), Y),
    "a use before the node": with_nodes(X, Y, W),
    "a use of no node": with_nodes(X, Y),
    "a node that reads itself": with_nodes(X, W, replace(Y, inputs=("x", "y"))),
    "a source with inputs": with_nodes(X, replace(W, inputs=("x",)), Y),
    "input indices with a gap": with_nodes(replace(X, op=Input(1)), W, Y),
    "input indices twice": with_nodes(X, replace(X, name="x2"), W, Y),
    "another type than inferred": with_nodes(X, W, replace(Y, type=TensorType.parse("f32[2,5]"))),
    "operands that do not fit": with_nodes(X, replace(W, type=TensorType.parse("f32[4,5]")), Y),
    "the same, from an unknown place": with_nodes(
        X, replace(W, type=TensorType.parse("f64[4,3]")), replace(Y, location=Location())
    ),
    "too many operands": with_nodes(X, W, replace(Y, inputs=("x", "w", "w"))),
    "no outputs": replace(GOOD, outputs=()),
    "an output that is no node": replace(GOOD, outputs=("y", "z")),
    "a state of no input": replace(GOOD, state=(State(1, 0),)),
    "a state of no output": replace(GOOD, state=(State(0, 1),)),
    "a state that changes its type": replace(GOOD, state=(State(0, 0),)),
    "an input in two states": replace(GOOD, outputs=("x", "x"), state=(State(0, 0), State(0, 1))),
}


def test_a_sound_graph_passes() -> None:
    verify(GOOD)


def test_each_invariant_broken_once() -> None:
    messages = []
    for what, broken in BROKEN.items():
        with pytest.raises(VerificationError) as caught:
            verify(broken)
        messages.append(f"{what}: {caught.value}\n")
    golden.check("verify_errors.txt", "".join(messages))


@pytest.mark.parametrize("what", BROKEN)
def test_what_was_right_in_a_graph_before_hides_nothing(what: str) -> None:
    with pytest.raises(VerificationError) as alone:
        verify(BROKEN[what])
    verified = Verified()
    verify(GOOD, verified)
    with pytest.raises(VerificationError) as after:
        verify(BROKEN[what], verified)
    assert str(after.value) == str(alone.value)


@pytest.mark.parametrize("operand", [X, W])
def test_a_reader_is_asked_again_when_an_operand_changes_its_type(operand: Node) -> None:
    """The reader is the very node that was right, and right again once the operand is as it was."""
    verified = Verified()
    verify(GOOD, verified)
    other = replace(operand, type=TensorType.parse("f32[5,3]"))
    changed = with_nodes(*(other if node is operand else node for node in (X, W)), Y)
    for _ in range(2):  # what was refused is not taken for right
        with pytest.raises(VerificationError, match=r"^node 'y' says f32\[2,4\], its op infers f32\["):
            verify(changed, verified)
    verify(GOOD, verified)


def test_a_node_that_takes_the_place_of_another_in_memory_is_looked_at() -> None:
    verified = Verified()
    for _ in range(50):
        verify(with_nodes(X, W, replace(Y)), verified)
        wrong = with_nodes(X, W, replace(Y, type=TensorType.parse("f32[2,5]")))
        with pytest.raises(VerificationError, match="its op infers"):
            verify(wrong, verified)
