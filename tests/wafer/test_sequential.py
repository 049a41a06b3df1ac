"""Sequential and streaming programs: numbers equal to the model's, phases that share a cache, clear errors."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.wafer.sequential_cases import captured, inputs_of, llama, machine
from wsc.backends.wafer.defects import Defects
from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program, Repeat
from wsc.backends.wafer.schedule import Asked, choose_plan
from wsc.backends.wafer.sequential.clear import clear_region
from wsc.backends.wafer.sequential.emit import emit_sequential
from wsc.backends.wafer.sequential.facts import longest_context_of
from wsc.backends.wafer.sequential.plan import SequentialPlan, Wanted, _Planner, plan_sequential
from wsc.backends.wafer.sequential.region import Task
from wsc.backends.wafer.sequential.tiles import Tilings
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.timeline import timeline
from wsc.backends.wafer.target import TARGET
from wsc.backends.wafer.text import parse_program, print_program
from wsc.backends.wafer.verify import verify
from wsc.compiler.errors import DoesNotFit, UserError
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model


def made(model: Model, wafer: Wafer, wanted: Wanted = Wanted(), fetch: bool = False) -> Program:  # noqa: B008
    program = emit_sequential(plan_sequential(model, wafer, wanted, fetch))
    verify(program)
    return program


def assert_equal(program: Program, model: Model, position: int = 0) -> None:
    inputs = inputs_of(model, position)
    found, expected = execute(program, model.weights, inputs), interpret(model.graph, inputs, model.weights)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * np.abs(b).max())


@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("fetch", [False, True])
def test_every_phase_computes_what_the_model_means(phase: str, fetch: bool) -> None:
    model = llama(phase)
    assert_equal(made(model, machine("wafer-4x4"), fetch=fetch), model, position=9)


def assert_grid_serves(grid: tuple[int, int], context: int, batch: int, position: int, prompt: int) -> None:
    """Both phases on a grid whose cores have room for all that falls on one of them."""
    wafer = machine("wafer-8x8")
    core = wafer.core.model_copy(update={"sram_bytes": 4 * wafer.core.sram_bytes})
    wafer = wafer.model_copy(update={"core": core})
    for phase, seq in (("decode", 1), ("prefill", prompt)):
        model = llama(phase, context, seq, batch, 2)
        assert_equal(made(model, wafer, Wanted(grid, 1)), model, position if phase == "decode" else 0)


@pytest.mark.parametrize(
    ("grid", "context", "batch", "position", "prompt"),
    [((7, 5), 5, 1, 3, 1), ((2, 3), 1, 2, 0, 1)],  # one token in the prompt, and in all
)
def test_a_prompt_of_one_token(
    grid: tuple[int, int], context: int, batch: int, position: int, prompt: int
) -> None:
    assert_grid_serves(grid, context, batch, position, prompt)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    grid=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    context=st.integers(1, 13),
    batch=st.integers(1, 2),
    data=st.data(),
)
def test_any_grid_context_and_batch(
    grid: tuple[int, int], context: int, batch: int, data: st.DataObject
) -> None:
    position = data.draw(st.integers(0, context - 1))
    assert_grid_serves(grid, context, batch, position, data.draw(st.integers(1, context)))


def test_a_model_of_one_layer_and_one_whose_layers_are_not_cut_alike() -> None:
    model = llama("decode", layers=1)
    assert_equal(made(model, machine("wafer-4x4")), model, position=4)
    mlp = captured("mlp")
    program = made(mlp, machine("wafer-8x8"))
    inputs = [np.random.default_rng(0).standard_normal(mlp.graph.inputs[0].type.shape).astype(np.float32)]
    expected = interpret(mlp.graph, inputs, mlp.weights)
    np.testing.assert_allclose(execute(program, mlp.weights, inputs)[0], expected[0], rtol=0, atol=1e-4)


def test_decode_goes_on_from_the_caches_of_a_prefill() -> None:
    prefill, decode, whole = llama("prefill", seq=10), llama("decode"), llama("prefill", seq=11)
    wafer = machine("wafer-4x4")
    tokens = inputs_of(whole)[0]
    empty = [np.zeros(n.type.shape, np.float32) for n in prefill.graph.inputs[1:]]
    _, *caches = execute(made(prefill, wafer), prefill.weights, [tokens[:, :10], *empty])
    logits, *_ = execute(made(decode, wafer), decode.weights, [tokens[:, 10:], *caches, np.array([10])])
    expected, *_ = interpret(whole.graph, [tokens, *empty], whole.weights)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_layers_over_several_wafers(phase: str) -> None:
    model, wafer = llama(phase), machine("wafer-4x4")
    program = made(model, wafer, Wanted(wafers=3))
    assert [k.wafer for k in program.kernels] == [0, 1, 2]
    assert_equal(program, model, position=4)
    one = simulate(made(model, wafer), wafer).latency_cycles
    link = int(wafer.link_cycles(0))
    assert simulate(program, wafer).latency_cycles > one + 2 * link - 3000


def test_what_one_wafer_cannot_hold_of_all_layers_several_may() -> None:
    """That code and all weights do not fit one wafer says nothing of a range of layers on each of several."""
    plan = plan_sequential(llama("decode", layers=8), machine("wafer-8x8"), Wanted())
    task = Task(plan.rolled, plan.dims, plan.weight_keys, plan.machine)
    planner = _Planner(task, Wanted())
    planner.room = planner._code_of_a_layer + 2 * planner._weights_of_layers // 8 // task.machine.usable_cores
    assert planner._too_long(8)
    assert not planner._too_long(1)


def test_the_layers_are_one_repeat_and_the_text_reads_back() -> None:
    program = made(llama("decode"), machine("wafer-4x4"))
    (repeat,) = (i.op for k in program.kernels for i in k.body if isinstance(i.op, Repeat))
    assert repeat.steps == 3
    assert program.is_stateful
    assert parse_program(print_program(program)) == program


def test_streaming_waits_for_the_edge_and_a_faster_edge_helps() -> None:
    wafer, model = machine("wafer-4x4"), llama("decode")
    program = made(model, wafer, fetch=True)
    slow = wafer.fabric.model_copy(update={"edge_bytes_per_second": 1e8})
    throttled = wafer.model_copy(update={"fabric": slow})
    fetched = sum(
        b.type.bytes * len(b.names) for k in program.kernels for b in k.buffers if b.role == "fetched"
    )
    trace = simulate(program, throttled)
    assert trace.latency_cycles >= fetched / throttled.edge_bytes_per_cycle
    assert "edge" in trace.bounded_by
    assert simulate(program, wafer).latency_cycles < trace.latency_cycles


def test_a_decoder_is_run_sequentially_unless_asked_otherwise() -> None:
    plan = choose_plan(llama("decode"), machine("wafer-4x4"), Asked(), lambda _: None)
    assert isinstance(plan, SequentialPlan)
    assert plan.schedule == "sequential"
    assert "pipeline: has no place for state" in plan.why
    assert longest_context_of(plan) > 16


def test_memory_is_checked_and_the_error_says_by_how_much() -> None:
    wafer = machine("wafer-4x4")
    core = wafer.core.model_copy(update={"sram_bytes": 9000})
    with pytest.raises(DoesNotFit, match=r"B more than its 9,000 B .* --context"):
        plan_sequential(llama("decode"), wafer.model_copy(update={"core": core}), Wanted(wafers=1))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"schedule": "fast"}, "--schedule fast: there are pipeline, sequential, streaming."),
        ({"grid": "9"}, "--grid takes COLUMNSxROWS, as in --grid 660x660; '9' was given."),
        ({"grid": "0x4"}, "--grid takes COLUMNSxROWS, as in --grid 660x660; '0x4' was given."),
        (
            {"schedule": "pipeline", "wafers": "2"},
            "--grid and --wafers are for --schedule sequential or streaming.",
        ),
        (
            {"schedule": "streaming", "wafers": "2"},
            "--schedule streaming runs on one wafer: leave --wafers out.",
        ),
    ],
)
def test_options_that_cannot_be(options: dict[str, str], said: str) -> None:
    with pytest.raises(UserError) as error:
        Asked.of(options)
    assert str(error.value) == said


def test_a_grid_larger_than_the_fabric() -> None:
    with pytest.raises(DoesNotFit) as error:
        choose_plan(llama("decode"), machine("wafer-4x4"), Asked.of({"grid": "5x4"}), lambda _: None)
    assert str(error.value) == "--grid 5x4 is larger than wafer-4x4: it has 4 x 4 cores."


def tiled(model: Model, wafer: Wafer, wafers: int) -> SequentialPlan | None:
    """The model with every part of every layer on a rectangle of its own; None where they do not fit."""
    plan = plan_sequential(model, machine("wafer-8x8"), Wanted())
    task = Task(plan.rolled, plan.dims, plan.weight_keys, wafer)
    segments = Tilings(task, (wafer.grid.width_cores, wafer.grid.height_cores)).placed(wafers)
    return None if segments is None else replace(plan, machine=wafer, segments=segments)


@pytest.mark.parametrize(("phase", "wafers"), [("decode", 1), ("decode", 2), ("prefill", 2)])
def test_parts_of_layers_on_rectangles_of_their_own(phase: str, wafers: int) -> None:
    model, wafer = llama(phase), machine("wafer-8x8")
    plan = tiled(model, wafer, wafers)
    assert plan is not None
    program = emit_sequential(plan)
    verify(program)
    assert [k.name for k in program.kernels][1:3] == ["layers.0.attention", "layers.0.products"]
    assert {k.wafer for k in program.kernels} == set(range(wafers))
    assert_equal(program, model, position=5)
    assert parse_program(print_program(program)) == program


def test_rectangles_keep_out_of_dead_cores() -> None:
    model, wafer = llama("decode"), machine("wafer-8x8")
    dead = wafer.model_copy(
        update={"defects": Defects(dead_cores={"value": ((3, 4), (6, 1)), "source": "a test"})}
    )
    plan = tiled(model, dead, 2)
    assert plan is not None
    program = emit_sequential(plan)
    simulate(program, dead)  # refuses kernels on dead cores
    assert_equal(program, model, position=5)
    for x, y in ((3, 4), (6, 1)):
        assert not any(k.x <= x < k.x + k.width and k.y <= y < k.y + k.height for k in program.kernels)


def test_a_prompt_by_chunks_goes_through_its_rectangles_one_behind_the_other() -> None:
    options = {"shape": "tiny", "phase": "prefill", "context": "16", "chunk": "4", "layers": "3"}
    model, wafer = captured("llama3_8b", **options), machine("wafer-8x8")
    plan = tiled(model, wafer, 2)
    assert plan is not None
    program, inputs = emit_sequential(plan), inputs_of(model)
    inputs[-1] = np.arange(5, 9)  # positions
    found, expected = execute(program, model.weights, inputs), interpret(model.graph, inputs, model.weights)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * np.abs(b).max())
    trace = simulate(program, wafer)
    busiest = max(kernel.busy_cycles for kernel in trace.kernels)
    assert busiest <= trace.interval_cycles < trace.latency_cycles / 3
    assert not program.awaits_itself


def test_a_decoder_awaits_its_own_token() -> None:
    plan = tiled(llama("decode"), machine("wafer-8x8"), 1)
    assert plan is not None
    program = emit_sequential(plan)
    trace = simulate(program, machine("wafer-8x8"))
    assert program.awaits_itself
    assert trace.interval_cycles == trace.latency_cycles
    assert max(k.busy_cycles for k in trace.kernels) <= trace.known_interval_cycles < trace.latency_cycles / 3


@pytest.mark.parametrize("fetch", [False, True])
def test_the_timeline_ends_when_the_simulation_does(fetch: bool) -> None:
    wafer = machine("wafer-4x4")
    program = made(llama("decode"), wafer, Wanted() if fetch else Wanted(wafers=2), fetch)
    found, latency = timeline(program, wafer, 2), simulate(program, wafer).latency_cycles
    kernels = [track for track in found.tracks if track.group.startswith("kernels")]
    assert {track.group for track in kernels} == (
        {"kernels"} if fetch else {"kernels of wafer 0", "kernels of wafer 1"}
    )
    for track in kernels:
        assert all(a.end <= b.start for a, b in pairwise(track.spans))
    last = max(span.end for track in found.tracks for span in track.spans)
    assert latency < last <= 2 * latency
    assert any(track.group == "edge" for track in found.tracks) == fetch


def test_each_wafer_has_a_floor_plan_of_its_own() -> None:
    wafer = machine("wafer-4x4")
    program = made(llama("decode"), wafer, Wanted(wafers=3))
    trace = simulate(program, wafer)
    assert [k.wafer for k in trace.kernels] == [0, 1, 2]
    for number, kernel in enumerate(program.kernels):
        found = TARGET.floorplan_of(program, wafer, trace, number)
        assert [region.name for region in found.regions] == [kernel.name]
    with pytest.raises(UserError) as error:
        TARGET.floorplan_of(program, wafer, trace, 3)
    assert str(error.value) == "--wafer 3: the program's wafers are 0 to 2."


def test_one_region_keeps_out_of_dead_cores_or_says_what_would_fit() -> None:
    model, wafer = llama("decode"), machine("wafer-8x8")
    defects = Defects(dead_cores={"value": ((3, 0), (0, 6)), "source": "a test"})
    dead = wafer.model_copy(update={"defects": defects})
    (kernel,) = made(model, dead, Wanted((4, 5))).kernels
    assert (kernel.x, kernel.y) == (4, 0)
    (kernel,) = made(model, dead, Wanted((7, 5))).kernels
    assert (kernel.x, kernel.y) == (0, 1)
    with pytest.raises(DoesNotFit) as error:
        plan_sequential(model, dead, Wanted((8, 6)))
    assert str(error.value) == (
        "--grid 8x6: wafer-8x8 has no such rectangle without dead cores; the largest is 7x7."
    )
    simulate(made(model, dead, Wanted(wafers=1)), dead)  # refuses kernels on dead cores


@given(cells=st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=5))
def test_the_largest_clear_region_is_the_largest(cells: set[tuple[int, int]]) -> None:
    defects = Defects(dead_cores={"value": tuple(sorted(cells)), "source": "a test"})
    wafer = machine("wafer-8x8").model_copy(update={"defects": defects})
    assume(_is_whole(wafer))
    dead = {cell for box in wafer.keep_outs for cell in box.cells}
    found = clear_region(wafer, None)
    assert dead.isdisjoint(found.cells)
    sides = range(1, 9)
    areas = [
        w * h
        for w in sides
        for h in sides
        for x in range(9 - w)
        for y in range(9 - h)
        if not any(x <= a < x + w and y <= b < y + h for a, b in dead)
    ]
    assert found.cores == max(areas)


def _is_whole(wafer: Wafer) -> bool:
    """Whether no dead cores cut the fabric in two."""
    try:
        return bool(wafer.keep_outs) or True
    except ValueError:
        return False
