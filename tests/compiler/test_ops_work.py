"""Counts of arithmetic and bytes, against counts by hand."""

import pytest

from tests.compiler.cases import CASES
from tests.compiler.graphs import graph
from tests.compiler.op_cases import make
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import (
    Attention,
    Cast,
    Contract,
    Elementwise,
    Gather,
    Grouped,
    Norm,
    Op,
    Pool,
    Recurrence,
    Reduce,
    Reshape,
    Scan,
    Softmax,
    TopK,
    Update,
    Work,
)
from wsc.compiler.ops.softmax import EXP_OPS

WINDOW = (2, 1, 1, 1)  # stride 2, padding 1 and 1: 8 -> 4
COUNTS: tuple[tuple[Op, str, tuple[int, int]], ...] = (
    (Contract("abk,nk->abn"), "f32[2,3,5] f32[7,5]", (2 * 3 * 5 * 7, 0)),
    (Contract("ab,bc->c"), "f32[2,3] f32[3,4]", (2 * 3 * 4, 0)),
    (
        Contract("nchw,ocrs->nohw", (("h", "r", *WINDOW), ("w", "s", *WINDOW))),
        "f32[2,3,8,8] f32[5,3,3,3]",
        (2 * 5 * 4 * 4 * 3 * 3 * 3, 0),
    ),
    (Elementwise("add", (None, None)), "f32[2,1] f32[1,3]", (0, 6)),
    (Grouped(), "f32[6,3] f32[4,3,5] i64[6]", (6 * 3 * 5, 0)),
    (Recurrence(0), "f32[4,1] f32[4,5]", (0, 4 * 5 * 2)),
    (Elementwise("exp"), "f32[6]", (0, 6 * 8)),
    (Reduce("sum", (0,)), "f32[4,5]", (0, 20)),
    (Softmax(1), "f32[4,5]", (0, 20 * (EXP_OPS + 4))),
    (Norm("layer", (1,), 1e-5), "f32[4,5]", (0, 20 * 5)),
    (Norm("rms", (1,), 1e-5), "f32[4,5]", (0, 20 * 3)),
    (Attention(1.0), "f32[2,3,4] f32[2,5,4] f32[2,5,6]", (2 * 3 * 5 * (4 + 6), 30 * (EXP_OPS + 4) + 36)),
    (
        Attention(1.0, causal=True),
        "f32[3,4] f32[5,4] f32[5,4] f32[3,5]",
        (3 * 5 * 8, 15 * (EXP_OPS + 6) + 12),
    ),
    (Gather(), "f32[7,4] i64[3]", (0, 12)),
    (Update(0), "f32[7,4] i64[3] f32[3,4]", (0, 12)),
    (Pool("max", ((0, 3, 1, 1, 1, 1), (1, 2, 2, 1, 0, 0))), "f32[5,6]", (0, 5 * 3 * 6)),
    (TopK(2, 1), "f32[3,5]", (0, 30)),
    (Scan("sum", 0), "f32[3,5]", (0, 15)),
    (Cast("f16"), "f32[3,5]", (0, 15)),
    (Reshape((15,)), "f32[3,5]", (0, 0)),
)


@pytest.mark.parametrize(
    ("op", "operands", "expected"), COUNTS, ids=lambda value: getattr(value, "kind", None)
)
def test_arithmetic_is_what_a_hand_counts(op: Op, operands: str, expected: tuple[int, int]) -> None:
    types = [TensorType.parse(text) for text in operands.split()]
    assert op.arithmetic(types, op.infer(types)) == expected


@pytest.mark.parametrize("name", CASES)
def test_a_stack_of_two_is_twice_the_work(name: str) -> None:
    case, _ = make(name, 0)
    once = case.op.work(case.types, case.op.infer(case.types))
    types = [TensorType(t.dtype, (2, *t.shape)) for t in case.types]
    lifted = case.op.lifted()
    assert lifted.work(types, lifted.infer(types)) == once + once


def test_bytes_are_read_once_and_weights_counted_apart() -> None:
    made = graph(
        "%x = input(index=0) : f16[2,5]",
        "%w = parameter(key='w') : f16[7,5]",
        "%y = contract(equation='ak,nk->an') %x %w : f16[2,7]",
        "%z = elementwise(fn='add', scalars=(None, None)) %y %y : f16[2,7]",
        "return %z",
    )
    product = Work(macs=70, bytes_read=2 * (10 + 35), bytes_written=28, weight_bytes=70)
    addition = Work(vector_ops=14, bytes_read=56, bytes_written=28)
    assert made.node_work(made["w"]) == Work()
    assert made.node_work(made["y"]) == product
    assert made.node_work(made["z"]) == addition
    assert made.work() == product + addition


def test_grouped_reads_the_matrices_that_rows_are_expected_to_choose() -> None:
    types = [TensorType.parse(text) for text in ("f32[1,3]", "f32[4,3,5]", "i64[1]")]
    result = Grouped().infer(types)
    matrix = 3 * 5 * 4
    assert Grouped().work(types, result).bytes_read == 1 * 3 * 4 + matrix + 8
    assert Grouped().expected_rows(types) == (0.25,) * 4
    two = [TensorType.parse(text) for text in ("f32[2,3]", "f32[4,3,5]", "i64[2]")]
    assert Grouped().work(two, result).bytes_read == 2 * 3 * 4 + round(4 * matrix * (1 - 0.75**2)) + 16
    only = Grouped((0.0, 5.0, 0.0, 0.0))
    assert only.work(two, result).bytes_read == 2 * 3 * 4 + matrix + 16
    assert only.expected_rows(two) == (0, 2, 0, 0)
