"""Programs for one operation on a mesh of cores, by the name of the algorithm.

Every algorithm is a generator that appends to a `Block`, so that layers can be made of several; and a whole program of
one of them, whose data is resident: the host fills the inputs before the start and reads the output after the end, as
the SDK's examples do. The tensors are cut over the cores in equal tiles, the last ones padded with zeros.
"""

from wsc.backends.wafer.algorithms.attention import attention, decode_attention
from wsc.backends.wafer.algorithms.block import Block, cut_layout
from wsc.backends.wafer.algorithms.cache import Cache, append, filled, longest
from wsc.backends.wafer.algorithms.choose import (
    ReduceChoice,
    all_reduce_cycles,
    all_reduce_options,
    choose_all_reduce,
    choose_reduce,
    reduce_cycles,
    reduce_options,
)
from wsc.backends.wafer.algorithms.choose_product import (
    ProductChoice,
    choose_product,
    product_choices,
    product_cycles,
)
from wsc.backends.wafer.algorithms.combine import Combining, combine, combine_all
from wsc.backends.wafer.algorithms.gemm import Gemm, gemm, gemm_layouts
from wsc.backends.wafer.algorithms.gemv import gemv, gemv_layouts
from wsc.backends.wafer.algorithms.lines import broadcast_program, reduce_program
from wsc.backends.wafer.algorithms.matmul import MATMULS, Product, matmul_program
from wsc.backends.wafer.algorithms.refine import Refinement, refine
from wsc.backends.wafer.algorithms.relayout import relayout, relayout_steps
from wsc.backends.wafer.algorithms.rowwise import norm, reduce_rows, softmax

__all__ = [
    "MATMULS",
    "Block",
    "Cache",
    "Combining",
    "Gemm",
    "Product",
    "ProductChoice",
    "ReduceChoice",
    "Refinement",
    "all_reduce_cycles",
    "all_reduce_options",
    "append",
    "attention",
    "broadcast_program",
    "choose_all_reduce",
    "choose_product",
    "choose_reduce",
    "combine",
    "combine_all",
    "cut_layout",
    "decode_attention",
    "filled",
    "gemm",
    "gemm_layouts",
    "gemv",
    "gemv_layouts",
    "longest",
    "matmul_program",
    "norm",
    "product_choices",
    "product_cycles",
    "reduce_cycles",
    "reduce_options",
    "reduce_program",
    "reduce_rows",
    "refine",
    "relayout",
    "relayout_steps",
    "softmax",
]
