"""Matrix-vector products on a mesh, after WaferLLM's MeshGEMV (arXiv 2502.04563): y = x B with B where it lies.

x[m, k], a few rows, is cut along one axis of cores and copied along the other, B[k, n] is cut along both. Every core
multiplies; the products are combined along the first axis by a reduce or an all-reduce by name, or the one of fewest
modelled cycles. y[m, n] is cut along the other axis: the next product takes it with the two axes exchanged.
"""

from __future__ import annotations

from wsc.backends.wafer.algorithms.block import Block, cut_layout
from wsc.backends.wafer.algorithms.combine import Combining, combine_all
from wsc.backends.wafer.algorithms.combine import combine as combine_along
from wsc.backends.wafer.program import Buffer
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Layout, Mesh
from wsc.compiler.ops import Contract


def gemv(
    block: Block, x: Buffer, b: Buffer, how: Combining, *, everywhere: bool = True, name: str = "y"
) -> Buffer:
    """y[..., m, n] = x[..., m, k] b[..., k, n], on every core along the summed axes or on part 0 of them.

    Raises AlgorithmError where shapes do not fit, or k is not cut alike in both.
    """
    rank = x.type.rank
    fits = rank == b.type.rank and rank >= 2 and x.type.shape[:-2] == b.type.shape[:-2]
    if not fits or x.type.shape[-1] != b.type.shape[-2] or x.type.dtype != b.type.dtype:
        raise AlgorithmError(f"a matrix-vector product cannot multiply {x.type} by {b.type}")
    if x.layout.cuts[-1] != b.layout.cuts[-2] or x.layout.at or b.layout.at:
        raise AlgorithmError(
            f"a matrix-vector product needs k cut alike and present on all cores: {x.layout} and {b.layout}"
        )
    batch = "abcdefgh"[: rank - 2]
    summed = tuple(cut.axis for cut in x.layout.cuts[-1])
    type = TensorType(x.type.dtype, (*x.type.shape[:-1], b.type.shape[-1]))
    cuts = (*x.layout.cuts[:-1], b.layout.cuts[-1])
    op = Contract(f"{batch}mk,{batch}kn->{batch}mn")
    product = block.add(op, [x, b], type, Layout(cuts, (), summed), f"{name}_sums" if summed else name)
    if everywhere:
        return combine_all(block, product, how, name=name)
    for axis in summed:
        product = combine_along(block, product, axis, how, everywhere=False, name=name)
    return product


def gemv_layouts(
    mesh: Mesh, m: int, k: int, n: int, summed: str = "i", other: str = "j"
) -> tuple[Layout, Layout]:
    """Layouts of x and B for a product summed along one axis of cores."""
    return cut_layout(mesh, (m, k), (None, summed)), cut_layout(mesh, (k, n), (summed, other))
