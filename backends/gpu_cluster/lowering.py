"""Which kernel computes an op on the tiles of one rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from wsc.backends.gpu_cluster.kernels import Attention, Gemm, Kernel, Pointwise, Precision
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import Attention as AttentionOp
from wsc.compiler.ops import Contract, Expand, Grouped, Op, Permute, Reshape, Slice

VIEWS = (Reshape, Permute, Slice, Expand)  # a kernel that reads them walks the memory they view
_PRECISIONS: Mapping[DType, Precision] = {
    DType.BF16: Precision.BF16,
    DType.F16: Precision.FP16,
    DType.I8: Precision.INT8,
}
_DECODED_AT_ONCE = 8  # queries up to which a short attention over a long cache is a decode step


def kernel_of(op: Op, operands: Sequence[TensorType], result: TensorType) -> Kernel:
    """The kernel of one op that is no view; what streams memory reads its operands and writes its result once."""
    if isinstance(op, Contract):
        return gemm_of(op, operands)
    if isinstance(op, AttentionOp):
        return _attention(op, operands)
    if isinstance(op, Grouped):
        return _grouped(op, operands, result)
    work = op.work(operands, result)
    return Pointwise(work.bytes_read, work.bytes_written, work.vector_ops + 2 * work.macs)


def _grouped(op: Grouped, operands: Sequence[TensorType], result: TensorType) -> Gemm:
    """A product for each matrix that some row is expected to choose, of equally many rows."""
    rows, columns = result.shape[-2:]
    matrices = max(1, round(op.expected_groups(rows, operands[1].shape[op.batch])))
    batch = matrices * prod(result.shape[: op.batch])
    return Gemm(-(-rows // matrices), columns, operands[0].shape[-1], batch, precision_of(result.dtype))


def gemm_of(op: Contract, operands: Sequence[TensorType]) -> Gemm:
    """A contraction as a batch of matrix products; of a convolution the implicit one over its windows."""
    lhs, rhs, out = op.letters
    extents = op.extents(operands)
    left = lhs + "".join(tap for _, tap, *_ in op.windows)

    def size(letters: str) -> int:
        return prod(extents[letter] for letter in letters)

    batch = "".join(c for c in out if c in left and c in rhs)
    rows = "".join(c for c in out if c in left and c not in rhs)
    columns = "".join(c for c in out if c in rhs and c not in left)
    summed = "".join(c for c in dict.fromkeys(left + rhs) if c not in out)
    return Gemm(size(rows), size(columns), size(summed), size(batch), precision_of(operands[0].dtype))


def precision_of(dtype: DType) -> Precision:
    """The arithmetic of products of an element type; what the matrix units lack is done in single precision."""
    return _PRECISIONS.get(dtype, Precision.FP32)


def _attention(op: AttentionOp, operands: Sequence[TensorType]) -> Attention:
    query, key = operands[0].shape, operands[1].shape
    batch, *heads = query[:-2] or (1,)
    kv_heads = prod(key[1:-2])
    causal = op.causal and query[-2] <= key[-2]
    decodes = query[-2] <= _DECODED_AT_ONCE and query[-2] < key[-2]
    return Attention(
        "decode" if decodes else "forward",
        batch,
        prod(heads),
        kv_heads if prod(heads) % max(1, kv_heads) == 0 else prod(heads),
        query[-2],
        key[-2],
        query[-1],
        precision_of(operands[0].dtype),
        causal,
    )
