"""The text form reads back to an equal graph, and says which line it cannot read."""

import re
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler import golden
from tests.compiler.graphs import graph
from wsc.compiler.errors import VerificationError
from wsc.compiler.ir.graph import Graph, Location, Node, State
from wsc.compiler.ir.text import parse_graph, parse_op, print_graph, print_op
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import (
    Attention,
    Concat,
    Constant,
    Contract,
    Elementwise,
    Expand,
    Gather,
    Input,
    Norm,
    Op,
    Pad,
    Parameter,
    Pool,
    Reduce,
    Softmax,
    TopK,
)

names = st.text(min_size=1, max_size=12).filter(lambda s: not any(c.isspace() for c in s))
small = st.integers(0, 9)
floats = st.floats(allow_nan=False)
scalars = st.none() | floats | st.integers() | st.booleans()
ops: st.SearchStrategy[Op] = st.one_of(
    st.builds(Input, small),
    st.builds(Parameter, st.text()),
    st.builds(Constant, st.text()),
    st.builds(Elementwise, st.text(), st.lists(scalars, max_size=3).map(tuple)),
    st.builds(Attention, floats, st.booleans()),
    st.builds(
        Contract,
        st.just("abk,nk->abn"),
        st.just(()) | st.just((("b", "n", 1, 2, 3, 4), ("a", "k", 0, 0, 0, 0))),
    ),
    st.builds(Norm, st.sampled_from(["layer", "rms"]), st.lists(small, max_size=3).map(tuple), floats),
    st.builds(Pad, st.lists(small, max_size=3).map(tuple), st.lists(small, max_size=3).map(tuple), floats),
    st.builds(Pool, st.text(), st.lists(st.tuples(*[small] * 6), max_size=2).map(tuple), st.booleans()),
    st.builds(Reduce, st.text(), st.lists(small, max_size=3).map(tuple), st.booleans()),
    st.builds(Expand, st.lists(small, max_size=3).map(tuple), small),
    st.builds(Softmax, small, st.booleans()) | st.builds(Gather, small, small) | st.builds(Concat, small),
    st.builds(TopK, small, small, st.booleans(), st.text()),
)
types = st.builds(TensorType, st.sampled_from(DType), st.lists(small, max_size=4).map(tuple))
locations = st.just(Location()) | st.builds(Location, st.text(), small, st.text())


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs that can be printed; they need not pass the verifier."""
    nodes: list[Node] = []
    for name in draw(st.lists(names, max_size=6, unique=True)):
        earlier = st.sampled_from([node.name for node in nodes]) if nodes else st.nothing()
        inputs = draw(st.lists(earlier, max_size=3)) if nodes else []
        nodes.append(Node(name, draw(ops), tuple(inputs), draw(types), draw(locations)))
    outputs = draw(st.lists(names, max_size=2))
    numbers = st.integers(0, 9)
    state = draw(st.lists(st.builds(State, numbers, numbers), max_size=2))
    return Graph(draw(st.text()), tuple(nodes), tuple(outputs), tuple(state))


@given(graphs())
def test_text_reads_back_to_an_equal_graph(made: Graph) -> None:
    assert parse_graph(print_graph(made)) == made


@given(ops)
def test_ops_read_back_equal(op: Op) -> None:
    again = parse_op(print_op(op))
    assert again == op
    assert repr(again) == repr(op)  # 1, 1.0 and True are equal, and are not the same


def test_strings_that_look_like_text_form_read_back() -> None:
    place = Location('a) : f32[1] at "b":1 in "c"', 3, ") %x : f32[1]")
    key = '\'k") %y : f32[1] at "b":1 in "c"'
    nodes = (
        Node("a)", Parameter(key), (), TensorType(DType.F32, (1,)), place),
        Node("b:=(", Elementwise("add", (None, inf)), ("a)",), TensorType(DType.F32, (1,)), place),
    )
    made = Graph('g" version 2', nodes, ("b:=(",))
    assert parse_graph(print_graph(made)) == made


def test_golden_text() -> None:
    made = graph(
        "%x = input(index=0) : f32[2,3]",
        "%w = parameter(key='fc.weight') : f32[4,3]",
        "%c = constant(key='one') : f32[]",
        '%y = contract(equation="ak,nk->an") %x %w : f32[2,4] at "m\\u00fcller.py":7 in "fc"',
        "%z = elementwise(fn='max', scalars=(None, -1e999)) %y : f32[2,4]",
        "%r = reduce(fn='sum', dims=(), keep=False) %z : f32[2,4]",
        "return %r %c",
    )
    golden.check("graph.txt", print_graph(made))


BAD = {
    "an empty text": "",
    "no nodes, no return": 'graph "g" version 1',
    "another version": 'graph "g" version 2\nreturn %x',
    "a name that is no string": 'graph "\\q" version 1\nreturn %x',
    "no node": 'graph "g" version 1\n%x input\nreturn %x',
    "an unknown op": 'graph "g" version 1\n%x = magic(index=0) : f32[1]\nreturn %x',
    "an unknown attribute": 'graph "g" version 1\n%x = input(place=0) : f32[1]\nreturn %x',
    "a missing attribute": 'graph "g" version 1\n%x = input() : f32[1]\nreturn %x',
    "an attribute without a name": 'graph "g" version 1\n%x = input(0) : f32[1]\nreturn %x',
    "code": 'graph "g" version 1\n%x = input(index=print(1)) : f32[1]\nreturn %x',
    "more than a call": 'graph "g" version 1\n%x = input(index=0) + f(index=0) : f32[1]\nreturn %x',
    "an unknown element type": 'graph "g" version 1\n%x = input(index=0) : f99[1]\nreturn %x',
    "a bad shape": 'graph "g" version 1\n%x = input(index=0) : f32[1,]\nreturn %x',
    "a bad location": 'graph "g" version 1\n%x = input(index=0) : f32[1] at "\\q":1 in ""\nreturn %x',
    "no return": 'graph "g" version 1\n%x = input(index=0) : f32[1]\n',
    "a return of no names": 'graph "g" version 1\n%x = input(index=0) : f32[1]\nreturn x',
}


def test_errors_name_the_line() -> None:
    messages = []
    for what, text in BAD.items():
        with pytest.raises(VerificationError) as caught:
            parse_graph(text)
        messages.append(f"{what}: {caught.value}\n")
    assert all(re.search(r": line \d+: ", message) for message in messages)
    golden.check("text_errors.txt", "".join(messages))
