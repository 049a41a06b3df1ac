"""What the plan decides with: cycles of products and of digital work, from the machine alone."""

from __future__ import annotations

from math import ceil

from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.stages import Draft
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Op


def product_interval(machine: CimMachine, input_bits: int, signed: bool = True) -> float:
    """Cycles between two products of a unit: its slowest stage once a phase, and the filling if it drains."""
    convert = machine.adc.columns_per_adc / machine.adc.conversions_per_cycle
    stages = (machine.array.phase_cycles, convert, machine.array.accumulate_cycles)
    filling = 0.0 if machine.array.overlap else sum(stages) - max(stages)
    return machine.phases(input_bits, signed) * max(stages) + filling


def vector_work(op: Op, operands: tuple[TensorType, ...], result: TensorType) -> tuple[int, int]:
    """(multiply-adds, other scalar operations) of an op on the digital lanes; movement counts one an element."""
    macs, others = op.arithmetic(operands, result)
    return macs, others


def digital_cycles(machine: CimMachine, graph: Graph, draft: Draft) -> float:
    """Cycles of a stage's digital work on the lanes of one tile."""
    macs = others = 0
    for node in draft.nodes:
        if node is draft.head and draft.is_crossbar:
            continue
        more_macs, more = vector_work(node.op, graph.operand_types(node), node.type)
        macs, others = macs + more_macs, others + more
    return macs / machine.tile.digital_macs_per_cycle + others / machine.tile.vector_ops_per_cycle


def bits_of(type: TensorType) -> int:
    """Bits of an integer element."""
    return 8 * type.dtype.bytes


def accumulator_bytes(weight_bits: int, input_bits: int, rows: int) -> int:
    """Bytes of an exact partial sum over `rows` products."""
    return ceil((weight_bits + input_bits + max(1, rows - 1).bit_length()) / 8)
