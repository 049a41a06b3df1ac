"""What each stage takes of each resource for a chunk, and what each stream and each partial sum puts on the links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.program import HOST, UNSIGNED, Piece, Product, Program, Stage, Stream
from wsc.backends.cim.simulate.network import Load, Network
from wsc.backends.cim.simulate.product import ProductTiming, product_timing
from wsc.compiler.errors import SimulationError
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import Attention
from wsc.simulation.links import Path


@dataclass(frozen=True)
class StageCosts:
    """Cycles of a chunk on each of the stage's tiles (parallel arrays), and of its partial sums on the links."""

    stage: Stage
    tiles: NDArray[np.int64]
    load: NDArray[np.int64]
    issue: NDArray[np.int64]
    digital: NDArray[np.int64]
    product: int  # that the arrays are busy
    tail: int  # until the last number, beyond that
    write: int  # to fill the arrays, once an input and pass, where they are reloaded
    rewrite: int  # to write an activation into the arrays, once an input
    rewrite_load: NDArray[np.int64]  # on each tile's bus, for that
    timing: ProductTiming | None
    partial: Path
    partial_hop_bytes: float
    macs: int  # of an input, on lanes and arrays
    vector_ops: int


@dataclass(frozen=True)
class StreamCosts:
    """A stream's transfer of one chunk."""

    stream: Stream
    path: Path
    load: Load


@dataclass(frozen=True)
class Prepared:
    """A program ready to run on a machine."""

    program: Program
    machine: CimMachine
    stages: tuple[StageCosts, ...]
    streams: tuple[StreamCosts, ...]
    links: int
    reloads: bool
    fills: tuple[int, ...]  # cycles to fill the arrays for each round, where they are reloaded


def prepare(program: Program, machine: CimMachine) -> Prepared:
    """Costs of everything; raises SimulationError where the machine is not the program's or too small for it."""
    _check(program, machine)
    network = Network(program, machine)
    reloads = program.rounds > 1 or any(stage.passes > 1 for stage in program.stages)
    stages = tuple(_stage(program, stage, machine, network, reloads) for stage in program.stages)
    streams = tuple(_stream(program, stream, network) for stream in program.streams)
    fills = tuple(_fill(stages, machine, number) for number in range(program.rounds))
    return Prepared(program, machine, stages, streams, len(network.numbers), reloads, fills)


def _fill(stages: Sequence[StageCosts], machine: CimMachine, number: int) -> int:
    """Cycles to fill the arrays for a round: all side by side, row by row, as fast as the host sends the weights."""
    products = [costs for costs in stages if costs.stage.round == number and costs.write]
    sent = sum(weight_bytes(costs.stage) for costs in products) / machine.chip.host_bytes_per_cycle
    return ceil(max([sent, *(costs.write for costs in products)]))


def weight_bytes(stage: Stage) -> int:
    """Bytes of the weights of a stage."""
    p = stage.product
    return p.weight_type.elements * p.weight_bits // 8 if p and not p.rewritten else 0


def _check(program: Program, machine: CimMachine) -> None:
    grid, have = (program.width, program.height, program.chips), machine.chip
    if program.width > have.width_tiles or program.height > have.height_tiles or program.chips > have.chips:
        raise SimulationError(
            f"it takes {grid[2]} chips of {grid[0]} x {grid[1]} tiles, and there are {have.chips} of "
            f"{have.width_tiles} x {have.height_tiles}"
        )
    used: dict[tuple[int, int], int] = defaultdict(int)
    for stage in program.stages:
        for piece in stage.pieces:
            used[(stage.round, piece.tile)] += piece.units
    most = max(used.values(), default=0)
    if most > machine.units_per_tile:
        raise SimulationError(
            f"it takes {most:,} units in one tile, and there are {machine.units_per_tile:,}"
        )
    _check_arrays(program, machine)
    _check_buffers(program, machine)


def _check_buffers(program: Program, machine: CimMachine) -> None:
    """Raise SimulationError where streams would keep more in a tile than its buffer holds."""
    taken: dict[int, int] = defaultdict(int)
    for stream in program.streams:
        for tile in stream.homes:
            taken[tile] += ceil(stream.capacity * stream.chunk_bytes / len(stream.homes))
    tile, most = max(taken.items(), key=lambda item: item[1], default=(0, 0))
    if most > machine.tile.buffer_bytes:
        raise SimulationError(
            f"the buffer of tile {tile} overflows: streams keep {most:,} bytes there, and it holds "
            f"{machine.tile.buffer_bytes:,}"
        )


def _check_arrays(program: Program, machine: CimMachine) -> None:
    array = machine.array
    for stage in program.stages:
        p = stage.product
        if p is None:
            continue
        inputs = array.input_encoding if p.input_encoding == UNSIGNED else p.input_encoding
        told = (p.encoding, p.cell_bits, inputs, p.dac_bits)
        have = (array.encoding, array.cell_bits, array.input_encoding, array.dac_bits)
        room = machine.unit_weights(p.weight_bits) * p.block_units
        if told != have or p.block_rows > machine.unit_rows or p.block_columns > room:
            raise SimulationError(
                f"stage '{stage.name}' is for arrays of {p.block_rows} x {p.block_columns} weights, cells, digits and "
                f"encodings {told}; those of '{machine.name}' hold {machine.unit_rows} x {room}, {have}"
            )


def step_types(program: Program, stage: Stage) -> dict[str, TensorType]:
    """Types of all that a stage's steps read or make."""
    types = {name: type for name, _, type in program.weights}
    types |= {s.tensor: s.type for s in program.streams if s.target == stage.name}
    if stage.product:
        types[stage.product.result] = stage.product.type
    return types | {step.result: step.type for step in stage.steps}


def _stage(
    program: Program, stage: Stage, machine: CimMachine, network: Network, reloads: bool
) -> StageCosts:
    types = step_types(program, stage)
    macs = ops = 0
    for step in stage.steps:
        more_macs, more = step.op.arithmetic([types[name] for name in step.operands], step.type)
        macs, ops = macs + more_macs, ops + more
    tile = machine.tile
    lanes = (macs / tile.digital_macs_per_cycle + ops / tile.vector_ops_per_cycle) / stage.chunks
    total = sum(piece.outputs for piece in stage.pieces) or 1
    place = {number: i for i, number in enumerate(stage.tiles)}
    load, issue, digital, written = (np.zeros(len(place)) for _ in range(4))
    for piece in stage.pieces:
        i = place[piece.tile]
        load[i] += piece.loads / tile.bus_bytes_per_cycle
        digital[i] += piece.adds / tile.adder_ops_per_cycle + lanes * piece.outputs / total
        if stage.product:
            blocks = piece.count * stage.positions * stage.passes
            issue[i] += blocks * machine.core.issue_cycles / tile.cores
            written[i] += _written_bytes(stage.product, piece) / tile.bus_bytes_per_cycle
    timing = product_timing(stage.product, machine) if stage.product else None
    busy = stage.positions * stage.passes * timing.interval if timing else 0.0
    partial = _partial(stage, network)
    return StageCosts(
        stage=stage,
        tiles=np.array(list(place), np.int64),
        load=np.ceil(load).astype(np.int64),
        issue=np.ceil(issue).astype(np.int64),
        digital=np.ceil(digital).astype(np.int64),
        product=ceil(busy),
        tail=ceil(timing.latency - timing.interval) if timing else 0,
        write=_write(stage, machine) if reloads and stage.product and not stage.product.rewritten else 0,
        rewrite=_write(stage, machine) if stage.product and stage.product.rewritten else 0,
        rewrite_load=np.ceil(written).astype(np.int64),
        timing=timing,
        partial=network.path(partial),
        partial_hop_bytes=sum(load.hop_bytes for load in partial),
        macs=macs + (stage.product.macs if stage.product else 0),
        vector_ops=ops,
    )


def _write(stage: Stage, machine: CimMachine) -> int:
    """Cycles to write the arrays of a stage, all side by side, row after row."""
    p = stage.product
    assert p is not None
    paired = 2 if p.encoding == "differential_rows" else 1
    return ceil(min(p.rows, p.block_rows) * paired * machine.write.row_cycles) * stage.passes


def _written_bytes(product: Product, piece: Piece) -> float:
    """Bytes of an activation that become the blocks of a piece."""
    if not product.rewritten:
        return 0.0
    return product.weight_type.elements * product.weight_bits / 8 * piece.count / product.blocks


def _partial(stage: Stage, network: Network) -> list[Load]:
    moved: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for piece in stage.pieces:
        for peer in piece.peers:
            if peer != piece.tile:
                moved[piece.tile][peer] += piece.sends / len(piece.peers)
    return network.balanced((source, targets, sum(targets.values())) for source, targets in moved.items())


def _stream(program: Program, stream: Stream, network: Network) -> StreamCosts:
    size = stream.chunk_bytes
    if stream.source == HOST:
        wanted = _received(program, stream, size)
        loads = [network.host(_capped(wanted, size), out=False)]
    else:
        given = _shares(program.by_name[stream.source])
        if stream.target == HOST:
            loads = [network.host({tile: size * (b - a) * part for tile, a, b, part in given}, out=True)]
        else:
            loads = _between(program, stream, given, size, network)
    return StreamCosts(stream, network.path(loads), Load(_summed(loads), max(load.hops for load in loads)))


def _capped(wanted: Mapping[int, float], size: int) -> dict[int, float]:
    """The host sends each byte once; tiles that share bytes have them passed on by their neighbours."""
    scale = min(1.0, size / (sum(wanted.values()) or 1.0))
    return {tile: amount * scale for tile, amount in wanted.items()}


def _received(program: Program, stream: Stream, size: int) -> dict[int, float]:
    found: dict[int, float] = defaultdict(float)
    for tile, low, high, part in _wants(program.by_name[stream.target], stream):
        found[tile] += size * (high - low) * part
    return {tile: min(amount, float(size)) for tile, amount in found.items()}


def _shares(stage: Stage) -> list[tuple[int, float, float, float]]:
    """(tile, from, to, part): the share of a chunk's positions, and the part of their elements, that tiles give."""
    total: dict[int, int] = defaultdict(int)
    for piece in stage.pieces:
        total[piece.copy] += piece.outputs
    return [
        (p.tile, p.copy / stage.copies, (p.copy + 1) / stage.copies, p.outputs / total[p.copy])
        for p in stage.pieces
        if p.outputs
    ]


def _wants(stage: Stage, stream: Stream) -> list[tuple[int, float, float, float]]:
    """(tile, from, to, part) of a chunk that tiles read: positions of their copies, rows of their blocks."""
    product = stage.product
    if product is None and stream.span is None:
        return [(p.tile, 0.0, 1.0, _digital_part(stage)) for p in stage.pieces]
    if product is not None and product.rewritten and stream.tensor == product.weight:
        # Every copy is written whole, block by block where it lies.
        return [(p.tile, 0.0, 1.0, p.count / product.blocks) for p in stage.pieces]
    if product is None or stream.tensor != product.operand:
        found = _shares(stage)
    else:
        row = product.rows * product.groups * product.input_bits // 8 * stage.positions or 1
        found = [
            (p.tile, p.copy / stage.copies, (p.copy + 1) / stage.copies, min(1.0, p.loads / row))
            for p in stage.pieces
        ]
    if stream.span is None and product is not None and stream.tensor == product.operand:
        # The whole tensor for one chunk: positions are not those of the source's chunks.
        return [(tile, 0.0, 1.0, part) for tile, _, _, part in found]
    return found


def _digital_part(stage: Stage) -> float:
    """The part of a whole tensor that one tile of a digital stage reads: that of its results, or of its heads."""
    first = stage.steps[0]
    parts = len(stage.pieces)
    if isinstance(first.op, Attention):
        parts = min(parts, prod(first.type.shape[:-2]))
    return 1 / parts


def _between(
    program: Program,
    stream: Stream,
    given: Sequence[tuple[int, float, float, float]],
    size: int,
    network: Network,
) -> list[Load]:
    """A multicast from each source tile to the tiles whose positions it has; by way of homes that are elsewhere."""
    target = program.by_name[stream.target]
    wants = _wants(target, stream)
    away = [tile for tile in stream.homes if tile not in target.tiles]
    sends: list[tuple[int, dict[int, float], float]] = []
    for tile, low, high, part in given:
        data = size * (high - low) * part
        amounts: dict[int, float] = defaultdict(float)
        for other, a, b, fraction in wants:
            overlap = (high - low) if stream.span is None else max(0.0, min(high, b) - max(low, a))
            if overlap and other != tile:
                amounts[other] += min(data, size * overlap * part * fraction)
        near = 1 - len(away) / len(stream.homes)
        for home in away:
            held = data / len(stream.homes)
            sends.append((tile, {home: held}, held))
            passed = {other: amount / len(stream.homes) for other, amount in amounts.items() if other != home}
            if passed:
                sends.append((home, passed, held))
        if amounts and near > 0:
            sends.append((tile, {t: min(data, v) * near for t, v in amounts.items()}, data * near))
    return network.balanced(sends) or [Load({}, 0)]


def _summed(loads: Sequence[Load]) -> dict[tuple[str, int, int, int], float]:
    total: dict[tuple[str, int, int, int], float] = defaultdict(float)
    for load in loads:
        for link, amount in load.bytes.items():
            total[link] += amount
    return total
