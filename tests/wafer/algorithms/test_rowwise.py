"""Norm and softmax across cores against numpy, in single and half precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wafer.algorithms.machines import machine
from tests.wafer.algorithms.running import run_block
from wsc.backends.wafer.algorithms import Block, Combining, cut_layout, norm, softmax
from wsc.backends.wafer.instructions import AllReduce
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Layout, Mesh, MeshAxis
from wsc.compiler.ops.base import Array


def reference(form: str, x: Array) -> Array:
    """In double precision."""
    x = x.astype(np.float64)
    if form == "softmax":
        powers = np.exp(x - x.max(-1, keepdims=True))
        return np.asarray(powers / powers.sum(-1, keepdims=True))
    x = x - x.mean(-1, keepdims=True) if form == "layer" else x
    return np.asarray(x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5))


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(["layer", "rms", "softmax"]),
    st.sampled_from([DType.F32, DType.F16]),
    st.tuples(st.integers(1, 9), st.integers(1, 14)),
    st.tuples(st.integers(1, 5), st.integers(1, 6)),
    st.sampled_from([None, "chain", "star", "ring"]),
)
def test_it_is_what_numpy_makes(
    form: str, dtype: DType, shape: tuple[int, int], grid: tuple[int, int], algorithm: str | None
) -> None:
    wafer = machine("wse2")
    block = Block(Mesh((MeshAxis("i", grid[0], "y"), MeshAxis("j", grid[1], "x"))))
    x = block.input("x", TensorType(dtype, shape), cut_layout(block.mesh, shape, ("i", "j")))
    how = Combining(wafer, algorithm)
    block.output(softmax(block, x, how) if form == "softmax" else norm(block, x, how, form=form), "y")
    given_x = np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype.numpy)
    found = run_block(block, wafer, {"x": given_x})["y"]
    tolerance = 1e-4 if dtype is DType.F32 else 2e-3  # a rounding to half precision is 2**-11
    np.testing.assert_allclose(found, reference(form, given_x), rtol=tolerance, atol=tolerance / 10)


def test_halves_do_not_overflow_in_the_sum_of_squares() -> None:
    wafer, shape = machine("wse2"), (1, 512)
    block = Block(Mesh((MeshAxis("j", 4, "x"),)))
    x = block.input("x", TensorType(DType.F16, shape), cut_layout(block.mesh, shape, (None, "j")))
    block.output(norm(block, x, Combining(wafer)), "y")
    found = run_block(block, wafer, {"x": np.full(shape, 200, np.float16)})["y"]
    np.testing.assert_allclose(found, 1, rtol=1e-3)


def test_what_crosses_the_cores_is_a_word_a_row() -> None:
    wafer, shape = machine("wse2"), (6, 64)
    block = Block(Mesh((MeshAxis("j", 8, "x"),)))
    softmax(
        block,
        block.input("x", TensorType(DType.F32, shape), cut_layout(block.mesh, shape, (None, "j"))),
        Combining(wafer),
    )
    buffers = {b.name: b for b in block.buffers}
    moved = [
        buffers[i.operands[0]].tile_type.elements for i in block.instructions if isinstance(i.op, AllReduce)
    ]
    assert moved == [6, 6]


def test_what_cannot_be_is_refused() -> None:
    block = Block(Mesh((MeshAxis("j", 2, "x"),)))
    x = block.input("x", TensorType(DType.F32, (4, 4)), Layout.parse("[.,.] partial j"))
    how = Combining(machine("wse2"))
    with pytest.raises(AlgorithmError) as caught:
        norm(block, x, how, form="batch")
    assert str(caught.value) == "no norm is called 'batch'; there are layer, rms"
    with pytest.raises(AlgorithmError) as caught:
        softmax(block, x, how)
    assert str(caught.value) == "'max' over rows takes a whole tensor without overlaps, not [.,.] partial j"
