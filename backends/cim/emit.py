"""The program that carries out a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil

from wsc.backends.cim.estimate import accumulator_bytes
from wsc.backends.cim.mapping import Part
from wsc.backends.cim.plan import Plan
from wsc.backends.cim.program import Piece, Port, Product, Program, Stage, Step
from wsc.compiler.ir.graph import Node
from wsc.compiler.passes.rewrite import weight_key


def emit(plan: Plan) -> Program:
    """The program of a plan."""
    graph, machine = plan.graph, plan.machine
    stages = tuple(_stage(plan, i) for i in range(len(plan.names)))
    read = {name for stage in stages for step in stage.steps for name in step.operands}
    weights = tuple(
        (n.name, weight_key(n), n.type) for n in graph.weights if n.name in read or n.name in graph.outputs
    )
    return Program(
        name=graph.name,
        machine=machine.name,
        width=machine.chip.width_tiles,
        height=machine.chip.height_tiles,
        chips=plan.chips,
        places=plan.places,
        inputs=tuple(Port(node.name, node.type) for node in graph.inputs),
        outputs=tuple(Port(name, graph[name].type) for name in graph.outputs),
        weights=weights,
        stages=stages,
        streams=plan.streams,
    )


def _stage(plan: Plan, i: int) -> Stage:
    sizing, option, draft = plan.sizings[i], plan.options[i], plan.sizings[i].draft
    product = sizing.product
    nodes: Sequence[Node] = draft.nodes
    if product is not None:
        product = replace(product, loop=replace(product.loop, count=option.positions))
        nodes = draft.nodes[1:]
    parts = plan.mapping.parts[i]
    pieces = _crossbar_pieces(product, parts, option.positions) if product else _digital_pieces(plan, i)
    return Stage(
        name=plan.names[i],
        group=_group(plan, draft.head),
        chunks=option.chunks,
        copies=option.copies if product else len(pieces),
        round=plan.mapping.rounds[i],
        passes=plan.mapping.passes[i],
        product=product,
        steps=tuple(Step(n.name, n.type, n.op, n.inputs) for n in nodes),
        pieces=pieces,
    )


def _group(plan: Plan, head: Node) -> str:
    """The kind of stage, which gives it its colour."""
    if head.op.kind != "contract_int":
        return head.op.kind
    return "convolution" if getattr(head.op, "windows", ()) else "linear"


def _digital_pieces(plan: Plan, i: int) -> tuple[Piece, ...]:
    draft, chunks = plan.sizings[i].draft, plan.options[i].chunks
    tiles = plan.tiles[i]
    read = sum(
        plan.graph[name].type.bytes
        for node in draft.nodes
        for name in node.inputs
        if not plan.graph[name].is_weight
    )
    loads = ceil(read / chunks / len(tiles))
    return tuple(Piece(tile, number, 0, 0, 0, loads, 0, 0, (), 1) for number, tile in enumerate(tiles))


def _crossbar_pieces(product: Product, parts: Sequence[Part], positions: int) -> tuple[Piece, ...]:
    """Pieces with what they move; those that share a column of blocks share its results."""
    pieces: list[Piece] = []
    for copy in sorted({part.copy for part in parts}):
        pieces += _copy_pieces(product, [part for part in parts if part.copy == copy], positions)
    return tuple(pieces)


def _copy_pieces(product: Product, parts: list[Part], positions: int) -> list[Piece]:
    columns: dict[int, list[tuple[int, int]]] = {}  # column of blocks: (part, blocks of it there)
    for number, part in enumerate(parts):
        last = (part.first + part.count - 1) // product.row_blocks
        for column in range(part.first // product.row_blocks, last + 1):
            low = max(part.first, column * product.row_blocks)
            high = min(part.first + part.count, (column + 1) * product.row_blocks)
            columns.setdefault(column, []).append((number, high - low))
    moves = [_Moves() for _ in parts]
    size = accumulator_bytes(product.weight_bits, product.input_bits, product.rows)
    for column, there in columns.items():
        results = _width(product, column % product.column_blocks) * positions
        owned = ceil(
            results / len(there)
        )  # each part owns as much of the column, and gets it from the others
        for number, blocks in there:
            moves[number].adds += (blocks - 1) * results + (len(there) - 1) * owned
            moves[number].sends += (results - owned) * size
            moves[number].peers |= {parts[other].tile for other, _ in there if other != number}
            moves[number].outputs += owned
    return [
        Piece(
            p.tile, p.copy, p.first, p.count, p.units, _loads(product, p, positions), m.adds, m.sends,
            tuple(sorted(m.peers)), m.outputs,
        )
        for p, m in zip(parts, moves, strict=True)
    ]  # fmt: skip


@dataclass
class _Moves:
    """What a piece adds, sends and owns in a chunk, as it is counted up."""

    adds: int = 0
    sends: int = 0
    outputs: int = 0
    peers: set[int] = field(default_factory=set)


def _width(product: Product, column: int) -> int:
    return min(product.block_columns, product.columns - column * product.block_columns)


def _loads(product: Product, part: Part, positions: int) -> int:
    """Bytes that the blocks of a part take from the buffer for a chunk, each row of blocks once."""
    rows = {
        (block // (product.row_blocks * product.column_blocks), block % product.row_blocks)
        for block in range(part.first, part.first + part.count)
    }
    elements = sum(min(product.block_rows, product.rows - row * product.block_rows) for _, row in rows)
    return elements * positions * product.input_bits // 8
