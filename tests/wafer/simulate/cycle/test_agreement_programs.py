"""Every algorithm, movement, schedule and small model at the cycle level: its data, and the fast level's cycles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from tests.wafer import models
from tests.wafer.algorithms import machines
from tests.wafer.algorithms.test_catalog import asked
from tests.wafer.compiling import compile_for, machine, random_inputs
from tests.wafer.sequential_cases import inputs_of, llama
from tests.wafer.simulate.cycle.programs import AGREE, MOST_CYCLES, check, moving
from tests.wafer.simulate.cycle.test_agreement import FABRIC, apart, everyday
from wsc.backends.wafer.algorithms import Product, matmul_program
from wsc.backends.wafer.algorithms.catalog import ENTRIES, example
from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.sequential.emit import emit_sequential
from wsc.backends.wafer.sequential.plan import Wanted, plan_sequential
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.cycle import CycleResult, simulate_cycles
from wsc.compiler.errors import AlgorithmError, DoesNotFit
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType
from wsc.compiler.ops.base import Array

thorough = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def run(
    program: Program, wafer: Wafer, weights: dict[str, Array], inputs: Sequence[Array], error: float = 0
) -> CycleResult:
    """The data is that of `execute`, up to an `error` of other orders of sums, and the latency the fast one's."""
    found = simulate_cycles(program, wafer, weights, inputs, most_cycles=MOST_CYCLES)
    for a, b in zip(found.outputs, execute(program, weights, inputs), strict=True):
        if error:
            x, y = a.astype(np.float64), b.astype(np.float64)
            np.testing.assert_allclose(x, y, rtol=error, atol=error * float(np.abs(y).max()))
        else:
            np.testing.assert_array_equal(a, b)
    fast = simulate(program, wafer).latency_cycles
    assert abs(fast / found.latency - 1) <= AGREE, (program.name, fast, found.latency)
    return found


CASES = [(name, dtype) for name in ENTRIES for dtype in (DType.F32, DType.F16)]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_every_algorithm(name: str, dtype: DType) -> None:
    wafer = machines.machine("wse2")
    program = ENTRIES[name].program(asked(name, dtype=dtype), wafer)
    given_ = example(program)
    weights = {b.key: given_[b.key] for k in program.kernels for b in k.buffers if b.role == "weight"}
    run(program, wafer, weights, [given_[n] for n, _ in program.inputs], 1e-5 if dtype is DType.F32 else 0.01)


transposed = st.tuples(st.sampled_from(["summa-t", "meshgemm-t"]), st.sampled_from([2, 3, 4, 6, 8]))
tiles = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))


@pytest.mark.slow
@thorough
@given(transposed, tiles, st.sampled_from([DType.F32, DType.F16]))
def test_sums_whose_root_moves(product: tuple[str, int], tile: tuple[int, int, int], dtype: DType) -> None:
    algorithm, parts = product
    m, k, n = (parts * extent for extent in tile)
    wafer = machines.machine("wse2")
    check(matmul_program(algorithm, Product(m, k, n, parts, dtype), wafer), wafer, exact=False)


# a movement of W words a part over P parts: mesh, text, types before and after, layouts before and after
MOVES = {
    "ring": (
        "a={p}x", "all_reduce(axis='a', fn='sum', algorithm='ring')", "f32[{w}]", "f32[{w}]", "[.] partial a", "[.]",
    ),
    "gather": ("a={p}x", "all_gather(axis='a', dim=0)", "f32[{n}]", "f32[{n}]", "[a:{w}]", "[.]"),
    "two axes": (
        "a=2x b={p}x", "all_reduce(axis='a*b', fn='sum', algorithm='star')", "f32[{w}]", "f32[{w}]",
        "[.] partial a,b", "[.]",
    ),
    "over two axes": ("a=2y b={p}y", "multicast(axes=('a*b',))", "f32[{w}]", "f32[{w}]", "[.] at a,b", "[.]"),
    "three cores apart": (
        "a={p}x b=3x", "all_reduce(axis='a', fn='sum', algorithm='chain')", "f32[{w}]", "f32[{w}]",
        "[.] at b partial a", "[.] at b",
    ),
    "ring three cores apart": (
        "a={p}x b=3x", "shift(axis='a', by=1, ring='interleaved')", "f32[{n}]", "f32[{n}]", "[a:{w}] at b",
        "[a:{w}] at b",
    ),
    "pieces": (
        "a={p}x", "shift(axis='a', by=1, ring='interleaved', dim=0, pieces=2)", "f32[{d}]", "f32[{d}]", "[a:{e}]",
        "[a:{e}]",
    ),
    "position": ("a={p}x", "position(dim=0)", "i32[{n}]", "i32[{n}]", "[a:{w}]", "[a:{w}]"),
    "transposed": (
        "a={p}x b={p}y", "exchange()", "f32[{n},{n}]", "f32[{n},{n}]", "[a:{w},b:{w}]", "[b:{w},a:{w}]",
    ),
}  # fmt: skip


def movement(kind: str, parts: int, words: int) -> Program:
    mesh, move, *rest = MOVES[kind]
    sizes = {"p": parts, "w": words, "n": parts * words, "d": 2 * parts * words, "e": 2 * words}
    before, after, at, to = (text.format(**sizes) for text in rest)
    return moving(mesh.format(**sizes), [move], [before, after], [at, to])


@pytest.mark.parametrize("kind", MOVES)
@everyday
@given(st.integers(3, 8), st.integers(10, 40))
def test_movements(kind: str, parts: int, words: int) -> None:
    check(movement(kind, parts, words), FABRIC)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in MOVES if kind != "transposed"])
@thorough
@given(st.integers(3, 10), st.integers(10, 200))
def test_long_movements(kind: str, parts: int, words: int) -> None:
    check(movement(kind, parts, words), FABRIC)


RAGGED = [
    ("a=3x b=2y", "exchange()", "f16[7,5]", "f16[7,5]", "[a:3,b:3]", "[b:4,a:2]"),
    ("a=3x b=2y", "exchange()", "f16[7,5]", "f16[7,5]", "[a:3,.] at b", "[.,.] at a,b"),
    ("a=4x", "all_reduce(axis='a', fn='max', algorithm='ring')", "f16[3]", "f16[3]", "[.] partial a", "[.]"),
    ("a=3x", "shift(axis='a', by=1, dim=1, pieces=3)", "f16[3,9]", "f16[3,9]", "[.,a:3]", "[.,a:3]"),
    ("a=3x", "position(dim=1)", "i32[3,7]", "i32[3,7]", "[.,a:3]", "[.,a:3]"),
]


@pytest.mark.parametrize("case", RAGGED, ids=lambda case: case[1].partition("(")[0])
def test_ragged_tiles_of_narrow_elements(case: tuple[str, str, str, str, str, str]) -> None:
    """The data alone: tiles that do not fill their words, and elements that do not fill the tiles."""
    mesh, move, before, after, at, to = case
    check(moving(mesh, [move], [before, after], [at, to]), FABRIC, agree=0.5)


def in_order(model: Model, wafer: Wafer, fetch: bool, position: int = 0, **wanted: Any) -> CycleResult:
    """A program that runs layer after layer, with weights resident or fetched: the very bits of `execute`."""
    program = emit_sequential(plan_sequential(model, wafer, Wanted(**wanted), fetch))
    return run(program, wafer, dict(model.weights), inputs_of(model, position))


@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("fetch", [False, True])
def test_layer_after_layer(phase: str, fetch: bool) -> None:
    found = in_order(llama(phase), machine("wafer-4x4"), fetch, position=9)
    assert found.colors <= machine("wafer-4x4").fabric.colors


@pytest.mark.slow
@thorough
@given(
    st.sampled_from(["prefill", "decode"]),
    st.booleans(),
    st.tuples(st.sampled_from([2, 3, 4, 8]), st.sampled_from([2, 4, 5, 8])),
    st.sampled_from([5, 8, 16]),
    st.integers(1, 2),
)
def test_layer_after_layer_on_any_grid(
    phase: str, fetch: bool, grid: tuple[int, int], context: int, batch: int
) -> None:
    model = llama(phase, context, 1 if phase == "decode" else context, batch, 2)
    try:
        in_order(model, machine("wafer-8x8"), fetch, context // 2, grid=grid, wafers=1)
    except DoesNotFit:
        reject()


def test_a_program_over_wafers_is_refused() -> None:
    with pytest.raises(AlgorithmError) as caught:
        in_order(llama("decode"), machine("wafer-4x4"), False, wafers=3)
    assert str(caught.value) == (
        "the cycle-level simulator takes programs of one wafer, and 'llama' runs on 3: simulate at the fast level"
    )


# Inputs. The first few fill the pipeline, the last few find it emptying. Between them a kernel's work comes now before
# and now behind another's, so that one input may be half an interval early or a whole one late: a mean over many.
INPUTS, FILLED, EMPTYING = 48, 12, 8


def pipeline(model: Model, name: str, count: int = INPUTS) -> float:
    """Latency of one input alone; how far the fast level's interval is from the mean of settled ones."""
    found, wafer = compile_for(name, model), machine(name)
    inputs = random_inputs(found.given)
    run(found.program, wafer, dict(found.model.weights), inputs, 1e-5)
    times = simulate_cycles(found.program, wafer, found.model.weights, inputs, repeats=count).times
    settled = (times[-EMPTYING] - times[FILLED]) / (count - EMPTYING - FILLED)
    fast = simulate(found.program, wafer).interval_cycles
    assert abs(fast / settled - 1) <= AGREE, (fast, settled, np.diff(times))
    return fast / settled - 1


SMALL = [models.mlp(), models.mlp(3, 20), models.many_readers(), models.decoder_step(), models.layers(2, 8)]


def test_pipelines() -> None:
    """Kernels and streams in each other's way."""
    errors = [pipeline(model, "wafer-8x8", 28) for model in SMALL]
    assert np.abs(errors).mean() <= AGREE


def test_chains_that_share_few_colours_pass_on_what_they_receive() -> None:
    """Many streams leave a chain two colours: it receives on one and sends on the other, or would wait for ever."""
    pipeline(models.attention_block(2, 7, 2), "wafer-8x8")


wafers = st.sampled_from(["wafer-8x8", "wafer-16x16"])


@pytest.mark.slow
@thorough
@given(st.integers(1, 12), st.integers(4, 40), wafers)
def test_any_mlp(rows: int, wide: int, name: str) -> None:
    pipeline(models.mlp(rows, wide), name)


@pytest.mark.slow
@thorough
@given(st.integers(1, 2), st.integers(2, 10), st.sampled_from([1, 2, 4]), wafers)
def test_any_attention(batch: int, rows: int, heads: int, name: str) -> None:
    pipeline(models.attention_block(batch, rows, heads), name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wafer-8x8", "wafer-16x16"])
def test_convolutions(name: str) -> None:
    pipeline(models.convolutions(), name)


CHUNKS = "the first input in chunks: the fast level has it out 13 to 21 % too early"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "rows", "name"),
    [
        (4, 32, "wafer-16x16"),
        (1, 32, "wafer-8x8"),
        apart(3, 32, "wafer-8x8", reason=CHUNKS),
        apart(2, 32, "wafer-16x16", reason=CHUNKS),
    ],
)
def test_chunks(count: int, rows: int, name: str) -> None:
    pipeline(models.layers(count, rows), name)
