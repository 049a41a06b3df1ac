"""A contraction of integers as products of a matrix by vectors, and how the matrix is cut into blocks of units."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

from wsc.backends.cim.estimate import bits_of
from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.program import UNSIGNED, Convert, Drive, Loop, Product, ShiftAdd
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Contract, IntegerContract
from wsc.compiler.passes.rewrite import weight_key

_FEW = 16  # products of a tensor that take few turns
_NARROW = 8  # units


@dataclass(frozen=True)
class Roles:
    """The letters of a contraction by what they do: `groups` in both operands and the result, and so on."""

    groups: str
    rows: str  # of the matrix: summed
    columns: str  # of the matrix: outputs
    positions: str  # of the activation alone


def roles(op: Contract) -> Roles:
    """What each letter does; raises ValueError where the activation has a summed letter of its own."""
    left, right, out = op.letters
    taps = {tap for _, tap, *_ in op.windows}
    groups = "".join(c for c in right if c in left and c in out)
    rows = "".join(c for c in right if c not in out)
    columns = "".join(c for c in right if c in out and c not in left)
    positions = "".join(c for c in left if c in out and c not in right)
    if set(left) - set(groups + rows + positions) or any(c in out for c in taps):
        raise ValueError(f"'{op.equation}' sums the activation by itself")
    return Roles(groups, rows, columns, positions)


def make_product(graph: Graph, node: Node, machine: CimMachine, positions: int) -> Product:
    """The product of a node on a machine, `positions` products a chunk and copy.

    The matrix is the right operand: a weight, or an activation that is written into the arrays for every input.
    """
    op = node.op
    assert isinstance(op, IntegerContract)
    activation, weight = (graph[name] for name in node.inputs)
    role = roles(op)
    extents = op.extents([activation.type, weight.type])
    weight_bits, input_bits = bits_of(weight.type), bits_of(activation.type)
    signed = activation.type.dtype is not DType.U8
    width = machine.unit_weights(weight_bits)
    columns = prod(extents[c] for c in role.columns)
    # Units that share an issue slot work on one input: a block is a row of them.
    together = min(machine.core.units, ceil(columns / width)) if machine.core.issue_cycles else 1
    if node.type.elements // columns <= _FEW:
        together = min(together, _NARROW)  # turns do not matter, and narrow blocks fill what others leave
    array = machine.array
    groups = prod(extents[c] for c in role.groups)
    rows = prod(extents[c] for c in role.rows)
    packed = 1 if not weight.is_weight else groups_together(groups, rows, columns, machine.unit_rows, width)
    groups, rows, columns = groups // packed, rows * packed, columns * packed
    used = min(width * together, columns)
    driven = min(rows, machine.unit_rows) * (2 if array.encoding == "differential_rows" else 1)
    slices = machine.slices(weight_bits)
    per_array = ceil(min(width, used) * slices / array.arrays_per_unit)
    phase = (Drive(driven), Convert(per_array, machine.adc.bits), ShiftAdd(slices))
    loop = Loop("position", positions, (Loop("phase", machine.phases(input_bits, signed), phase),))
    return Product(
        result=node.name,
        type=node.type,
        op=op,
        operand=activation.name,
        operand_type=activation.type,
        weight=weight_key(weight) if weight.is_weight else weight.name,
        weight_type=weight.type,
        rewritten=not weight.is_weight,
        packed=packed,
        groups=groups,
        rows=rows,
        columns=columns,
        encoding=array.encoding,
        weight_bits=weight_bits,
        cell_bits=array.cell_bits,
        input_encoding=array.input_encoding if signed else UNSIGNED,
        input_bits=input_bits,
        dac_bits=array.dac_bits,
        block_rows=machine.unit_rows,
        block_columns=width * together,
        block_units=together,
        loop=loop,
    )


def groups_together(groups: int, rows: int, columns: int, unit_rows: int, width: int) -> int:
    """How many groups share a unit, each in its own rows and columns; a divisor of their number.

    What lies beside the diagonal holds zeros: a product for many groups takes one turn in place of many.
    """
    most = min(unit_rows // rows, width // columns)
    return max((n for n in range(1, most + 1) if groups % n == 0), default=1)


def block_units(product: Product, machine: CimMachine, block: int) -> int:
    """Units of a block, the last of a row of blocks being narrower."""
    column = block // product.row_blocks % product.column_blocks
    width = machine.unit_weights(product.weight_bits)
    left = product.columns - column * product.block_columns
    return ceil(min(left, product.block_columns) / width)


def copy_units(product: Product, machine: CimMachine) -> int:
    """Units of one copy of the matrix."""
    width = machine.unit_weights(product.weight_bits)
    return product.groups * product.row_blocks * ceil(product.columns / width)
