"""Attention on a mesh, heads over sub-regions: leading dimensions are cut along axes of their own.

A physical direction of W cores is factored into head groups and the cores of a group, e.g. Mesh h=8x j=W/8x i=Hy. Every
generator here works along two axes, `rows` and `columns`, for each part of the others.

prefill  many queries: q[.., s, d], k[.., t, d], v[.., t, e] each cut over rows and columns. Scores are a transposed
         product, with no transpose of K; softmax by all-reduces along columns; then a product with V.
decode   few queries, over a cache: q cut over columns and copied along rows, k[.., t, d] and v[.., t, e] cut over rows
         and columns. Every core takes its share of a score, an all-reduce along columns adds them up; softmax and the
         sum of the values are combined along rows.

Grouped queries: the queries that share a head of K and V are rows of it, q[b, g, n * s, d].
"""

from __future__ import annotations

from wsc.backends.wafer.algorithms.block import Block
from wsc.backends.wafer.algorithms.combine import Combining, combine_all
from wsc.backends.wafer.algorithms.gemm import TRANSPOSED, Gemm, gemm
from wsc.backends.wafer.algorithms.gemv import gemv
from wsc.backends.wafer.algorithms.rowwise import softmax_parts
from wsc.backends.wafer.instructions import Position
from wsc.backends.wafer.program import Buffer
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Layout
from wsc.compiler.ops import Contract


def attention(
    block: Block,
    q: Buffer,
    k: Buffer,
    v: Buffer,
    how: Combining,
    *,
    scale: float,
    causal: bool = False,
    scores: Gemm | None = None,
    values: Gemm | None = None,
    name: str = "attention",
) -> Buffer:
    """softmax(scale q k^T) v of many queries; `causal` keeps key t for query s where t <= s.

    `scores` is a transposed product (SUMMA's, if not given), `values` a product. Raises AlgorithmError where
    they cannot serve.
    """
    scores, values = scores or Gemm("summa-t"), values or Gemm("summa")
    if scores.algorithm not in TRANSPOSED:
        raise AlgorithmError(
            f"attention's scores are made by {', '.join(TRANSPOSED)}, not by '{scores.algorithm}'"
        )
    products = block.cast(gemm(block, q, k, scores, "scores"), DType.F32)
    scaled = block.elementwise("mul", [products], (None, scale), "scores")
    if causal:
        scaled = _causal(block, scaled)
    powers, total = softmax_parts(block, scaled, how)
    summed = gemm(block, block.cast(powers, v.type.dtype), v, values, f"{name}_sums")
    return _divided(block, summed, total, name)


def _causal(block: Block, scores: Buffer) -> Buffer:
    """Minus infinity where the key comes after the query."""
    rank, extents = scores.type.rank, scores.type.shape
    marks = []
    for dim in (rank - 2, rank - 1):
        shape = tuple(n if d == dim else 1 for d, n in enumerate(extents))
        lying = zip(shape, extents, scores.layout.cuts, strict=True)
        layout = Layout(tuple(cuts if n == extent else () for n, extent, cuts in lying))
        marks.append(block.buffer("position", TensorType(DType.I32, shape), layout))
        block.append(Position(dim), [], marks[-1])
    kept = block.elementwise("ge", marks, name="kept")
    return block.elementwise("select", [kept, scores], (None, None, float("-inf")), "scores")


def decode_attention(
    block: Block,
    q: Buffer,
    k: Buffer,
    v: Buffer,
    how: Combining,
    *,
    scale: float,
    kept: Buffer | None = None,
    name: str = "attention",
) -> Buffer:
    """softmax(scale q k^T) v of few queries; `kept`, truth values [.., 1, t], says which keys there are.

    Raises AlgorithmError where d is not cut alike in q and k, or t in k and v.
    """
    if q.layout.cuts[-1] != k.layout.cuts[-1] or k.layout.cuts[-2] != v.layout.cuts[-2]:
        raise AlgorithmError(f"attention needs q, k and v cut alike: {q.layout}, {k.layout}, {v.layout}")
    batch = "abcdefgh"[: q.type.rank - 2]
    summed = tuple(cut.axis for cut in k.layout.cuts[-1])
    type = TensorType(q.type.dtype, (*q.type.shape[:-1], k.type.shape[-2]))
    layout = Layout((*q.layout.cuts[:-1], k.layout.cuts[-2]), (), summed)
    shares = block.add(Contract(f"{batch}sd,{batch}td->{batch}st"), [q, k], type, layout, "scores_sums")
    scores = combine_all(block, shares, how, name="scores")
    scores = block.elementwise("mul", [block.cast(scores, DType.F32)], (None, scale), "scores")
    if kept is not None:
        scores = block.elementwise("select", [kept, scores], (None, None, float("-inf")), "scores")
    powers, total = softmax_parts(block, scores, how)
    sums = gemv(block, block.cast(powers, v.type.dtype), v, how, name=f"{name}_sums")
    return _divided(block, sums, total, name)


def _divided(block: Block, sums: Buffer, total: Buffer, name: str) -> Buffer:
    """Weighted sums over the sum of the weights, in single precision, rounded to the type of the sums."""
    wide = block.cast(sums, DType.F32)
    return block.cast(block.elementwise("div", [wide, total], name=name), sums.type.dtype)
