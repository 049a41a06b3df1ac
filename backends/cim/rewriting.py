"""Which products of two activations go to arrays written at run time, and which to digital lanes: the faster way.

Arrays: one operand is written row by row, all arrays of the product side by side, then the other is multiplied by it
position after position; as many copies work at once as there are units beyond those that weights take. Lanes: the
multiply-adds of the product, shared out over the tiles by rows of its result. Both are the time of one input alone.
Only cells that bear a write for every input are asked (`write.at_run_time`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, prod

from wsc.backends.cim.estimate import product_interval
from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.matrix import roles
from wsc.backends.cim.sizing import MIN_CHUNKS
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Attention, Contract
from wsc.compiler.passes.quantize import float_contractions, is_product_of_activations
from wsc.compiler.passes.spell_attention import can_spell, own, products


@dataclass(frozen=True)
class Shape:
    """A product as crossbars see it: `groups` matrices [rows, columns], each by `positions` vectors."""

    groups: int
    rows: int
    columns: int
    positions: int

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return self.groups * self.rows * self.columns * self.positions


def shape_of(op: Contract, left: TensorType, right: TensorType) -> Shape:
    """The product of two operands; raises ValueError where the left one is summed by itself."""
    role, extents = roles(op), op.extents([left, right])
    groups, rows, columns, positions = (
        prod(extents[c] for c in letters)
        for letters in (role.groups, role.rows, role.columns, role.positions)
    )
    return Shape(groups, rows, columns, positions)


def units_of(shape: Shape, machine: CimMachine, bits: int) -> int:
    """Units of one copy."""
    return (
        shape.groups * ceil(shape.rows / machine.unit_rows) * ceil(shape.columns / machine.unit_weights(bits))
    )


def array_cycles(shape: Shape, machine: CimMachine, bits: int, free: int) -> float:
    """Cycles with `free` units to take; infinite where they are too few and the arrays are not refilled."""
    units = units_of(shape, machine, bits)
    paired = 2 if machine.array.encoding == "differential_rows" else 1
    rows = min(shape.rows, machine.unit_rows)
    bytes_a_tile = rows * machine.unit_weights(bits) * bits / 8 * min(units, machine.units_per_tile)
    write = max(rows * paired * machine.write.row_cycles, bytes_a_tile / machine.tile.bus_bytes_per_cycle)
    interval = product_interval(machine, bits)
    if units <= free:
        copies = min(ceil(shape.positions / MIN_CHUNKS), free // units)  # positions also go chunk after chunk
        return write + ceil(shape.positions / copies) * interval
    if not machine.chip.reload:
        return inf
    return ceil(units / max(1, free)) * (write + shape.positions * interval)


def lane_cycles(shape: Shape, machine: CimMachine, chips: int) -> float:
    """Cycles on the lanes of all tiles, or of as many as there are rows of the result."""
    tiles = min(chips * machine.tiles_per_chip, shape.groups * shape.positions)
    return shape.macs / machine.tile.digital_macs_per_cycle / tiles


def rewritten(model: Model, machine: CimMachine, bits: int) -> frozenset[str]:
    """Names of the products, attention among them, that are faster on arrays written for them."""
    if not machine.write.at_run_time:
        return frozenset()
    graph = model.graph
    weights = sum(units_of(shape, machine, bits) for shape in _by_weights(graph))
    have = machine.units_per_chip
    chips = min(machine.chip.chips, max(1, ceil(weights / have)))
    free = chips * have - weights
    refills = free < 0  # then every product may have all units, one after another
    chosen = set()
    for node in graph:
        shapes = shapes_of(graph, node)
        if not shapes or (isinstance(node.op, Attention) and not can_spell(model, node)):
            continue
        room = chips * have if refills else free
        taken = sum(units_of(shape, machine, bits) for shape in shapes)
        if not refills and taken > free:
            continue
        arrays = sum(array_cycles(shape, machine, bits, room) for shape in shapes)
        if arrays < sum(lane_cycles(shape, machine, chips) for shape in shapes):
            chosen.add(node.name)
            free -= 0 if refills else taken
    return frozenset(chosen)


def _by_weights(graph: Graph) -> list[Shape]:
    """The products by weights; those that crossbars cannot hold are refused elsewhere."""
    found = []
    for node in float_contractions(graph):
        try:
            found.append(_contracted(graph, node))
        except ValueError:
            continue
    return found


def shapes_of(graph: Graph, node: Node) -> tuple[Shape, ...]:
    """The products of two activations that a node makes and that arrays could take; none for any other node."""
    if isinstance(node.op, Attention):
        return _of_attention(graph, node)
    if not is_product_of_activations(graph, node):
        return ()
    try:
        return (_contracted(graph, node),)
    except ValueError:
        return ()


def _contracted(graph: Graph, node: Node) -> Shape:
    assert isinstance(node.op, Contract)
    left, right = graph.operand_types(node)
    return shape_of(node.op, left, right)


def _of_attention(graph: Graph, node: Node) -> tuple[Shape, ...]:
    q, k, v = graph.operand_types(node)[:3]
    first, second = products(graph, node)
    keys, values = own(k, q), own(v, q)
    scores = first.infer([q, keys])
    return shape_of(first, q, keys), shape_of(second, scores, values)
