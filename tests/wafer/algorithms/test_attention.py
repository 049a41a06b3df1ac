"""Attention with heads over sub-regions, of many queries, and of few over a growing cache, against the reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wafer.algorithms.machines import machine
from tests.wafer.algorithms.running import run, run_block
from wsc.backends.wafer.algorithms import (
    Block,
    Cache,
    Combining,
    Gemm,
    append,
    attention,
    cut_layout,
    decode_attention,
    filled,
    longest,
)
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate import simulate
from wsc.compiler.errors import AlgorithmError, DoesNotFit, SimulationError
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Layout, Mesh, MeshAxis
from wsc.compiler.ops import Attention
from wsc.compiler.ops.base import Array

small = st.integers(1, 4)


def mesh(groups: int, rows: int, columns: int) -> Mesh:
    """Head groups side by side along x."""
    return Mesh((MeshAxis("h", groups, "x"), MeshAxis("j", columns, "x"), MeshAxis("i", rows, "y")))


def arrays(seed: int, dtype: DType, *shapes: tuple[int, ...]) -> list[Array]:
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape).astype(dtype.numpy) for shape in shapes]


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(small, small, small),
    st.tuples(small, st.integers(1, 9), st.integers(1, 9), st.integers(1, 7)),
    st.booleans(),
    st.sampled_from(["summa-t", "meshgemm-t"]),
    st.sampled_from([DType.F32, DType.F16]),
)
def test_many_queries(
    grid: tuple[int, int, int], size: tuple[int, int, int, int], causal: bool, scores: str, dtype: DType
) -> None:
    heads, s, t, d = size
    t = s if causal else t
    wafer, block = machine("wse2"), Block(mesh(*grid))
    shapes = {"q": (heads, s, d), "k": (heads, t, d), "v": (heads, t, d)}
    q, k, v = (
        block.input(name, TensorType(dtype, shape), cut_layout(block.mesh, shape, ("h", "i", "j")))
        for name, shape in shapes.items()
    )
    how = Combining(wafer)
    result = attention(block, q, k, v, how, scale=0.3, causal=causal, scores=Gemm(scores))
    block.output(result, "o")
    given_arrays = dict(zip(shapes, arrays(s, dtype, *shapes.values()), strict=True))
    found = run_block(block, wafer, given_arrays)["o"]
    exact = Attention(0.3, causal).reference([a.astype(np.float64) for a in given_arrays.values()])
    tolerance = 1e-4 if dtype is DType.F32 else 1e-2
    np.testing.assert_allclose(found, exact, rtol=tolerance, atol=tolerance)


def decode(
    how: Cache, grid: Mesh, slots: int, heads: int, rows: int, d: int, dtype: DType = DType.F32
) -> Program:
    """A decode step: append to the caches of keys and values, then attend to what is there."""
    wafer, block = machine("wse2"), Block(grid)
    t = slots * grid["i"].parts
    lying, row = (cut_layout(grid, (heads, t, d), ("h", along, "j")) for along in ("i", None))
    k, v = (block.input(name, TensorType(dtype, (heads, t, d)), lying) for name in "kv")
    new_k, new_v = (block.input(name, TensorType(dtype, (heads, 1, d)), row) for name in ("new_k", "new_v"))
    q = block.input("q", TensorType(dtype, (heads, rows, d)), row)
    length = block.input("length", TensorType(DType.I32, (1,)), Layout(((),)))
    keys, values = append(block, k, new_k, length, how), append(block, v, new_v, length, how)
    after = block.elementwise("add", [length], (None, 1))
    kept = filled(block, keys, after, how)
    result = decode_attention(block, q, keys, values, Combining(wafer), scale=0.5, kept=kept)
    for buffer, key in ((keys, "k"), (values, "v"), (result, "o")):
        block.output(buffer, key)
    return block.program("decode", wafer)


def generate(program: Program, steps: int) -> list[Array]:
    """Decode steps from empty caches, each against the reference over all that came; returns all keys."""
    types = dict(program.inputs)
    state = {name: np.zeros(types[name].shape, np.float32) for name in "kv"}
    came: dict[str, list[Array]] = {"new_k": [], "new_v": []}
    for step in range(steps):
        names = ("new_k", "new_v", "q")
        made = arrays(step, DType.F32, *(types[name].shape for name in names))
        new = dict(zip(names, made, strict=True))
        outputs = run(program, {**state, **new, "length": np.array([step], np.int32)})
        state = {name: outputs[name] for name in "kv"}
        for name, rows in came.items():
            rows.append(new[name])
        exact = Attention(0.5).reference([new["q"], *(np.concatenate(rows, 1) for rows in came.values())])
        np.testing.assert_allclose(outputs["o"], exact, rtol=1e-4, atol=1e-5)
    return came["new_k"]


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 3), small, small),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 5),
    st.data(),
)
def test_few_queries_over_a_growing_cache(
    grid: tuple[int, int, int], slots: int, rows: int, d: int, data: st.DataObject
) -> None:
    total = slots * grid[1]
    start = data.draw(st.none() | st.integers(0, total))
    how = Cache("i", 1) if start is None else Cache("i", 1, False, start)
    program = decode(how, mesh(*grid), slots, 2 * grid[0], rows, d)
    capacity = how.capacity(mesh(*grid), program.kernels[0]["k"])
    assert capacity <= total
    generate(program, min(capacity, 8))


def test_in_balance_every_row_of_cores_fills_alike() -> None:
    grid = mesh(1, 4, 2)
    balanced, plain = Cache("i", 1), Cache("i", 1, balanced=False)
    programs = {how: decode(how, grid, 3, 1, 1, 2) for how in (balanced, plain)}
    capacities = {how: how.capacity(grid, program.kernels[0]["k"]) for how, program in programs.items()}
    assert capacities == {balanced: 12, plain: 3}
    for how, program in programs.items():
        generate(program, capacities[how])
        full = {name: np.zeros(type.shape, type.dtype.numpy) for name, type in program.inputs}
        full["length"] = np.array([capacities[how]], np.int32)
        with pytest.raises(SimulationError, match="3 slots, all taken"):
            run(program, full)


def test_the_longest_context_is_what_memory_holds() -> None:
    """A layer of 32 heads of 128 over 16 x 16 cores: both caches, and the scores of all slots of a row of cores."""
    grid, wafer = mesh(4, 16, 4), machine("wse2")

    def step(slots: int) -> Program:
        return decode(Cache("i", 1), grid, slots, 32, 1, 128, DType.F16)

    slots = longest(step)
    with pytest.raises(DoesNotFit):
        step(slots + 1)
    assert longest(step, most=7) == 7
    a_slot = 2 * 8 * 32 * 2 + 2 * 8 * 4  # keys and values of 8 heads, 32 elements each; two sets of scores
    assert slots >= (wafer.core.sram_bytes - wafer.core.runtime_code_bytes) // a_slot - 8
    cache = step(slots).kernels[0]["k"]
    tokens = [Cache("i", 1, balanced).capacity(grid, cache) for balanced in (True, False)]
    assert tokens == [16 * slots, slots]


def test_a_step_costs_the_same_in_balance() -> None:
    """A shift between neighbours: a hundred cycles, wherever the row of cores."""
    wafer, grid = machine("wse2"), mesh(2, 16, 4)
    times = [
        simulate(decode(Cache("i", 1, balanced), grid, 8, 2, 1, 64), wafer).latency_cycles
        for balanced in (True, False)
    ]
    assert 0 < times[0] - times[1] < 500


def test_what_cannot_be_is_refused() -> None:
    block, how = Block(mesh(1, 2, 2)), Combining(machine("wse2"))
    type = TensorType(DType.F32, (1, 4, 4))
    lying = {"q": "[.,i:2,j:2]", "k": "[.,i:2,.]", "other": "[.,.,i:2]"}
    q, k, other = (block.input(name, type, Layout.parse(text)) for name, text in lying.items())
    length = block.input("n", TensorType(DType.I32, (1,)), Layout(((),)))
    with pytest.raises(AlgorithmError) as caught:
        attention(block, q, k, k, how, scale=1, scores=Gemm("summa"))
    assert str(caught.value) == "attention's scores are made by summa-t, meshgemm-t, not by 'summa'"
    with pytest.raises(AlgorithmError) as caught:
        attention(block, q, k, k, how, scale=1)
    assert str(caught.value).startswith("'summa-t' needs dimension 2 of 'k' cut along 'j', not [.,i:2,.]")
    with pytest.raises(AlgorithmError) as caught:
        decode_attention(block, q, k, k, how, scale=1)
    assert str(caught.value).startswith("attention needs q, k and v cut alike: ")
    with pytest.raises(AlgorithmError) as caught:
        append(block, other, q, length, Cache("i", 1))
    assert str(caught.value) == "a cache has full tiles cut along 'i' in dimension 1, not [.,.,i:2]"
    with pytest.raises(AlgorithmError) as caught:
        append(block, k, q, length, Cache("i", 1))
    assert str(caught.value) == (
        "a cache f32[1,4,4] [.,i:2,.] takes f32[1,1,4] [.,.,.], not f32[1,4,4] [.,i:2,j:2]"
    )
