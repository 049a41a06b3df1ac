"""A search's price of cuts, which keeps what each node became, is that of the segment drafted anew."""

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wafer import models
from tests.wafer.cut_cases import Cutting, blocks
from tests.wafer.sequential_cases import llama, machine
from wsc.backends.wafer.algorithms.choose import (
    ReduceChoice,
    all_reduce_cycles,
    all_reduce_options,
    choose_all_reduce,
)
from wsc.backends.wafer.estimate import code_bytes
from wsc.backends.wafer.sequential.assign import PLACES, Cuts
from wsc.backends.wafer.sequential.cost import expected_cycles, too_large
from wsc.backends.wafer.sequential.division import cut_segments
from wsc.backends.wafer.sequential.draft import Conflict
from wsc.backends.wafer.sequential.region import Task, _draft, _Price, mesh_of
from wsc.backends.wafer.sequential.segment import Segment, instructions_in
from wsc.compiler.layout import Mesh

MESHES = [mesh_of(*parts) for parts in [(1, 3, 1, 5), (1, 4, 2, 2), (2, 2, 2, 2), (2, 1, 2, 1)]]
CUTTINGS = {
    "mlp": Cutting.of(models.mlp(4, 8)),
    **{f"attention, {kind}": Cutting.of(model) for kind, model in blocks(1, 4, 2).items()},
    "prefill": Cutting.of(llama("prefill", seq=6)),
    "decode": Cutting.of(llama("decode")),
    "decode, fetched": Cutting.of(llama("decode", batch=2), fetch=True),
}


def tight(task: Task, bytes: int) -> Task:
    """On cores of so much memory."""
    core = task.machine.core.model_copy(update={"sram_bytes": bytes})
    return replace(task, machine=task.machine.model_copy(update={"core": core}))


def anew(task: Task, segment: Segment, mesh: Mesh, cuts: Cuts) -> float:
    """The price by all instructions of the segment."""
    wafer = task.machine
    try:
        drafted = _draft(task, segment, mesh, cuts)
    except Conflict:
        return inf
    cycles = expected_cycles(wafer, mesh, {b.name: b for b in drafted.buffers}, drafted.body)
    held = sum(b.bytes for b in drafted.buffers if b.role != "local")
    largest = max((b.bytes for b in drafted.buffers if b.role == "local"), default=0)
    code = code_bytes(instructions_in(drafted.body), wafer) + wafer.core.runtime_code_bytes
    return cycles + too_large(held + 2 * largest + code, wafer)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(list(CUTTINGS)), st.sampled_from(MESHES), st.sampled_from([1000, 48_000]))
def test_the_price_is_that_of_all_instructions(data, name, mesh, bytes):
    cutting = CUTTINGS[name]
    task = tight(cutting.task, bytes)
    segment = cut_segments(task.rolled, [task.rolled.count])[0]
    price = _Price(task, segment, mesh)
    places = st.sampled_from([*PLACES, ()])
    cuts: Cuts = {atom: data.draw(places) for atom in cutting.atoms}
    best = inf
    for _ in range(6):  # one cut after another, as a search goes
        cuts = {**cuts, data.draw(st.sampled_from(cutting.atoms)): data.draw(places)}
        expected = anew(task, segment, mesh, cuts)
        assert price(cuts) == expected
        found = price(cuts, best)
        assert found == expected if expected <= best else found in (expected, inf)
        best = min(best, expected)


@pytest.mark.parametrize("limit", [0.0, 1e3, 1e5])
def test_what_is_dearer_than_the_limit_is_left(limit):
    task = CUTTINGS["prefill"].task
    segment = cut_segments(task.rolled, [task.rolled.count])[0]
    whole = anew(task, segment, MESHES[1], {})
    assert _Price(task, segment, MESHES[1])({}, limit) == (inf if whole > limit else whole)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4000), st.integers(1, 90), st.integers(1, 5), st.sampled_from(["wse2", "wafer-8x8"]))
def test_the_groups_of_two_phases_are_all_looked_at(words, parts, pitch, name):
    wafer = machine(name)
    made = (
        ReduceChoice(way, group, all_reduce_cycles(way, words, parts, wafer, group, root, pitch), root)
        for way, group, root in all_reduce_options(parts)
    )
    best = min(made, key=lambda choice: choice.cycles)
    assert choose_all_reduce(words, parts, wafer, pitch) == best
