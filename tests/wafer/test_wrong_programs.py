"""A wrong route, layout or movement gives wrong numbers: the executor does what the program says."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.compiler.graphs import model
from tests.wafer.compiling import Compiled, assert_near, compile_for, random_inputs, sized
from tests.wafer.forcing import force, only_kernel
from tests.wafer.models import MODELS
from wsc.backends.wafer.cutting import AxisCut, Chunking, Cutting
from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.instructions import AllReduce, Halo, Multicast, Recv, ReduceScatter, ReduceTo
from wsc.backends.wafer.program import HOST, Instruction, Kernel, Program
from wsc.compiler.errors import SimulationError
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.layout import Cut, Layout
from wsc.compiler.ops import Reduce
from wsc.compiler.ops.base import Array

NAMES = ["mlp", "attention_block", "convolutions", "many_readers", "mlp_in_chunks", "layers"]
EVERY_MODEL = pytest.mark.parametrize("name", NAMES)


@cache
def good(name: str) -> tuple[Compiled, list[Array], tuple[Array, ...]]:
    made = MODELS[name]()
    inputs = random_inputs(made)
    return compile_for(sized(10, 10), made), inputs, interpret(made.graph, inputs, made.weights)


def is_right(name: str, program: Program) -> bool:
    """Whether a program still computes what the model means; an exception of numpy is wrong too."""
    found, inputs, expected = good(name)
    try:
        actual = execute(program, found.model.weights, inputs)
    except (ValueError, IndexError):
        return False
    try:
        for a, b in zip(actual, expected, strict=True):
            assert_near(a, b)
    except AssertionError:
        return False
    return True


@EVERY_MODEL
def test_the_programs_are_right_to_begin_with(name: str) -> None:
    assert is_right(name, good(name)[0].program)


@EVERY_MODEL
@pytest.mark.parametrize("step", [(1, 0), (0, 1), (-1, 0), (0, -1)])
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_route_that_ends_a_core_beside_is_wrong(name: str, step: tuple[int, int], side: str) -> None:
    program = good(name)[0].program
    for number, stream in enumerate(program.streams):
        end = getattr(stream, side)
        if end.kernel == HOST:
            continue
        moved = replace(end, at=(end.at[0] + step[0], end.at[1] + step[1]))
        streams = list(program.streams)
        streams[number] = replace(stream, **{side: moved})
        assert not is_right(name, replace(program, streams=tuple(streams))), (stream.name, side, step)


def without(kernel: Kernel, unwanted: Instruction) -> Kernel:
    """The kernel without a movement: who reads its result reads its operand."""

    def renamed(instructions: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
        swap = {unwanted.result: unwanted.operands[0]}
        return tuple(
            replace(i, operands=tuple(swap.get(name, name) for name in i.operands))
            for i in instructions
            if i != unwanted
        )

    return replace(kernel, once=renamed(kernel.once), body=renamed(kernel.body))


def mutants(program: Program) -> Iterator[tuple[str, Program]]:
    """The program without one of its movements."""
    for number, kernel in enumerate(program.kernels):
        for instruction in kernel.instructions():
            if isinstance(instruction.op, (Multicast, ReduceTo, AllReduce, ReduceScatter, Halo)):
                kernels = list(program.kernels)
                kernels[number] = without(kernel, instruction)
                yield f"{kernel.name}: {instruction}", replace(program, kernels=tuple(kernels))


@EVERY_MODEL
def test_a_movement_less_is_wrong(name: str) -> None:
    program = good(name)[0].program
    found = list(mutants(program))
    assert found
    for what, mutant in found:
        assert not is_right(name, mutant), what


def test_all_kinds_of_movement_were_left_out() -> None:
    kinds = {type(i.op) for name in NAMES for k in good(name)[0].program.kernels for i in k.instructions()}
    assert {Multicast, AllReduce, ReduceScatter, Halo} <= kinds


# --- one kernel on 2 x 2 cores, whose parts could be taken for each other

SQUARE = Cutting((AxisCut(0, 3, 2, "y"), AxisCut(1, 3, 2, "x")), Chunking())


def square() -> tuple[Program, list[Array], Array]:
    made = model("%x = input(index=0) : f32[6,6]", "%y = elementwise(fn='exp') %x : f32[6,6]", "return %y")
    inputs = random_inputs(made)
    legal, kernel = only_kernel(made)
    return force(legal, kernel, SQUARE), inputs, np.exp(inputs[0])


def with_layout(program: Program, name: str, layout: Layout) -> Program:
    (kernel,) = program.kernels
    buffers = tuple(replace(b, layout=layout) if b.name == name else b for b in kernel.buffers)
    return replace(program, kernels=(replace(kernel, buffers=buffers),))


def test_a_layout_with_its_cuts_exchanged_is_wrong() -> None:
    program, inputs, expected = square()
    (kernel,) = program.kernels
    assert_near(execute(program, {}, inputs)[0], expected)
    turned = Layout(((Cut("a1", 3),), (Cut("a0", 3),)))
    assert [b.layout for b in kernel.buffers] == [Layout(((Cut("a0", 3),), (Cut("a1", 3),)))] * 2
    for buffer in kernel.buffers:
        (found,) = execute(with_layout(program, buffer.name, turned), {}, inputs)
        blocks = expected.reshape(2, 3, 2, 3).transpose(2, 1, 0, 3).reshape(6, 6)
        assert_near(found, blocks)
    both = with_layout(with_layout(program, kernel.buffers[0].name, turned), kernel.buffers[1].name, turned)
    assert_near(execute(both, {}, inputs)[0], expected)


def test_what_lies_on_part_0_alone_is_nan_elsewhere() -> None:
    program, inputs, expected = square()
    (kernel,) = program.kernels
    held = replace(kernel.buffers[0].layout, at=("a1",))
    (found,) = execute(with_layout(program, kernel.buffers[0].name, held), {}, inputs)
    assert_near(found[:, :3], expected[:, :3])
    assert np.isnan(found[:, 3:]).all()


def test_a_mesh_that_is_turned_is_no_mistake() -> None:
    """Streams name elements, not cores."""
    program, inputs, expected = square()
    (kernel,) = program.kernels
    mesh = replace(kernel.mesh, axes=kernel.mesh.axes[::-1])
    assert_near(execute(replace(program, kernels=(replace(kernel, mesh=mesh),)), {}, inputs)[0], expected)


@pytest.mark.parametrize("fn", ["max", "min"])
def test_a_reduction_by_another_function_is_wrong(fn: str) -> None:
    made = model("%x = input(index=0) : f32[6]", "%y = reduce(fn='sum', dims=(0,)) %x : f32[]", "return %y")
    legal, kernel = only_kernel(made)
    program = force(legal, kernel, Cutting((AxisCut(0, 2, 3, "x"),), Chunking()))
    inputs = random_inputs(made)
    assert_near(execute(program, {}, inputs)[0], np.asarray(inputs[0].sum()))
    (found,) = program.kernels
    body = tuple(replace(i, op=ReduceTo("a0", fn)) if isinstance(i.op, ReduceTo) else i for i in found.body)
    assert any(isinstance(i.op, Reduce) for i in body)
    wrong = replace(program, kernels=(replace(found, body=body),))
    with pytest.raises(AssertionError):
        assert_near(execute(wrong, {}, inputs)[0], np.asarray(inputs[0].sum()))


# --- programs that are no programs


def test_a_stream_that_is_received_twice_has_nothing_left() -> None:
    program, inputs, _ = square()
    (kernel,) = program.kernels
    twice = replace(kernel, body=(kernel.body[0], *kernel.body))
    assert isinstance(kernel.body[0].op, Recv)
    with pytest.raises(
        SimulationError, match=r"kernel 'exp' receives from stream s0, where nothing was sent"
    ):
        execute(replace(program, kernels=(twice,)), {}, inputs)


def test_a_buffer_of_another_shape_takes_no_stream() -> None:
    program, inputs, _ = square()
    (kernel,) = program.kernels
    first = replace(kernel.buffers[0], type=replace(kernel.buffers[0].type, shape=(6, 5)))
    wrong = replace(program, kernels=(replace(kernel, buffers=(first, *kernel.buffers[1:])),))
    with pytest.raises(SimulationError, match=r"stream s0 brings \(6, 6\) to %in0 of f32\[6,5\]"):
        execute(wrong, {}, inputs)


def test_an_output_that_no_stream_brings() -> None:
    program, inputs, _ = square()
    named = replace(program, outputs=(*program.outputs, ("more", program.outputs[0][1])))
    with pytest.raises(SimulationError, match="no stream brings output 'more' to the host"):
        execute(named, {}, inputs)
