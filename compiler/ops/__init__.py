"""The vocabulary of the graph: one record an op, found here by its kind.

contract      einsum with sliding windows: linear, matmul, convolution
grouped       a product whose matrix each row chooses: the experts of a mixture
recurrence    y[t] = a[t] * y[t - 1] + b[t] along one dimension: the state of a state-space model
elementwise   one scalar function over equal or broadcast shapes
reduce        sum, max, ... over whole dimensions
softmax, norm, attention     kept whole, so that a target can choose how to spread them
gather        rows of a table by index        update   a tensor with a slice replaced
pool          max or mean over sliding windows
topk, scan    selection and running sums along one dimension
cast          another element type
quantize, contract_int       floats rounded to integers, and exact contraction of integers
reshape permute slice expand concat pad       movement; no arithmetic
custom        an operation of a plugin's
input parameter constant                      where tensors come from
"""

from wsc.compiler.ops.attention import Attention
from wsc.compiler.ops.base import Axis, AxisKind, Op, Tiling, Window, Work, op_class, op_kinds
from wsc.compiler.ops.cast import Cast
from wsc.compiler.ops.contract import Contract
from wsc.compiler.ops.custom import Custom
from wsc.compiler.ops.elementwise import Elementwise
from wsc.compiler.ops.gather import Gather
from wsc.compiler.ops.grouped import Grouped
from wsc.compiler.ops.movement import Concat, Expand, Pad, Permute, Reshape, Slice
from wsc.compiler.ops.norm import Norm
from wsc.compiler.ops.pool import Pool
from wsc.compiler.ops.quantized import IntegerContract, Quantize
from wsc.compiler.ops.recurrence import Recurrence
from wsc.compiler.ops.reduce import Reduce
from wsc.compiler.ops.scan import Scan
from wsc.compiler.ops.softmax import Softmax
from wsc.compiler.ops.source import Constant, Input, Parameter
from wsc.compiler.ops.topk import TopK
from wsc.compiler.ops.update import Update

__all__ = [
    "Attention",
    "Axis",
    "AxisKind",
    "Cast",
    "Concat",
    "Constant",
    "Contract",
    "Custom",
    "Elementwise",
    "Expand",
    "Gather",
    "Grouped",
    "Input",
    "IntegerContract",
    "Norm",
    "Op",
    "Pad",
    "Parameter",
    "Permute",
    "Pool",
    "Quantize",
    "Recurrence",
    "Reduce",
    "Reshape",
    "Scan",
    "Slice",
    "Softmax",
    "Tiling",
    "TopK",
    "Update",
    "Window",
    "Work",
    "op_class",
    "op_kinds",
]
