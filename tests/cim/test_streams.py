"""Room in streams: whatever forks, joins, and begins without an input, the least that is given is enough."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cim.models import Made, machine, planned
from tests.compiler.graphs import model
from wsc.backends.cim.legalize import legalize
from wsc.backends.cim.program import HOST
from wsc.backends.cim.simulate import simulate
from wsc.backends.cim.streams import least_room
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ops import Expand
from wsc.compiler.passes.quantize import precision_named, quantize

ROWS, COLUMNS = 24, 8
WIDE, SQUARE = f"f32[{ROWS},{COLUMNS}]", f"f32[{ROWS},{ROWS}]"
SMALL = machine("isaac", chip={"width_tiles": 3, "height_tiles": 3})


def made(*lines: str) -> Made:
    """A graph of one input %v0, quantised and planned for a small ISAAC."""
    found = model(f"%v0 = input(index=0) : {WIDE}", *lines)
    x = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32)
    return planned(quantize(found, precision_named("int8"), [(x,)]), (x,), SMALL)


def linear(number: int, of: int) -> list[str]:
    """%v<number>, of %v<of> by a weight."""
    return [
        f"%w{number} = parameter(key='w{number}') : f32[{COLUMNS},{COLUMNS}]",
        f"%v{number} = contract(equation='ak,nk->an') %v{of} %w{number} : {WIDE}",
    ]


def attention(number: int, query: int, key: int, value: int, mask: str = "") -> list[str]:
    """%v<number>, attention over three values, the last two of which it reads whole."""
    q, p = f"%scores{number}", f"%p{number}"
    lines = [f"{q} = contract(equation='ak,nk->an') %v{query} %v{key} : {SQUARE}"]
    if mask:
        lines.append(f"%masked{number} = elementwise(fn='add', scalars=(None, None)) {q} {mask} : {SQUARE}")
        q = f"%masked{number}"
    return [
        *lines,
        f"{p} = softmax(dim=1, log=False) {q} : {SQUARE}",
        f"%v{number} = contract(equation='an,nk->ak') {p} %v{value} : {WIDE}",
    ]


def add(number: int, a: int, b: int) -> list[str]:
    return [f"%v{number} = elementwise(fn='add', scalars=(None, None)) %v{a} %v{b} : {WIDE}"]


def constant(number: int) -> list[str]:
    """%v<number>, of a weight only: its stage waits for nothing."""
    return [
        f"%w{number} = parameter(key='w{number}') : {WIDE}",
        f"%v{number} = softmax(dim=1, log=False) %w{number} : {WIDE}",
    ]


def runs_with_the_least_room(made: Made) -> None:
    """The plan runs, and so does its program with no chunk of room more than `least_room` says."""
    assert simulate(made.program, made.machine).latency_cycles > 0
    room = least_room(made.program.streams)
    streams = zip(made.program.streams, room, strict=True)
    tight = tuple(replace(s, capacity=n) if s.target != HOST else s for s, n in streams)
    assert simulate(replace(made.program, streams=tight), made.machine).latency_cycles > 0


def layer(first: int, mask: str) -> list[str]:
    """A layer of a transformer from %v<first> to %v<first + 6>."""
    lines = [line for n in (1, 2, 3) for line in linear(first + n, first)]
    lines += attention(first + 4, first + 1, first + 2, first + 3, mask)
    return lines + linear(first + 5, first + 4) + add(first + 6, first + 5, first)


def test_a_transformer_whose_mask_is_made_of_a_weight_runs() -> None:
    """Every layer reads the mask, whose stage has no input; keys and values of all layers are kept whole."""
    mask = [
        f"%w = parameter(key='w') : f32[{ROWS},1]",
        f"%mask = expand(shape=({ROWS},{ROWS})) %w : {SQUARE}",
    ]
    found = made(*mask, *layer(0, "%mask"), *layer(6, "%mask"), "return %v12")
    produced = {s.source for s in found.program.streams}
    read = {s.target for s in found.program.streams}
    assert produced - read - {HOST}
    whole = [s for s in found.program.streams if s.span is None and s.target != HOST]
    assert len([s for s in whole if s.source_chunks > 1]) >= 4
    assert all(s.capacity >= s.source_chunks for s in whole)
    runs_with_the_least_room(found)


def test_what_is_made_of_weights_is_made_for_each_reader() -> None:
    """A mask that three layers share ties none of them to the others, and the model says the same."""
    mask = [
        f"%w = parameter(key='w') : f32[{ROWS},1]",
        f"%mask = expand(shape=({ROWS},{ROWS})) %w : {SQUARE}",
    ]
    layers = [line for first in (0, 6, 12) for line in layer(first, "%mask")]
    before = model(f"%v0 = input(index=0) : {WIDE}", *mask, *layers, "return %v18")
    x = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32)
    integers = quantize(before, precision_named("int8"), [(x,)])
    after = legalize(integers, SMALL)
    masks = [node for node in after.graph if isinstance(node.op, Expand)]
    assert [node.name for node in masks] == ["mask", "mask.1", "mask.2"]
    assert [len(after.graph.users[node.name]) for node in masks] == [1, 1, 1]
    assert np.array_equal(*(interpret(m.graph, [x], m.weights)[0] for m in (integers, after)))
    shared, apart = (planned(m, (x,), SMALL) for m in (integers, after))
    assert simulate(apart.program, SMALL).interval_cycles <= simulate(shared.program, SMALL).interval_cycles


@st.composite
def graphs(draw: st.DrawFn) -> list[str]:
    """Products by weights, attention, sums and values of weights only, over any values before them."""
    lines: list[str] = []
    unread = {0}
    number = 0
    for kind in draw(
        st.lists(st.sampled_from(("linear", "attention", "add", "constant")), min_size=2, max_size=7)
    ):
        number += 1
        of = [draw(st.integers(0, number - 1)) for _ in range(3)]
        read = {"linear": of[:1], "attention": of, "add": of[:2], "constant": []}[kind]
        make = {"linear": linear, "attention": attention, "add": add, "constant": constant}[kind]
        lines += make(number, *read)  # type: ignore[operator]
        unread = (unread - set(read)) | {number}
    left = sorted(unread)
    for value in left[1:]:
        number += 1
        lines += add(number, left[0] if value == left[1] else number - 1, value)
    return [*lines, f"return %v{number}"]


@settings(max_examples=15, deadline=None)
@given(graphs())
def test_forks_and_joins_never_wait_for_each_other(lines: list[str]) -> None:
    runs_with_the_least_room(made(*lines))
