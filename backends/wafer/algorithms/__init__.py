"""Programs for one operation on a mesh of cores, by the name of the algorithm.

Data is resident: the host fills the inputs before the start and reads the output after the end, as the SDK's examples
do. The tensors are cut over the cores in equal tiles, the last ones padded with zeros.
"""

from wsc.backends.wafer.algorithms.choose import ReduceChoice, choose_reduce, reduce_cycles, reduce_options
from wsc.backends.wafer.algorithms.lines import broadcast_program, reduce_program
from wsc.backends.wafer.algorithms.matmul import MATMULS, Product, matmul_program

__all__ = [
    "MATMULS",
    "Product",
    "ReduceChoice",
    "broadcast_program",
    "choose_reduce",
    "matmul_program",
    "reduce_cycles",
    "reduce_options",
    "reduce_program",
]
