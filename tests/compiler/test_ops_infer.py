"""What an op refuses, and in which words."""

import pytest

from tests.compiler import golden
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import (
    Attention,
    Cast,
    Concat,
    Constant,
    Contract,
    Custom,
    Elementwise,
    Expand,
    Gather,
    Grouped,
    Input,
    IntegerContract,
    Norm,
    Op,
    Pad,
    Parameter,
    Permute,
    Pool,
    Quantize,
    Recurrence,
    Reduce,
    Reshape,
    Scan,
    Slice,
    Softmax,
    TopK,
    Update,
    op_class,
    op_kinds,
)

Q, K = "f32[2,3,4]", "f32[2,5,4]"
REFUSED: tuple[tuple[Op, str], ...] = (
    (Grouped(), "f32[2,3] f32[3,4] i64[2]"),
    (Grouped(), "f32[2,3] f32[5,4,4] i64[2]"),
    (Grouped(), "f32[2,3] f32[5,3,4] f32[2]"),
    (Grouped((1.0,)), "f32[2,3] f32[5,3,4] i64[2]"),
    (Grouped((1.0, -1.0)), "f32[2,3] f32[2,3,4] i64[2]"),
    (Custom("nobody::knows"), "f32[2]"),
    (Recurrence(2), "f32[2,3] f32[2,3]"),
    (Recurrence(0), "f32[1,3] f32[2,3]"),
    (Recurrence(0), "i64[2,3] i64[2,3]"),
    (Recurrence(0), "f32[2,3] f32[2,3] f32[2,3]"),
    (Contract("ab,bc"), "f32[2,3] f32[3,4]"),
    (Contract("ab,bc,cd->ad"), "f32[2,3] f32[3,4]"),
    (Contract("ab,bc->ac"), "f32[2,3]"),
    (Contract("ab,bc->ac"), "f32[2,3] f64[3,4]"),
    (Contract("ab,bc->ac"), "f32[2,3] f32[4,5]"),
    (Contract("ab,bc->ac"), "f32[2,3,1] f32[3,4]"),
    (Contract("aa,ab->b"), "f32[2,2] f32[2,4]"),
    (Contract("ab,bc->ad"), "f32[2,3] f32[3,4]"),
    (Contract("ab,bc->aac"), "f32[2,3] f32[3,4]"),
    (Contract("nl,ok->nol", (("x", "k", 1, 1, 0, 0),)), "f32[2,8] f32[4,3]"),
    (Contract("nl,ok->nol", (("l", "x", 1, 1, 0, 0),)), "f32[2,8] f32[4,3]"),
    (Contract("ncl,ock->nol", (("l", "k", 1, 2, 0, 1),)), "f32[1,1,3] f32[1,1,3]"),
    (IntegerContract("ab,bc->ac"), "f32[2,3] f32[3,4]"),
    (IntegerContract("ab,bc->ac"), "i8[2,3] i8[4,5]"),
    (Quantize(0.1, 1), "f32[2]"),
    (Quantize(0.0, 8), "f32[2]"),
    (Quantize(0.1, 8), "i8[2]"),
    (Elementwise("magic"), "f32[2]"),
    (Elementwise("add", (None,)), "f32[2]"),
    (Elementwise("add", (None, None)), "f32[2]"),
    (Elementwise("add", (1, 2)), ""),
    (Elementwise("add", (None, None)), "f32[2] f32[3]"),
    (Elementwise("add", (None, None)), "f32[2] f32[1,2]"),
    (Elementwise("add", (None, None)), "f32[2] f16[2]"),
    (Elementwise("select", (None, None, 0)), "f32[2] f32[2]"),
    (Elementwise("and", (None, None)), "f32[2] f32[2]"),
    (Reduce("median", (0,)), "f32[2]"),
    (Reduce("sum", (1,)), "f32[2]"),
    (Reduce("sum", (0, 0)), "f32[2]"),
    (Softmax(2), "f32[2,3]"),
    (Norm("batch", (0,), 1e-5), "f32[2]"),
    (Norm("layer", (-1,), 1e-5), "f32[2]"),
    (Attention(1.0), f"{Q} {K}"),
    (Attention(1.0), f"{Q} {K} f32[5,4]"),
    (Attention(1.0), f"{Q} {K} f32[2,6,4]"),
    (Attention(1.0), f"{Q} {K} f16[2,5,4]"),
    (Attention(1.0), f"{Q} f32[3,5,4] f32[3,5,4]"),
    (Attention(1.0), f"{Q} {K} {K} bool[2,3,1]"),
    (Attention(1.0), f"{Q} {K} {K} i64[2,3,5]"),
    (Attention(1.0), f"{Q} {K} {K} bool[2,3,5] bool[2,3,5]"),
    (Gather(1), "f32[7] i64[2]"),
    (Gather(0), "f32[7] f32[2]"),
    (Gather(0), "f32[7] bool[7]"),
    (Gather(0, 1), "f32[2,7] i64[2,3]"),
    (Gather(1, 1), "f32[2,7] i64[3,3]"),
    (Update(2), "f32[4,5] i64[2] f32[2,5]"),
    (Update(0), "f32[4,5] f32[2] f32[2,5]"),
    (Update(0), "f32[4,5] i64[2] f32[3,5]"),
    (Update(0), "f32[4,5] i64[2] f16[2,5]"),
    (Update(1, 1), "f32[4,5] i64[3,2] f32[4,2]"),
    (Update(0), "f32[4,5] i64[] f32[4,5]"),
    (Pool("median", ((0, 2, 1, 1, 0, 0),)), "f32[4]"),
    (Pool("max", ((1, 2, 1, 1, 0, 0),)), "f32[4]"),
    (Pool("max", ((0, 5, 4, 1, 0, 0),)), "f32[4]"),
    (TopK(3, 0), "f32[2]"),
    (TopK(0, 0), "f32[2]"),
    (TopK(1, 1), "f32[2]"),
    (TopK(1, 0, part="ranks"), "f32[2]"),
    (Scan("median", 0), "f32[2]"),
    (Scan("sum", 1), "f32[2]"),
    (Cast("f99"), "f32[2]"),
    (Reshape((4,)), "f32[2,3]"),
    (Reshape((-2, -3)), "f32[2,3]"),
    (Reshape((4,), 1), "f32[2,3]"),
    (Permute((0, 0)), "f32[2,3]"),
    (Permute((0,)), "f32[2,3]"),
    (Slice(2, 0, 1), "f32[2,3]"),
    (Slice(1, 2, 1), "f32[2,3]"),
    (Slice(1, 0, 4), "f32[2,3]"),
    (Slice(1, 0, 3, 0), "f32[2,3]"),
    (Expand((4, 3)), "f32[2,3]"),
    (Expand((2, 2, 3)), "f32[2,3]"),
    (Concat(0), ""),
    (Concat(1), "f32[2,3] f32[3,3]"),
    (Concat(0), "f32[2,3] f16[2,3]"),
    (Concat(2), "f32[2,3] f32[2,3]"),
    (Pad((1,), (1,)), "f32[2,3]"),
    (Pad((-1, 0), (0, 0)), "f32[2,3]"),
    (Input(0), ""),
    (Parameter("w"), ""),
    (Constant("c"), ""),
)


def test_every_kind_refuses_something() -> None:
    assert {op.kind for op, _ in REFUSED} == set(op_kinds())


def test_refusals_say_what_does_not_fit() -> None:
    messages = []
    for op, operands in REFUSED:
        with pytest.raises(ValueError, match=r"\w") as caught:
            op.infer([TensorType.parse(text) for text in operands.split()])
        messages.append(f"{op} over {operands}\n    {caught.value}\n")
    golden.check("infer_errors.txt", "".join(messages))


def test_sources_are_not_computed() -> None:
    nothing = TensorType(DType.F32, ())
    for op in (Input(0), Parameter("w"), Constant("c")):
        for call in (lambda op=op: op.reference(()), lambda op=op: op.tiling((), nothing), op.lifted):
            with pytest.raises(ValueError, match=op.kind):
                call()


def test_kinds_name_their_records() -> None:
    assert [op_class(kind).kind for kind in op_kinds()] == list(op_kinds())
    with pytest.raises(KeyError):
        op_class("magic")


def test_a_tensor_of_no_dimensions_can_be_padded_and_moved() -> None:
    scalar = TensorType(DType.F32, ())
    for op in (Pad((), ()), Permute(()), Reshape(()), Expand(())):
        assert op.infer([scalar]) == scalar
