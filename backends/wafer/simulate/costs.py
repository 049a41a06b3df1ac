"""Cycles of a graph op on the tiles of one core.

A core executes vector instructions: one elementary operation over one vector each. An instruction takes
`vector_startup_cycles` to issue and then a steady time for each element; `task_startup_cycles` are paid once an op.
Which vectors an op is made of is modelled as follows:

- multiply-adds run over the longest dimension of the result, the one with the fewest instructions (an inner product
  is computed as many scaled additions: the core has no horizontal sum), in whole pieces of `vector_bytes`;
- other operations of an op whose operands all have the result's shape run over the whole tile, which is contiguous;
- other operations of any other op run over the longest dimension of its tensors;
- every op but a contraction touches each element of its result at least once, also where it computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from wsc.backends.wafer.instructions import MultiplyAdd
from wsc.backends.wafer.machine import Wafer
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Contract
from wsc.compiler.ops.base import Op

COMPUTE, MOVEMENT = "compute", "movement"


@dataclass(frozen=True)
class Cost:
    """Cycles of one run of an instruction: of the busiest core, until the result is there, of the links of its lines.

    `lines` are the directions ("x", "y") in which it uses the region's links; `macs` are multiply-adds on one core.
    `flight` is the part of the latency that only the farthest core sees: a loop, which no core waits in for another,
    pays it once.
    """

    kind: str
    occupancy: int
    latency: int
    lines: tuple[str, ...] = ()
    line_cycles: int = 0
    macs: int = 0
    flight: int = 0


def local_cost(machine: Wafer, op: Op, operands: Sequence[TensorType], result: TensorType) -> Cost:
    """Cost of a graph op on tiles of these types."""
    macs, others = op.arithmetic(operands, result)
    if not macs:
        others = max(others, result.elements)
    cycles = _mac_cycles(machine, macs, result, max(1, *result.shape, 1)) + _other_cycles(
        machine, others, operands, result
    )
    occupancy = max(1, ceil(machine.core.task_startup_cycles + cycles))
    return Cost(COMPUTE, occupancy, occupancy, macs=macs)


def multiply_add_cost(
    machine: Wafer, op: MultiplyAdd, operands: Sequence[TensorType], result: TensorType
) -> Cost:
    """Cost of a contraction added to the result: the additions are those of the multiply-adds."""
    contract = Contract(op.equation)
    macs, _ = contract.arithmetic(step_types(op, operands), result)
    length = max(1, *result.shape, 1)
    if op.vector is not None:
        length = result.shape[contract.letters[2].index(op.vector)]
    cycles = ceil(machine.core.task_startup_cycles + _mac_cycles(machine, macs, result, length))
    return Cost(COMPUTE, cycles, cycles, macs=macs)


def step_types(op: MultiplyAdd, operands: Sequence[TensorType]) -> list[TensorType]:
    """The types of what a step takes of its operands' tiles."""
    if op.pieces is None:
        return list(operands)
    contract = Contract(op.equation)
    rows = zip(range(2), op.pieces, operands, strict=True)
    return [_one_piece(contract, operand, pieces, type) for operand, pieces, type in rows]


def _one_piece(contract: Contract, operand: int, pieces: int, type: TensorType) -> TensorType:
    lhs, rhs, result = contract.letters
    summed = next(letter for letter in lhs if letter in rhs and letter not in result)
    dim = contract.letters[operand].index(summed)
    shape = (n // pieces if d == dim else n for d, n in enumerate(type.shape))
    return TensorType(type.dtype, tuple(shape))


def lookup_cost(machine: Wafer, table: TensorType, index: TensorType) -> Cost:
    """Cost of one comparison an index and one row of the table, or of zeros, an index."""
    row = TensorType(table.dtype, table.shape[1:])
    cycles = 1 + row.elements / machine.vector_ops_per_cycle(table.dtype) + machine.core.vector_startup_cycles
    occupancy = max(1, ceil(machine.core.task_startup_cycles + index.elements * cycles))
    return Cost(COMPUTE, occupancy, occupancy)


def _mac_cycles(machine: Wafer, macs: int, result: TensorType, length: int) -> float:
    if not macs:
        return 0.0
    piece = machine.mac_vector_elements(result.dtype)
    vectors = ceil(macs / length)
    padded = macs / length * ceil(length / piece) * piece
    return padded * machine.mac_cycles(result.dtype) + vectors * machine.core.vector_startup_cycles


def _other_cycles(machine: Wafer, ops: int, operands: Sequence[TensorType], result: TensorType) -> float:
    if not ops:
        return 0.0
    widest = max((*operands, result), key=lambda t: t.dtype.bytes).dtype
    vectors = ceil(ops / _vector_length(operands, result))
    return ops / machine.vector_ops_per_cycle(widest) + vectors * machine.core.vector_startup_cycles


def _vector_length(operands: Sequence[TensorType], result: TensorType) -> int:
    if all(operand.shape == result.shape for operand in operands):
        return max(1, result.elements)
    return max(1, *(extent for type in (*operands, result) for extent in type.shape))
