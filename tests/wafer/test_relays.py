"""Values that many kernels read go from reader to reader; what waits for another input's way waits at the host."""

from collections import Counter
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.graphs import model
from tests.wafer.compiling import check_numbers, compile_for, machine, random_inputs
from wsc.backends.wafer import plan as plan_module
from wsc.backends.wafer.chunks import plan_chunks
from wsc.backends.wafer.depths import DepthParams, in_time, plan_depths
from wsc.backends.wafer.emit.pipeline import emit_pipeline
from wsc.backends.wafer.kernels import cut_kernels
from wsc.backends.wafer.legalize import legalize
from wsc.backends.wafer.plan import WAYS
from wsc.backends.wafer.relays import relayed
from wsc.backends.wafer.simulate import simulate
from wsc.compiler.errors import DoesNotFit
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model


def shared(readers: int, rows: int = 4) -> Model:
    """A value that each of so many layers reads, turned, beside the layer before: a decoder with its encoder."""
    lines = [f"%x = input(index=0) : f32[{rows},8]", f"%y = input(index=1) : f32[8,{rows}]"]
    lines += [f"%e = softmax(dim=1) %x : f32[{rows},8]", "%s0 = softmax(dim=0) %y : f32[8,4]"]
    for i in range(readers):
        lines += [
            f"%t{i} = permute(order=(1,0)) %e : f32[8,{rows}]",
            f"%a{i} = elementwise(fn='add', scalars=(None, None)) %t{i} %s{i} : f32[8,{rows}]",
            f"%s{i + 1} = softmax(dim=0) %a{i} : f32[8,{rows}]",
        ]
    return model(*lines, f"return %s{readers}")


def crossed(length: int = 6, rows: int = 64) -> Model:
    """An encoder of so many kernels, and queries from another input that meet it at its end."""
    lines = [f"%x = input(index=0) : f32[1,{rows},8]", f"%y = input(index=1) : f32[1,{rows},8]"]
    lines += ["%w = parameter(key='q.weight') : f32[8,8]"]
    lines += [f"%v0 = softmax(dim=2) %x : f32[1,{rows},8]"]
    lines += [f"%v{i} = softmax(dim=2) %v{i - 1} : f32[1,{rows},8]" for i in range(1, length + 1)]
    lines += [f"%q = contract(equation='bsk,nk->bsn') %y %w : f32[1,{rows},8]"]
    lines += [f"%a = attention(scale=0.5) %q %v{length} %v{length} : f32[1,{rows},8]"]
    return model(*lines, "return %a")


def readers_of(graph: Graph) -> Counter[str]:
    pairs = {(feed.source, kernel.name) for kernel in cut_kernels(graph) for feed in kernel.streams}
    return Counter(source for source, _ in pairs)


@given(st.integers(1, 24), st.integers(1, 7))
def test_no_value_is_sent_to_more_than_asked_and_a_copy(readers: int, most: int) -> None:
    given_model = legalize(shared(readers), machine("wafer-8x8"))
    graph = relayed(given_model.graph, most)
    assert max(readers_of(graph).values()) <= most + 1
    inputs = random_inputs(given_model)
    for a, b in zip(interpret(graph, inputs, {}), interpret(given_model.graph, inputs, {}), strict=True):
        np.testing.assert_array_equal(a, b)


def test_few_readers_are_left_alone() -> None:
    graph = legalize(shared(4), machine("wafer-8x8")).graph
    assert relayed(graph, 3) is graph
    assert relayed(graph, 2) is not graph


def test_truth_values_and_inputs_are_passed_on_too() -> None:
    lines = ["%m = input(index=0) : bool[4,8]", "%x = input(index=1) : f32[4,8]"]
    lines += [f"%s{i} = softmax(dim={i % 2}) %x : f32[4,8]" for i in range(6)]
    lines += [
        f"%a{i} = elementwise(fn='select', scalars=(None, None, 0.0)) %m %s{i} : f32[4,8]" for i in range(6)
    ]
    made = model(*lines, "return " + " ".join(f"%a{i}" for i in range(6)))
    with mock.patch.object(plan_module, "WAYS", WAYS[1:2]):
        found = compile_for("wafer-8x8", made)
    check_numbers(found)
    graph = relayed(found.model.graph, 2)
    assert max(readers_of(graph).values()) <= 3


@pytest.mark.parametrize("way", WAYS[1:])
def test_programs_of_every_way_compute_the_model(way: plan_module.Way) -> None:
    for made in (shared(9), crossed()):
        with mock.patch.object(plan_module, "WAYS", (way,)):
            found = compile_for("wafer-8x8", made)
        check_numbers(found)
        trace = simulate(found.program, found.plan.machine)  # what waits has room enough: nothing locks
        assert trace.interval_cycles > 0


def test_queries_of_an_encoders_keys_wait_at_the_host() -> None:
    kernels = cut_kernels(legalize(crossed(), machine("wafer-8x8")).graph)
    chunkings = plan_chunks(kernels)
    at = next(k for k in kernels if k.anchor.name == "a")
    early, late = (plan_depths(kernels, chunkings, DepthParams(late)) for late in (False, True))
    assert early[at.name][0] > 8 * late[at.name][0]
    order = in_time(kernels, chunkings)
    turn = {kernels[b].anchor.name: i for i, (_, b) in enumerate(order)}
    assert turn["q"] > turn["v4"]


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_no_stream_has_room_for_more_inputs_than_asked(inputs: int) -> None:
    kernels = cut_kernels(legalize(crossed(9), machine("wafer-8x8")).graph)
    chunkings = plan_chunks(kernels)
    found = plan_depths(kernels, chunkings, DepthParams(late=False, inputs=inputs))
    for kernel in kernels:
        assert all(
            depth <= max(2, inputs * chunkings[kernel.name].chunks + 1) for depth in found[kernel.name]
        )


def test_what_takes_too_many_colours_is_passed_on() -> None:
    """Nine streams leave one kernel, and the machine has as many colours as that: with relays seven do."""
    wafer = machine("wafer-8x8")
    few = wafer.model_copy(update={"fabric": wafer.fabric.model_copy(update={"colors": 9})})
    graph = legalize(shared(12), few).graph
    refused: list[str] = []

    def proven(plan: plan_module.Plan) -> None:
        try:
            emit_pipeline(plan)
        except DoesNotFit as error:
            refused.append(str(error))
            raise

    plan = plan_module.make_plan(graph, few, proven=proven)
    assert "colours" in refused[0]
    assert max(readers_of(plan.graph).values()) < 9
