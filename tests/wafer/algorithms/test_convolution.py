"""Convolution with halos between cores against the op's reference, ragged tiles included."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.wafer.algorithms.machines import machine
from tests.wafer.algorithms.running import run_block
from wsc.backends.wafer.algorithms import Block
from wsc.backends.wafer.algorithms.convolution import convolution, image_layout
from wsc.backends.wafer.instructions import Halo
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Layout, Mesh, MeshAxis
from wsc.compiler.ops import Contract

small = st.integers(1, 4)
EVERYWHERE = Layout(((),) * 4)


def block(rows: int, columns: int) -> Block:
    return Block(Mesh((MeshAxis("i", rows, "y"), MeshAxis("j", columns, "x"))))


@settings(max_examples=80, deadline=None)
@given(
    st.tuples(small, small),
    st.tuples(st.integers(1, 11), st.integers(1, 11)),
    st.tuples(small, small),
    small,
    small,
)
def test_it_convolves(
    grid: tuple[int, int], size: tuple[int, int], taps: tuple[int, int], channels: int, filters: int
) -> None:
    assume(all(t // 2 <= -(-n // p) for t, n, p in zip(taps, size, grid, strict=True)))
    made, wafer = block(*grid), machine("wse2")
    x = made.input("x", TensorType(DType.F32, (channels, *size)), image_layout(*size, *grid))
    w = made.weight("w", TensorType(DType.F32, (filters, channels, *taps)), EVERYWHERE)
    made.output(convolution(made, x, w, wafer), "y")
    random = np.random.default_rng(0)
    arrays = {b.key: random.standard_normal(b.type.shape).astype(np.float32) for b in (x, w)}
    windows = ((t, s, 1, 1, (n - 1) // 2, n // 2) for t, s, n in zip("hw", "rs", taps, strict=True))
    exact = Contract("chw,ocrs->ohw", tuple(windows)).reference(list(arrays.values()))
    np.testing.assert_allclose(run_block(made, wafer, arrays)["y"], exact, rtol=1e-4, atol=1e-4)


def test_rows_come_before_columns_so_that_corners_come_too() -> None:
    made = block(2, 2)
    x = made.input("x", TensorType(DType.F32, (1, 4, 4)), image_layout(4, 4, 2, 2))
    w = made.weight("w", TensorType(DType.F32, (1, 1, 3, 3)), EVERYWHERE)
    convolution(made, x, w, machine("wse2"))
    halos = [i.op for i in made.instructions if isinstance(i.op, Halo)]
    assert [(halo.lo, halo.hi) for halo in halos] == [(1, 1), (1, 1)]
    assert {halo.dim for halo in halos} == {1, 2}


def test_what_cannot_be_is_refused() -> None:
    made = block(4, 1)
    x = made.input("x", TensorType(DType.F32, (1, 4, 4)), image_layout(4, 4, 4, 1))
    wide = made.weight("w", TensorType(DType.F32, (1, 1, 5, 1)), EVERYWHERE)
    with pytest.raises(AlgorithmError) as caught:
        convolution(made, x, wide, machine("wse2"))
    assert str(caught.value) == (
        "no halo fills dimension 1 of [.,i:1~2+2,j:4]: overlaps are of a dimension cut once, of a tile at most"
    )
    with pytest.raises(AlgorithmError) as caught:
        convolution(made, x, x, machine("wse2"))
    assert str(caught.value) == (
        "a convolution takes x[c, h, w] and weights[o, c, r, s], not f32[1,4,4], f32[1,4,4]"
    )
