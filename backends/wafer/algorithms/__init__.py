"""Programs for one operation on a mesh of cores, by the name of the algorithm.

Every algorithm is a generator that appends to a `Block`, so that layers can be made of several; and a whole program of
one of them, whose data is resident: the host fills the inputs before the start and reads the output after the end, as
the SDK's examples do. The tensors are cut over the cores in equal tiles, the last ones padded with zeros.
"""

from wsc.backends.wafer.algorithms.block import Block, cut_layout
from wsc.backends.wafer.algorithms.choose import (
    ReduceChoice,
    all_reduce_cycles,
    all_reduce_options,
    choose_all_reduce,
    choose_reduce,
    reduce_cycles,
    reduce_options,
)
from wsc.backends.wafer.algorithms.combine import Combining, combine, combine_all
from wsc.backends.wafer.algorithms.gemm import Gemm, gemm, gemm_layouts
from wsc.backends.wafer.algorithms.gemv import gemv, gemv_layouts
from wsc.backends.wafer.algorithms.lines import broadcast_program, reduce_program
from wsc.backends.wafer.algorithms.matmul import MATMULS, Product, matmul_program

__all__ = [
    "MATMULS",
    "Block",
    "Combining",
    "Gemm",
    "Product",
    "ReduceChoice",
    "all_reduce_cycles",
    "all_reduce_options",
    "broadcast_program",
    "choose_all_reduce",
    "choose_reduce",
    "combine",
    "combine_all",
    "cut_layout",
    "gemm",
    "gemm_layouts",
    "gemv",
    "gemv_layouts",
    "matmul_program",
    "reduce_cycles",
    "reduce_options",
    "reduce_program",
]
