"""Matrix-vector products with every reduce and all-reduce: text, numbers, and what cannot be."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wafer.algorithms.machines import machine
from wsc.backends.wafer.algorithms import Block, Combining, gemv, gemv_layouts
from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.text import parse_program, print_program
from wsc.backends.wafer.trees import GROUPED, REDUCTIONS
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Mesh, MeshAxis

GOLDEN = Path(__file__).parent / "golden"
extents = st.integers(1, 20)


def program(
    how: Combining, m: int, k: int, n: int, width: int, height: int, *, everywhere: bool = True
) -> Program:
    block = Block(Mesh((MeshAxis("i", height, "y"), MeshAxis("j", width, "x"))))
    lying = gemv_layouts(block.mesh, m, k, n)
    x = block.input("x", TensorType(DType.F32, (m, k)), lying[0])
    b = block.weight("b", TensorType(DType.F32, (k, n)), lying[1])
    block.output(gemv(block, x, b, how, everywhere=everywhere), "y")
    return block.program("gemv", how.machine)


def test_the_text_of_a_small_one() -> None:
    made = program(Combining(machine("wafer-4x4"), "two-phase", 2, "middle"), 1, 6, 5, 3, 4)
    assert print_program(made) == (GOLDEN / "gemv.txt").read_text(encoding="utf-8")
    assert parse_program(print_program(made)) == made


@st.composite
def combinings(draw: st.DrawFn) -> tuple[Combining, bool]:
    """How to combine, and whether everywhere."""
    everywhere = draw(st.booleans())
    algorithm = draw(st.sampled_from([None, *REDUCTIONS, *(["ring"] if everywhere else [])]))
    group = draw(st.integers(2, 5)) if algorithm in GROUPED else None
    root = draw(st.sampled_from([0, "middle"])) if everywhere else 0
    return Combining(machine("wse2"), algorithm, group, root), everywhere


@settings(max_examples=150, deadline=None)
@given(combinings(), st.integers(1, 3), extents, extents, st.integers(1, 5), st.integers(1, 9))
def test_it_computes_the_product(
    how: tuple[Combining, bool], m: int, k: int, n: int, width: int, height: int
) -> None:
    random = np.random.default_rng(m + k)
    x = random.standard_normal((m, k)).astype(np.float32)
    b = random.standard_normal((k, n)).astype(np.float32)
    (y,) = execute(program(how[0], m, k, n, width, height, everywhere=how[1]), {"b": b}, [x])
    np.testing.assert_allclose(y, x @ b, rtol=1e-4, atol=1e-4)


def test_two_in_a_row_bring_the_layout_back() -> None:
    wafer, type = machine("wafer-4x4"), TensorType(DType.F32, (1, 6))
    block = Block(Mesh((MeshAxis("i", 3, "y"), MeshAxis("j", 4, "x"))))
    lying, first = gemv_layouts(block.mesh, 1, 6, 8)
    back, second = gemv_layouts(block.mesh, 1, 8, 6, "j", "i")
    x = block.input("x", type, lying)
    h = gemv(block, x, block.weight("b", TensorType(DType.F32, (6, 8)), first), Combining(wafer))
    y = gemv(block, h, block.weight("c", TensorType(DType.F32, (8, 6)), second), Combining(wafer))
    assert h.layout == back
    assert y.layout == lying
    block.output(y, "y")
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(shape).astype(np.float32) for shape in ((1, 6), (6, 8), (8, 6))]
    (found,) = execute(block.program("two", wafer), {"b": arrays[1], "c": arrays[2]}, arrays[:1])
    np.testing.assert_allclose(found, arrays[0] @ arrays[1] @ arrays[2], rtol=1e-4, atol=1e-4)


def test_a_root_in_the_middle_is_nearer_to_all() -> None:
    wafer = machine("wse2")
    ends, middle = (
        simulate(program(Combining(wafer, "chain", None, root), 1, 512, 64, 4, 256), wafer).latency_cycles
        for root in (0, "middle")
    )
    assert middle < 0.75 * ends


REFUSED = [
    (
        ("ring", None, 0),
        False,
        "no reduction is called 'ring'; there are chain, two-phase, k-tree, tree, star",
    ),
    (
        ("chain", None, "left"),
        True,
        "an all-reduce leads to a part by number or to its 'middle', not to 'left'",
    ),
    (("chain", None, 9), True, "there is no part 9 among 4"),
    (("chain", None, 1), False, "a reduce leads to part 0, not to part 1: use an all-reduce"),
]


@pytest.mark.parametrize(("how", "everywhere", "message"), REFUSED)
def test_what_cannot_be_is_refused(
    how: tuple[str, int | None, int | str], everywhere: bool, message: str
) -> None:
    with pytest.raises(AlgorithmError) as caught:
        program(Combining(machine("wse2"), *how), 1, 4, 4, 4, 4, everywhere=everywhere)
    assert str(caught.value) == message
