"""What goes along one dimension, on a whole region: numbers equal to the model's however the places are cut."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.graphs import model
from tests.wafer.compiling import random_inputs
from tests.wafer.cut_cases import WAFER, Cutting, blocks, without_causal
from wsc.backends.wafer.instructions import Halo, Shift
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.sequential.causal import window_of, with_causal
from wsc.backends.wafer.sequential.draft import COLUMNS, ROWS, Axes, Conflict
from wsc.backends.wafer.sequential.plan import Wanted, plan_sequential
from wsc.backends.wafer.sequential.region import mesh_of
from wsc.backends.wafer.sequential.trimmed import trimmed
from wsc.backends.wafer.sequential.untied import untied
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.cycle import simulate_cycles
from wsc.backends.wafer.target import TARGET
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import Attention, Contract, Gather, Slice

MESH = mesh_of(1, 4, 2, 2)


def scanned(places: int = 9, states: int = 3, broadcast: bool = False) -> Model:
    """The state of a state-space model along its places."""
    factors = f"f32[1,4,{places},1]" if broadcast else f"f32[1,4,{places},{states}]"
    return model(
        f"%a = input(index=0) : {factors}",
        f"%b = input(index=1) : f32[1,4,{places},{states}]",
        f"%d = elementwise(fn='sigmoid') %a : {factors}",
        f"%e = elementwise(fn='sin') %b : f32[1,4,{places},{states}]",
        f"%y = recurrence(dim=2) %d %e : f32[1,4,{places},{states}]",
        "return %y",
    )


def causal_convolution(places: int = 9, taps: int = 4, channels: int = 6) -> Model:
    """A window over a sequence, padded on both sides, the places behind the end thrown away; each channel by itself."""
    pad, full = taps - 1, places + taps - 1
    return model(
        f"%x = input(index=0) : f32[1,{channels},{places}]",
        f"%w = parameter(key='w') : f32[{channels},1,1,{taps}]",
        f"%b = parameter(key='b') : f32[1,{channels},1]",
        f"%t = elementwise(fn='tanh') %x : f32[1,{channels},{places}]",
        f"%r = reshape(shape=(1,{channels},1,{places})) %t : f32[1,{channels},1,{places}]",
        f"%c = contract(equation='ngch,gocr->ngoh', windows=(('h','r',1,1,{pad},{pad}),)) %r %w"
        f" : f32[1,{channels},1,{full}]",
        f"%f = reshape(shape=(1,{channels},{full})) %c : f32[1,{channels},{full}]",
        f"%p = elementwise(fn='add', scalars=(None, None)) %f %b : f32[1,{channels},{full}]",
        f"%s = slice(dim=2, start=0, stop={places}, step=1) %p : f32[1,{channels},{places}]",
        f"%y = elementwise(fn='silu') %s : f32[1,{channels},{places}]",
        "return %y",
    )


def images(channels: int = 4, side: int = 6, stride: int = 1) -> Model:
    """A convolution over images that sums over channels."""
    after = (side + 2 - 3) // stride + 1
    return model(
        f"%x = input(index=0) : f32[1,{channels},{side},{side}]",
        f"%w = parameter(key='w') : f32[5,{channels},3,3]",
        f"%c = contract(equation='nchw,ocrs->nohw', windows=(('h','r',{stride},1,1,1),('w','s',{stride},1,1,1)))"
        f" %x %w : f32[1,5,{after},{after}]",
        f"%y = elementwise(fn='relu') %c : f32[1,5,{after},{after}]",
        "return %y",
    )


def cut(made: Model, cuts: Mapping[tuple[str, int], Axes]) -> tuple[Cutting, Program]:
    """The program with dimensions of nodes cut over axes."""
    cutting = Cutting.of(replace(made, graph=trimmed(made.graph)))
    atoms = {cutting.task.dims.of[node][dim][0]: axes for (node, dim), axes in cuts.items()}
    return cutting, cutting.program(MESH, atoms)


@given(st.integers(2, 20), st.sampled_from([(), ("y1",), ("x0",), COLUMNS, ROWS]), st.booleans())
@settings(max_examples=25)
def test_a_recurrence_is_the_models_however_its_places_are_cut(
    places: int, axes: Axes, broadcast: bool
) -> None:
    channels = () if "x1" in axes else ("x1",)
    cutting, program = cut(scanned(places, 3, broadcast), {("y", 2): axes, ("y", 1): channels})
    cutting.check(program, random_inputs(cutting.model))


def test_states_go_on_in_as_many_steps_as_doubling_takes() -> None:
    cutting, program = cut(scanned(12), {("y", 2): ROWS})
    shifts = [i.op.by for i in program.kernels[0].flat_instructions() if isinstance(i.op, Shift)]
    assert shifts == [-1, -1, -2, -2, -1]
    inputs = random_inputs(cutting.model)
    cycle = simulate_cycles(program, WAFER, dict(cutting.model.weights), inputs)
    assert abs(simulate(program, WAFER).latency_cycles / cycle.latency - 1) <= 0.05
    np.testing.assert_allclose(cycle.outputs[0], interpret(cutting.model.graph, inputs, {})[0], atol=1e-5)


def test_an_initial_state_needs_the_places_whole() -> None:
    made = model(
        "%a = input(index=0) : f32[2,8]",
        "%b = input(index=1) : f32[2,8]",
        "%h = input(index=2) : f32[2,1]",
        "%y = recurrence(dim=1) %a %b %h : f32[2,8]",
        "return %y",
    )
    cutting, program = cut(made, {("y", 0): ROWS})
    cutting.check(program, random_inputs(cutting.model))
    with pytest.raises(Conflict):
        cut(made, {("y", 1): ROWS})


@pytest.mark.parametrize("axes", [(), ("y1",), ("x0",), ("x1",)])
@pytest.mark.parametrize(("places", "taps"), [(12, 4), (9, 2), (13, 4), (8, 3)])
def test_causal_windows(axes: Axes, places: int, taps: int) -> None:
    made = causal_convolution(places, taps)
    cutting, program = cut(made, {("y", 2): axes, ("y", 1): ("x1",) if axes != ("x1",) else ()})
    inputs = random_inputs(cutting.model)
    cutting.check(program, inputs)
    kinds = {type(i.op) for i in program.kernels[0].flat_instructions()}
    assert (Halo in kinds) == bool(axes)
    given_model = interpret(made.graph, inputs, made.weights)[0]
    np.testing.assert_allclose(interpret(cutting.model.graph, inputs, cutting.model.weights)[0], given_model)


def test_windows_that_reach_past_the_next_core_are_a_conflict() -> None:
    with pytest.raises(Conflict, match="next core"):
        cut(causal_convolution(8, 4), {("y", 2): ("y1",)})  # tiles of 2 places, 3 before them


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", [(), ("x0",), ROWS])
@pytest.mark.parametrize("rows", [(), ("y1",), ("x1",)])
def test_images(stride: int, channels: Axes, rows: Axes) -> None:
    """Sums over channels are combined; images keep what their stride takes away whole."""
    if set(channels) & set(rows) or (stride == 2 and rows):
        return
    cutting, program = cut(images(stride=stride), {("x", 1): channels, ("y", 2): rows})
    cutting.check(program, random_inputs(cutting.model))


def test_only_padding_is_trimmed() -> None:
    given_graph = causal_convolution().graph
    graph = trimmed(given_graph)
    assert not any(isinstance(n.op, Slice) for n in graph.nodes)
    (convolution,) = (n for n in graph.nodes if isinstance(n.op, Contract))
    assert convolution.op.windows == (("h", "r", 1, 1, 3, 0),)  # type: ignore[attr-defined]
    shorter = [
        replace(n, op=replace(n.op, start=4, stop=9)) if n.name == "s" else n for n in given_graph.nodes
    ]
    lines = replace(given_graph, nodes=tuple(shorter))
    assert trimmed(lines) is lines  # there is less padding than that


@pytest.mark.parametrize("window", [1, 2, 5, 8])
@pytest.mark.parametrize("keys", [(), ("y1",), ROWS])
@pytest.mark.parametrize("rows", [(), ("y1",)])
def test_sliding_windows(window: int, keys: Axes, rows: Axes) -> None:
    """By places, without the mask: keys that lie on cores, keys that go round, and all on every core."""
    made = banded(8, window)
    cutting = Cutting.of(made)
    dims = cutting.task.dims
    (apart,) = dims.apart.values()
    if keys and rows:
        return
    (tokens,) = dims.of["q"][1]
    program = cutting.program(mesh_of(1, 4, 1, 4), {tokens: rows, apart: keys})
    cutting.check(program, random_inputs(cutting.model))


def banded(rows: int, window: int) -> Model:
    """Attention over the last keys of each query, as a mask of pairs says it."""
    found = blocks(1, rows, 2)["pairs"]
    band = np.tri(rows, dtype=np.bool_) & ~np.tri(rows, rows, -window, dtype=np.bool_)
    return replace(found, weights={**found.weights, "mask": band.reshape(1, 1, rows, rows)})


def test_masks_that_are_no_bands_stay() -> None:
    for window in (1, 3, 7):
        found = banded(8, window)
        (node,) = (n for n in with_causal(found.graph, found.weights).nodes if isinstance(n.op, Attention))
        assert window_of(node.op) == window  # type: ignore[arg-type]
    mask = np.array(banded(8, 3).weights["mask"])
    mask[0, 0, 5, 1] = True
    other = with_causal(found.graph, {**found.weights, "mask": mask})
    assert [len(n.inputs) for n in other.nodes if isinstance(n.op, Attention)] == [4]
    causal = with_causal(without_causal(found).graph, {**found.weights, "mask": banded(8, 8).weights["mask"]})
    assert [window_of(n.op) for n in causal.nodes if isinstance(n.op, Attention)] == [0]


def unevenly_sliced() -> Model:
    """A product whose columns are of different kinds: one part of all, and two that are not, side by side."""
    return model(
        "%x = input(index=0) : f32[6,8]",
        "%w = parameter(key='w') : f32[20,8]",
        "%p = contract(equation='ak,nk->an') %x %w : f32[6,20]",
        "%a = slice(dim=1, start=0, stop=4, step=1) %p : f32[6,4]",
        "%b = slice(dim=1, start=4, stop=12, step=1) %p : f32[6,8]",
        "%c = slice(dim=1, start=12, stop=20, step=1) %p : f32[6,8]",
        "%d = elementwise(fn='mul', scalars=(None, None)) %b %c : f32[6,8]",
        "%v = parameter(key='v') : f32[8,4]",
        "%e = contract(equation='ak,nk->an') %a %v : f32[6,8]",
        "%y = elementwise(fn='add', scalars=(None, None)) %d %e : f32[6,8]",
        "return %y",
    )


@pytest.mark.parametrize("tokens", [(), ROWS, ("x0",)])
def test_parts_of_different_sizes(tokens: Axes) -> None:
    """One part divides the whole and the others do not start where it ends: the whole is in parts, and they are not."""
    cutting, program = cut(unevenly_sliced(), {("y", 0): tokens})
    cutting.check(program, random_inputs(cutting.model))


@pytest.mark.parametrize("fn", ["any", "all", "max", "min"])
@pytest.mark.parametrize("keep", [True, False])
def test_truth_values_are_combined(fn: str, keep: bool) -> None:
    shape = "bool[5,1]" if keep else "bool[5]"
    made = model(
        "%x = input(index=0) : f32[5,7]",
        "%b = elementwise(fn='gt', scalars=(None, 0.3)) %x : bool[5,7]",
        f"%y = reduce(fn='{fn}', dims=(1,), keep={keep}) %b : {shape}",
        "return %y",
    )
    cutting, program = cut(made, {("x", 1): ROWS, ("x", 0): ("x1",)})
    cutting.check(program, random_inputs(cutting.model))


@pytest.mark.parametrize("axes", [(), ("x1",)])
def test_running_sums_of_what_every_core_has_whole(axes: Axes) -> None:
    made = model(
        "%x = input(index=0) : f32[6,5]",
        "%s = scan(fn='sum', dim=1) %x : f32[6,5]",
        "%y = elementwise(fn='add', scalars=(None, None)) %s %x : f32[6,5]",
        "return %y",
    )
    cutting, program = cut(made, {("y", 0): axes})
    cutting.check(program, random_inputs(cutting.model))
    assert cutting.task.dims.of["x"][1][0] in cutting.task.dims.whole


def test_a_tied_table_is_held_twice_where_once_does_not_serve() -> None:
    """Rows of tokens over rows of cores, and the table's own rows over columns for the scores: not for the lookup."""
    made = model(
        "%t = input(index=0) : i64[16]",
        "%w = parameter(key='w') : f32[24,16]",
        "%x = gather(dim=0, batch=0) %w %t : f32[16,16]",
        "%n = norm(form='rms', dims=(1,), eps=1e-05) %x : f32[16,16]",
        "%y = contract(equation='ak,nk->an') %n %w : f32[16,24]",
        "return %y",
    )
    graph = untied(made.graph)
    assert sum(n.is_weight for n in graph.nodes) == 2
    lookups = {n.inputs[0] for n in graph.nodes if isinstance(n.op, Gather)}
    products = {n.inputs[1] for n in graph.nodes if isinstance(n.op, Contract)}
    assert not lookups & products
    assert untied(graph) is graph
    legal = TARGET.legalize(made, WAFER)
    room = plan_sequential(legal, WAFER, Wanted(grid=(4, 4)))
    least = room.segments[0].laid.bytes
    tight = WAFER.model_copy(update={"core": WAFER.core.model_copy(update={"sram_bytes": least})})
    program = TARGET.emit(plan_sequential(legal, tight, Wanted(grid=(4, 4))))
    tokens = [np.arange(16, dtype=np.int64) * 5 % 24]
    for a, b in zip(
        TARGET.execute(program, legal.weights, tokens),
        interpret(made.graph, tokens, made.weights),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-4)
