"""The text of programs: golden, read back to an equal program, refused with the line that is wrong."""

from dataclasses import replace
from functools import cache
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wafer.compiling import check_golden, compile_for
from tests.wafer.forcing import TAILS, build, chunkings, cuttings, force, only_kernel
from tests.wafer.models import MODELS, attention_block, mlp
from tests.wafer.samples import SAMPLES
from wsc.backends.wafer.instructions import (
    MOVES,
    AllGather,
    AllReduce,
    AllToAll,
    Append,
    Broadcast,
    Exchange,
    Filled,
    Halo,
    Insert,
    Keep,
    Load,
    Lookup,
    Move,
    Multicast,
    MultiplyAdd,
    Position,
    Positions,
    Recv,
    ReduceInto,
    ReduceScatter,
    ReduceTo,
    Rotate,
    Send,
    Shift,
    Wait,
)
from wsc.backends.wafer.program import HOST, Buffer, Endpoint, Instruction, Kernel, Loop, Program, Stream
from wsc.backends.wafer.text import parse_program, print_program
from wsc.compiler.errors import VerificationError
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Cut, Layout, Mesh, MeshAxis
from wsc.compiler.ops import Elementwise, Pad, Permute, Reshape, Slice


def test_golden_mlp() -> None:
    check_golden("mlp.txt", print_program(compile_for("wafer-8x8", mlp(rows=32)).program))


def test_golden_attention_block() -> None:
    program = compile_for("wafer-8x8", attention_block(rows=32)).program
    check_golden("attention_block.txt", print_program(program))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_programs_read_back_equal(name: str) -> None:
    program = compile_for("wafer-16x16", MODELS[name]()).program
    text = print_program(program)
    assert parse_program(text) == program
    assert print_program(parse_program(text)) == text


@pytest.mark.parametrize("kind", sorted(SAMPLES))
@settings(max_examples=4)
@given(st.data(), st.sampled_from(TAILS))
def test_forced_kernels_read_back_equal(kind: str, data: st.DataObject, tail: str) -> None:
    made, _ = build(data.draw(SAMPLES[kind]), tail=tail)
    legal, kernel = only_kernel(made)
    for chunking in chunkings(kernel):
        for cutting in cuttings(kernel, np.random.default_rng(0), chunking):
            program = force(legal, kernel, cutting)
            assert parse_program(print_program(program)) == program


# --- any program, also those that no plan makes

words = st.from_regex(r"\A\w{1,4}\Z")
small = st.integers(0, 20)
shapes = st.lists(small, max_size=3).map(tuple)
types = st.builds(TensorType, st.sampled_from(DType), shapes)
cuts = st.builds(Cut, words, st.integers(1, 9), small, small)
named = st.lists(words, max_size=2).map(tuple)
layouts = st.builds(
    Layout, st.lists(st.lists(cuts, max_size=2).map(tuple), max_size=3).map(tuple), named, named
)
meshes = st.lists(st.builds(MeshAxis, words, st.integers(1, 9), st.sampled_from("xy")), max_size=3).map(
    lambda axes: Mesh(tuple(axes))
)
fns = st.sampled_from(["sum", "max", "min"])
fills = st.sampled_from([0.0, -inf, inf, -1.5, 1e-30])
moves: st.SearchStrategy[Move] = st.one_of(
    st.builds(Recv, words),
    st.builds(Send, words),
    st.builds(Multicast, named, st.none() | small),
    st.builds(Broadcast, words, st.none() | small, st.none() | small),
    st.builds(MultiplyAdd, words, st.none() | words, st.none() | st.tuples(small, small)),
    st.builds(Wait),
    st.builds(ReduceTo, words, fns),
    st.builds(ReduceTo, words, fns, words, st.none() | small),
    st.builds(ReduceScatter, words, small, fns),
    st.builds(AllReduce, words, fns, st.none() | words, st.none() | small, st.none() | small),
    st.builds(ReduceInto, words, small, small, st.none() | words, st.none() | words),
    st.builds(Halo, small, words, small, small, fills),
    st.builds(
        Shift,
        words,
        st.integers(-9, 9),
        st.none() | words,
        st.none() | words,
        st.none() | small,
        st.none() | small,
        st.none() | st.just(True),
    ),
    st.builds(Rotate, words, small, small, st.none() | words),
    st.builds(AllToAll, words, small, small),
    st.builds(AllGather, words, small),
    st.builds(Keep, words, small),
    st.builds(Exchange),
    st.builds(Append, words, small, st.booleans(), small),
    st.builds(Filled, words, small, st.booleans(), small),
    st.builds(Position, small),
    st.builds(Insert, small),
    st.builds(Positions),
    st.builds(Load, small),
    st.builds(Lookup, words),
)
views = st.sampled_from([Reshape((4, 2)), Permute((1, 0)), Slice(0, 1, 5, 2)])
ops = moves | views | st.builds(Pad, shapes, shapes, fills) | st.builds(Elementwise, words, st.tuples(fills))
simple = st.builds(Instruction, ops, st.lists(words, max_size=2).map(tuple), st.just("") | words)
loops = st.builds(Loop, st.integers(1, 9), st.lists(simple, max_size=2).map(tuple))
instructions = simple | st.builds(Instruction, loops, st.lists(words, max_size=2).map(tuple), words)
plain = st.builds(Buffer, words, types, layouts, st.sampled_from(["stream", "local"]), st.just(""), small)
keyed = st.sampled_from(["weight", "input", "output"])
weights = st.builds(
    Buffer,
    words,
    types,
    layouts,
    keyed,
    st.text(),
    small,
    st.integers(-1, 3),
    small,
)


@st.composite
def kernels(draw: st.DrawFn) -> Kernel:
    buffers = draw(st.lists((plain | weights).filter(lambda b: b.copies > 0), max_size=3))
    once, body = (tuple(draw(st.lists(instructions, max_size=3))) for _ in range(2))
    name, location = draw(st.text(min_size=1).filter(lambda n: n != HOST)), draw(st.text())
    numbers = [draw(small) for _ in range(4)]
    mesh = draw(meshes)
    x, y, chunks, code = numbers
    return Kernel(name, draw(words), x, y, mesh, tuple(buffers), once, chunks, body, code, location)


ends = st.builds(
    Endpoint, st.just(HOST) | st.text(min_size=1), words, types, small, small, st.tuples(small, small)
).map(lambda end: replace(end, at=(0, 0)) if end.kernel == HOST else end)
streams = st.builds(
    Stream, words, ends, ends, st.lists(views, max_size=2).map(tuple), small, st.sampled_from(["xy", "yx"])
)
ports = st.lists(st.tuples(st.text(), types), max_size=2).map(tuple)
programs = st.builds(
    Program,
    st.text(),
    st.text(),
    small,
    small,
    ports,
    ports,
    st.lists(kernels(), max_size=2).map(tuple),
    st.lists(streams, max_size=2).map(tuple),
)


def test_every_movement_is_drawn() -> None:
    assert set(MOVES) == {"recv", "send", "multicast", "reduce_to", "reduce_scatter", "all_reduce"} | {
        "halo",
        "rotate",
        "reduce_into",
        "all_gather",
        "keep",
        "append",
        "exchange",
        "filled",
        "position",
        "insert",
        "positions",
        "load",
        "shift",
        "all_to_all",
        "lookup",
        "broadcast",
        "multiply_add",
        "wait",
    }


@settings(max_examples=60)
@given(programs)
def test_any_program_reads_back_equal(program: Program) -> None:
    assert parse_program(print_program(program)) == program


# --- what is refused

BROKEN = {
    "another version": ("version 1 on", "version 7 on"),
    "no header": ("wafer program", "program"),
    "unknown line": ('output "out0"', 'outptu "out0"'),
    "bad type": ('input "x" f32', 'input "x" f99'),
    "bad mesh": (" mesh ", " mesh q "),
    "bad layout": ("%in0 f32[4,8] [", "%in0 f32[4,8] [["),
    "bad role": (" stream x3 @0", " river x3 @0"),
    "no end": ("\nend\n", "\n"),
    "no repeat": ("  repeat\n", ""),
    "unknown op": ("= contract(", "= contrast("),
    "unknown attribute": ("send(stream=", "send(steam="),
    "no literal": ("recv(stream='s0')", "recv(stream=s0)"),
    "no syntax": ("recv(stream='s0')", "recv(stream=)"),
    "attribute without a name": ("recv(stream='s0')", "recv('s0')"),
    "bad route": (" route xy ", " route zz "),
    "bad view": ("0,0>0,0", "0,0>0,0 via turn()"),
}


def test_what_cannot_be_read_is_refused_with_its_line() -> None:
    text = print_program(compile_for("wafer-4x4", mlp()).program)
    messages = []
    for what, (good, bad) in BROKEN.items():
        assert good in text, what
        with pytest.raises(VerificationError) as caught:
            parse_program(text.replace(good, bad, 1))
        messages.append(f"{what}\n    {caught.value}\n")
    check_golden("text_errors.txt", "".join(messages))


@cache
def block() -> str:
    return print_program(compile_for("wafer-8x8", attention_block()).program)


def fault(text: str) -> str:
    """What is wrong with a text; nothing where it can be read."""
    try:
        parse_program(text)
    except VerificationError as error:
        return str(error)
    return ""


@settings(max_examples=100)
@given(st.data())
def test_damaged_text_is_refused_or_read(data: st.DataObject) -> None:
    """No damage of one line ends in anything but a program or a VerificationError."""
    lines = block().splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[at])))
    cut = data.draw(st.integers(0, 6))
    new = data.draw(st.text(alphabet=st.sampled_from("%()[]=,:\"' \\x0a9-@"), max_size=3))
    lines[at] = lines[at][:place] + new + lines[at][place + cut :]
    found = fault("\n".join(lines) + "\n")
    assert not found or found.startswith("program, line ")
