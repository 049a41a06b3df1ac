"""What every backend relies on: an op computed in the parts that its tiling allows is the op."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.arrays import assert_close
from tests.compiler.op_cases import all_cases, make
from tests.compiler.split import combinations, compute_part, cut
from wsc.compiler.ir.types import type_of
from wsc.compiler.ops import AxisKind, Contract, Op, Reduce, Reshape, Tiling
from wsc.compiler.ops.base import Array

BOTH = pytest.mark.parametrize("lift", [False, True], ids=["plain", "lifted"])
EVERY_CASE = pytest.mark.parametrize(("name", "seed"), all_cases())


def prepare(name: str, seed: int, lift: bool) -> tuple[Op, list[Array], Array, Tiling, np.random.Generator]:
    """An op, operands, result and tiling; over a stack of two if `lift`."""
    case, rng = make(name, seed)
    op, operands = case.op, list(case.operands(rng))
    if lift:
        op, operands = (
            op.lifted(),
            [np.stack(pair) for pair in zip(operands, case.operands(rng), strict=True)],
        )
    types = [type_of(array) for array in operands]
    return op, operands, op.reference(operands), op.tiling(types, op.infer(types)), rng


@BOTH
@EVERY_CASE
def test_tiling_speaks_of_the_shapes(name: str, seed: int, lift: bool) -> None:
    _, operands, result, tiling, _ = prepare(name, seed, lift)
    assert len({axis.name for axis in tiling.axes}) == len(tiling.axes)
    assert [len(row) for row in tiling.operands] == [array.ndim for array in operands]
    assert len(tiling.result) == result.ndim
    for i, array in enumerate(operands):
        for d, axis in enumerate(tiling.operands[i]):
            if axis is None or tiling.axes[axis].kind is AxisKind.WHOLE:
                continue
            window = tiling.window(i, d)
            assert tiling.axes[axis].extent == (window.outputs(array.shape[d]) if window else array.shape[d])
    for extent, axis in zip(result.shape, tiling.result, strict=True):
        assert axis is None or tiling.axes[axis].extent == extent


@BOTH
@EVERY_CASE
def test_parallel_axes_give_parts_of_the_result(name: str, seed: int, lift: bool) -> None:
    op, operands, whole, tiling, rng = prepare(name, seed, lift)
    check_parallel_axes(op, operands, whole, tiling, rng)


def check_parallel_axes(
    op: Op, operands: list[Array], whole: Array, tiling: Tiling, rng: np.random.Generator
) -> None:
    parallel = [a for a, axis in enumerate(tiling.axes) if axis.kind is AxisKind.PARALLEL]
    assert set(parallel) <= set(tiling.result)
    for chosen in [*([a] for a in parallel), parallel]:  # each by itself, then all together
        joined = np.empty_like(whole)
        for parts in combinations({a: cut(tiling.axes[a].extent, rng) for a in chosen}):
            place = tuple(
                slice(None) if a is None or a not in parts else slice(*parts[a]) for a in tiling.result
            )
            part = compute_part(op, operands, tiling, parts)
            assert part.shape == joined[place].shape
            joined[place] = part
        assert_close(joined, whole)


@st.composite
def groupings(draw: st.DrawFn, factors: tuple[int, ...]) -> tuple[int, ...]:
    """A shape whose extents multiply runs of the factors, with extents of 1 between them."""
    shape = [1]
    for factor in factors:
        if draw(st.booleans()):
            shape.append(factor)
        else:
            shape[-1] *= factor
        if draw(st.integers(0, 3)) == 0:
            shape.append(1)
    return tuple(shape)


@given(st.data(), st.lists(st.integers(1, 4), max_size=5).map(tuple))
def test_reshapes_of_all_kinds_split_where_they_say(data: st.DataObject, factors: tuple[int, ...]) -> None:
    before, after = data.draw(groupings(factors)), data.draw(groupings(factors))
    array = np.arange(np.prod(before)).reshape(before)
    op = Reshape(after)
    tiling = op.tiling([type_of(array)], op.infer([type_of(array)]))
    check_parallel_axes(op, [array], array.reshape(after), tiling, np.random.default_rng(0))


ADDITIONS = {"sum": np.add, "max": np.maximum, "min": np.minimum}


def addition(op: Op) -> np.ufunc | None:
    """What joins the parts of a sum axis, where that is one function."""
    return ADDITIONS.get(op.fn if isinstance(op, Reduce) else "sum" if isinstance(op, Contract) else "")


@BOTH
@pytest.mark.parametrize(("name", "seed"), [c for c in all_cases() if addition(make(*c)[0].op)])
def test_sum_axes_give_addends_of_the_result(name: str, seed: int, lift: bool) -> None:
    op, operands, whole, tiling, rng = prepare(name, seed, lift)
    add = addition(op)
    assert add is not None
    sums = [a for a, axis in enumerate(tiling.axes) if axis.kind is AxisKind.SUM]
    assert not set(sums) & set(tiling.result)
    for chosen in [*([a] for a in sums), sums]:
        cuts = {a: cut(tiling.axes[a].extent, rng) for a in chosen}
        addends = [compute_part(op, operands, tiling, parts) for parts in combinations(cuts)]
        tolerance = 5e-2 if whole.dtype.itemsize == 2 else 1e-5
        joined = add.reduce([a.astype(np.float64) for a in addends])
        np.testing.assert_allclose(joined, whole.astype(np.float64), rtol=tolerance, atol=tolerance)
