"""Cycles of a graph op on the tiles of one core.

A core executes vector instructions: one elementary operation over one vector each. An instruction takes
`vector_startup_cycles` to issue and then a steady time for each element; `task_startup_cycles` are paid once an op.
Which vectors an op is made of is modelled as follows:

- multiply-adds run over the longest dimension of the result, or dimensions that lie one after another in an operand
  as in the result: the fewest instructions (an inner product is computed as many scaled additions: the core has no
  horizontal sum), in whole pieces of `vector_bytes`;
- other operations of an op whose operands all have the result's shape run over the whole tile, which is contiguous;
- other operations of any other op run over the longest dimension of its tensors;
- a reshape costs a cycle: the tile stays where it is;
- every other op but a contraction touches each element of its result at least once, also where it computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from wsc.backends.wafer.instructions import MultiplyAdd
from wsc.backends.wafer.machine import Wafer
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Contract, Reshape
from wsc.compiler.ops.base import Op

COMPUTE, MOVEMENT = "compute", "movement"


@dataclass(frozen=True)
class Cost:
    """Cycles of one run of an instruction: of the busiest core, until the result is there, of the links of its lines.

    `lines` are the directions ("x", "y") in which it uses the region's links; `macs` are multiply-adds on one core.
    `flight` is the part of the latency that only the farthest core sees: a loop, which no core waits in for another,
    pays it once. `root` is the part of the cycles that only the core at the movement's root has.
    `idle` are those cycles of the occupancy in which the core waits for what another one, the root, does.
    `edge_cycles` is how long it keeps the wafer's edge.
    """

    kind: str
    occupancy: int
    latency: int
    lines: tuple[str, ...] = ()
    line_cycles: int = 0
    macs: int = 0
    flight: int = 0
    root: int = 0
    idle: int = 0
    edge_cycles: int = 0


def local_cost(machine: Wafer, op: Op, operands: Sequence[TensorType], result: TensorType) -> Cost:
    """Cost of a graph op on tiles of these types."""
    if isinstance(op, Reshape):  # the same memory under other descriptors
        return Cost(COMPUTE, 1, 1)
    macs, others = op.arithmetic(operands, result)
    if not macs:
        others = max(others, result.elements)
    length = op.vector_run(result) if isinstance(op, Contract) else 1
    cycles = _mac_cycles(machine, macs, result, length) + _other_cycles(machine, others, operands, result)
    occupancy = max(1, ceil(machine.core.task_startup_cycles + cycles))
    return Cost(COMPUTE, occupancy, occupancy, macs=macs)


def multiply_add_cost(
    machine: Wafer, op: MultiplyAdd, operands: Sequence[TensorType], result: TensorType
) -> Cost:
    """Cost of a contraction added to the result: the additions are those of the multiply-adds."""
    contract = Contract(op.equation)
    macs, _ = contract.arithmetic(step_types(op, operands), result)
    length = contract.vector_run(result)
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
    startup = machine.vector_startup_cycles(table.dtype)
    cycles = 1 + row.elements / machine.vector_ops_per_cycle(table.dtype) + startup
    occupancy = max(1, ceil(machine.core.task_startup_cycles + index.elements * cycles))
    return Cost(COMPUTE, occupancy, occupancy)


def insert_cost(machine: Wafer, value: TensorType) -> Cost:
    """Cost of a comparison a slice and a copy of those that are held; all of them on the busiest core."""
    startup = machine.vector_startup_cycles(value.dtype)
    copied = value.elements / machine.vector_ops_per_cycle(value.dtype) + startup
    occupancy = max(1, ceil(machine.core.task_startup_cycles + 1 + copied))
    return Cost(COMPUTE, occupancy, occupancy)


def _mac_cycles(machine: Wafer, macs: int, result: TensorType, length: int) -> float:
    if not macs:
        return 0.0
    piece = machine.mac_vector_elements(result.dtype)
    vectors = ceil(macs / length)
    padded = macs / length * ceil(length / piece) * piece
    return padded * machine.mac_cycles(result.dtype) + vectors * machine.vector_startup_cycles(result.dtype)


def _other_cycles(machine: Wafer, ops: int, operands: Sequence[TensorType], result: TensorType) -> float:
    if not ops:
        return 0.0
    widest = max((*operands, result), key=lambda t: t.dtype.bytes).dtype
    vectors = ceil(ops / _vector_length(operands, result))
    return ops / machine.vector_ops_per_cycle(widest) + vectors * machine.vector_startup_cycles(widest)


def _vector_length(operands: Sequence[TensorType], result: TensorType) -> int:
    if all(operand.shape == result.shape for operand in operands):
        return max(1, result.elements)
    return max(1, *(extent for type in (*operands, result) for extent in type.shape))
