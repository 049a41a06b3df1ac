"""Serving: both phases on the same cores; the relayout between them moves what it says, in place, and is simulated."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wafer.sequential_cases import captured, inputs_of, llama, machine
from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.program import Buffer, Instruction, Kernel, Program, Repeat
from wsc.backends.wafer.sequential.emit import emit_sequential
from wsc.backends.wafer.sequential.plan import Wanted
from wsc.backends.wafer.serving.emit import emit_relayout
from wsc.backends.wafer.serving.plan import ServingPlan, plan_serving
from wsc.backends.wafer.serving.shapes import common_shape, in_shape
from wsc.backends.wafer.serving.shares import moved_layers
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.text import parse_program, print_program
from wsc.backends.wafer.verify import verify
from wsc.compiler.errors import AlgorithmError, DoesNotFit
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.layout import Cut, Layout, Mesh, MeshAxis

PROMPT = 10


@cache
def served(name: str, wafers: int = 0) -> tuple[ServingPlan, Program, Program, Program | None]:
    """The plan, and the programs of the prompt, of a token, and of the relayout."""
    plan = plan_serving(
        llama("prefill", seq=PROMPT), llama("decode"), machine(name), Wanted(None, wafers or None)
    )
    prefill, decode = emit_sequential(plan.prefill), emit_sequential(plan.decode)
    between = emit_relayout(plan)
    for program in (prefill, decode, *([between[1]] if between else [])):
        verify(program)
    return plan, prefill, decode, between[1] if between else None


@pytest.mark.parametrize(("name", "wafers"), [("wafer-4x4", 3), ("wafer-8x8", 0)])
def test_a_token_goes_on_from_what_the_prompt_left_in_memory(name: str, wafers: int) -> None:
    _, prefill, decode, between = served(name, wafers)
    prompt, token, whole = llama("prefill", seq=PROMPT), llama("decode"), llama("prefill", seq=PROMPT + 1)
    tokens = inputs_of(whole)[0]
    empty = [np.zeros(n.type.shape, np.float32) for n in prompt.graph.inputs[1:]]
    _, *caches = execute(prefill, prompt.weights, [tokens[:, :PROMPT], *empty])
    held = dict(zip([n.name for n in prompt.graph.inputs[1:]], caches, strict=True))
    if between is not None:
        moved = execute(between, token.weights, [held[name] for name, _ in between.inputs])
        names = [name for name, _ in between.outputs]
        for key, found in zip(names, moved, strict=True):
            np.testing.assert_array_equal(found, held.get(key, token.weights.get(key)))
        held |= {key: found for key, found in zip(names, moved, strict=True) if key in held}
    logits, *_ = execute(decode, token.weights, [tokens[:, PROMPT:], *held.values(), np.array([PROMPT])])
    expected, *_ = interpret(whole.graph, [tokens, *empty], whole.weights)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def kernels_of(program: Program) -> dict[str, Kernel]:
    return {kernel.name: kernel for kernel in program.kernels}


def test_addresses_are_those_of_both_programs() -> None:
    """The relayout reads where the prompt's program holds a tensor, and writes where the token's looks for it."""
    _, prefill, decode, between = served("wafer-4x4", 3)
    assert between is not None
    for name, kernel in kernels_of(between).items():
        before, after = (
            {b.names: b.address for b in kernels_of(program)[name].buffers if b.role in ("weight", "state")}
            for program in (prefill, decode)
        )
        for buffer in kernel.buffers:
            if buffer.role in ("weight", "input"):
                assert before[buffer.names] == buffer.address
            elif buffer.role in ("output", "fetched"):
                assert after[buffer.names] == buffer.address


def steps_of(kernel: Kernel) -> Iterator[tuple[int, Instruction]]:
    """Every run of every instruction, with the step of the repeat."""
    for instruction in kernel.body:
        if isinstance(instruction.op, Repeat):
            for step in range(instruction.op.steps):
                yield from ((step, inner) for inner in instruction.op.body)
        else:
            yield 0, instruction


def tile(buffer: Buffer, step: int) -> tuple[int, int]:
    """First and last byte but one of the tile that is seen in a step."""
    size = buffer.bytes // len(buffer.names)
    start = buffer.address + (step if buffer.keys else 0) * size
    return start, start + size


def test_no_tile_is_written_over_one_that_is_still_needed() -> None:
    *_, between = served("wafer-4x4", 3)
    assert between is not None
    for kernel in between.kernels:
        runs = list(steps_of(kernel))
        for at, (step, instruction) in enumerate(runs):
            begin, end = tile(kernel[instruction.result], step)
            later = {
                (later, name) for later, i in runs[at:] for name in i.operands if kernel[name].role != "local"
            }
            done = {(earlier, i.result) for earlier, i in runs[:at] if kernel[i.result].role == "output"}
            for other, name in later | done:
                a, b = tile(kernel[name], other)
                assert end <= a or b <= begin, f"{instruction} in step {step} over {name}"


def test_its_text_reads_back_and_it_takes_cycles() -> None:
    plan, *_, between = served("wafer-4x4", 3)
    assert between is not None
    assert parse_program(print_program(between)) == between
    cycles = simulate(between, machine("wafer-4x4")).latency_cycles
    assert 0 < cycles < simulate(emit_sequential(plan.prefill), machine("wafer-4x4")).latency_cycles


def test_what_does_not_fit_with_room_to_slide_says_so() -> None:
    wafer = machine("wafer-4x4")
    core = wafer.core.model_copy(update={"sram_bytes": 17000})
    small = wafer.model_copy(update={"core": core})
    with pytest.raises(DoesNotFit, match=r"B more than its 17,000 B"):
        plan_serving(llama("prefill", seq=PROMPT), llama("decode"), small, Wanted((4, 4), 1))


def test_layers_move_to_regions_with_room_and_are_cut_as_before() -> None:
    plan, *_ = served("wafer-4x4", 3)
    moved = moved_layers(plan.prefill, plan.decode)
    assert moved is not None
    for before, after in zip((plan.prefill, plan.decode), moved, strict=True):
        assert sum(s.laid.segment.layers for s in after.segments) == before.rolled.count
        room = before.machine.core.sram_bytes
        for old, new in zip(before.segments, after.segments, strict=True):
            assert (new.x, new.y, new.wafer, new.laid.cuts) == (old.x, old.y, old.wafer, old.laid.cuts)
            assert new.laid.bytes <= room
    core = plan.prefill.machine.core.model_copy(update={"sram_bytes": 5000})
    small = replace(plan.prefill, machine=plan.prefill.machine.model_copy(update={"core": core}))
    assert moved_layers(small, plan.decode) is None


def test_models_of_other_layers_are_refused() -> None:
    other = captured("llama3_8b", shape="tiny", phase="decode", context="16", layers="2")
    with pytest.raises(Exception, match="phases apart"):
        plan_serving(llama("prefill", seq=PROMPT), other, machine("wafer-4x4"), Wanted())


extents = st.lists(st.sampled_from([1, 2, 3, 4]), max_size=4)


@given(extents, st.data())
def test_a_layout_in_finer_dimensions_holds_the_same_tiles(shape: list[int], data: st.DataObject) -> None:
    joined = [prod(shape[:2]), *shape[2:]] if len(shape) > 1 else shape
    finer = common_shape(tuple(joined), tuple(shape))
    assert finer == tuple(n for n in shape if n > 1)
    mesh = Mesh((MeshAxis("a", 2, "y"), MeshAxis("b", 3, "x")))
    cuts: list[tuple[Cut, ...]] = [()] * len(joined)
    if joined:
        at = data.draw(st.integers(0, len(joined) - 1))
        parts = data.draw(st.sampled_from([("a", 2), ("b", 3)]))
        cuts[at] = (Cut(parts[0], -(-joined[at] // parts[1])),)
    layout = Layout(tuple(cuts))
    dense = np.arange(1, prod(shape) + 1)
    try:
        other = in_shape(layout, tuple(joined), finer)
    except AlgorithmError:
        return
    tiles = layout.distribute(mesh, dense.reshape(joined))
    again = other.distribute(mesh, dense.reshape(finer))
    for part in np.ndindex(mesh.shape):
        if any(part[mesh.index(axis)] for axis in other.at):  # cores that hold nothing
            assert not tiles[part].any()
            continue
        assert sorted(tiles[part][tiles[part] > 0].ravel()) == sorted(again[part][again[part] > 0].ravel())


def test_shapes_that_have_no_common_refinement() -> None:
    with pytest.raises(AlgorithmError, match="no common refinement"):
        common_shape((4, 3), (3, 4))
