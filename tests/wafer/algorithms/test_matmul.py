"""Matrix products by every algorithm: their text, and their numbers on small fabrics, ragged tiles included."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wafer.algorithms.machines import machine
from wsc.backends.wafer.algorithms import MATMULS, Product, matmul_program
from wsc.backends.wafer.algorithms.gemm import TRANSPOSED
from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.simulate import core_maps, simulate
from wsc.backends.wafer.text import parse_program, print_program
from wsc.compiler.errors import AlgorithmError, DoesNotFit
from wsc.compiler.ir.types import DType
from wsc.compiler.ops.base import Array

GOLDEN = Path(__file__).parent / "golden"
extents = st.integers(1, 13)


def product(algorithm: str, size: Product, seed: int = 0) -> tuple[Array, Array, Array]:
    """A, B as it is in A B, and what the program makes of them."""
    random = np.random.default_rng(seed)
    a = random.standard_normal((size.m, size.k)).astype(size.dtype.numpy)
    b = random.standard_normal((size.k, size.n)).astype(size.dtype.numpy)
    given = np.ascontiguousarray(b.T) if algorithm in TRANSPOSED else b
    (c,) = execute(matmul_program(algorithm, size, machine("wse2")), {}, [a, given])
    return a, b, c


@pytest.mark.parametrize("algorithm", MATMULS)
def test_the_text_of_a_small_one(algorithm: str) -> None:
    size = Product(5, 6, 4, 3, DType.F16, vector="m")
    if algorithm == "k-split":
        size = replace(size, parts=4, rows=2)
    program = matmul_program(algorithm, size, machine("wafer-4x4"))
    text = print_program(program)
    assert text == (GOLDEN / f"{algorithm}.txt").read_text(encoding="utf-8")
    assert parse_program(text) == program


sizes = st.builds(
    lambda m, k, n, rows, groups, per_group, inner: Product(
        m, k, n, groups * per_group, DType.F32, rows=rows, groups=groups, inner=inner
    ),
    extents,
    extents,
    extents,
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(1, 4),
    st.sampled_from(["summa", "cannon", "meshgemm"]),
)


@pytest.mark.parametrize("algorithm", MATMULS)
@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(0, 99))
def test_it_computes_the_product(algorithm: str, size: Product, seed: int) -> None:
    a, b, c = product(algorithm, size, seed)
    np.testing.assert_allclose(c, a @ b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("algorithm", MATMULS)
def test_in_halves_it_rounds_once_a_step(algorithm: str) -> None:
    a, b, c = product(algorithm, Product(12, 40, 9, 4, DType.F16, rows=2))
    exact = a.astype(np.float64) @ b.astype(np.float64)
    assert np.abs(c - exact).max() <= 6 * 2**-11 * np.abs(exact).max()


@pytest.mark.parametrize("algorithm", ["summa", "cannon", "meshgemm", "k-split"])
def test_it_multiplies_as_often_as_asked(algorithm: str) -> None:
    for repeats in (0, 2):
        a, b, c = product(algorithm, Product(5, 7, 6, 4, DType.F32, repeats=repeats))
        np.testing.assert_allclose(c, repeats * (a @ b), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("algorithm", MATMULS)
def test_it_has_maps_and_a_trace(algorithm: str) -> None:
    wafer = machine("wafer-4x4")
    program = matmul_program(algorithm, Product(8, 8, 8, 4, DType.F32), wafer)
    trace = simulate(program, wafer)
    assert trace.kernels[0].macs == 8**3
    steps = [step.latency_cycles for step in trace.kernels[0].steps]
    assert max(steps) <= trace.latency_cycles <= sum(steps)  # the skews of A and B overlap
    assert core_maps(program, wafer, trace).compute_share.shape == (4, 4)


def test_a_wafer_in_an_instant() -> None:
    """Cores that do the same are simulated once: 750 x 750 cores are as fast as 3 x 3."""
    wafer = machine("wse2")
    trace = simulate(matmul_program("summa", Product(34500, 34500, 34500, 750, DType.F32), wafer), wafer)
    assert trace.kernels[0].units == 750**2
    assert trace.kernels[0].macs == 750**3 * 46**3


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("strassen", {}, f"no matrix product is called 'strassen'; there are {', '.join(MATMULS)}"),
    ("summa", {"m": 0}, "extents and parts of a matrix product are 1 or more"),
    ("summa", {"rows": 0}, "extents and parts of a matrix product are 1 or more"),
    ("summa", {"vector": "k"}, "a matrix product's vectors run along 'm' or 'n', not 'k'"),
    ("k-split", {"groups": 3}, "2 columns of cores do not make --groups 3"),
    ("k-split", {"parts": 3}, "3 columns of cores do not make --groups 2"),
    (
        "k-split",
        {"inner": "k-split"},
        "a k-split's groups multiply by summa, cannon, meshgemm, not by 'k-split'",
    ),
]


@pytest.mark.parametrize(("algorithm", "options", "message"), REFUSED)
def test_what_cannot_be_is_refused(algorithm: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(AlgorithmError) as caught:  # noqa: PT012
        size = Product(**{"m": 4, "k": 4, "n": 4, "parts": 2, "dtype": DType.F32, **options})
        matmul_program(algorithm, size, machine("wafer-4x4"))
    assert str(caught.value).startswith(message)


def test_too_few_cores_and_too_little_memory_are_refused() -> None:
    with pytest.raises(DoesNotFit) as caught:
        matmul_program("summa", Product(8, 8, 8, 5, DType.F32), machine("wafer-4x4"))
    assert str(caught.value) == "'summa' takes 5 x 5 cores, 'wafer-4x4' has 4 x 4"
    with pytest.raises(DoesNotFit) as caught:
        matmul_program("summa", Product(256, 256, 256, 4, DType.F32), machine("wafer-4x4"))
    assert str(caught.value) == (
        "'summa' takes 84224 bytes on a core, 'wafer-4x4' has 49152: cut the tensors over more cores"
    )
