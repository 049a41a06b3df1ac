"""The invariants of a crossbar program, in prose, and their check.

1. Names of stages, of streams, and of what is computed are unique.
2. Tiles lie on the chips' grids, no two at one place; pieces and homes are on tiles there are.
3. The pieces of a crossbar stage hold every block of every copy exactly once; a digital stage has no blocks.
4. A product's matrix, loops and types fit its op; its vectors, and a matrix that is written, come by streams.
5. Steps read what the stage made before, what a stream brings, or a weight; their ops infer the types they say.
6. Streams join stages there are, from earlier to later ones, bring what the source makes, and have room and a home.
7. Every output leaves by a stream to the host, and is of the type it says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import ceil

from wsc.backends.cim.program import HOST, Loop, Product, Program, Stage, Stream
from wsc.compiler.errors import VerificationError
from wsc.compiler.ir.types import TensorType


def verify(program: Program) -> None:
    """Raise VerificationError naming the first invariant that the program breaks."""
    for fault in _faults(program):
        raise VerificationError(f"program '{program.name}': {fault}")


def _faults(program: Program) -> Iterator[str]:
    yield from _repeated("stage", [stage.name for stage in program.stages])
    yield from _repeated("stream", [stream.name for stream in program.streams])
    yield from _repeated("value", [name for stage in program.stages for name in _made(stage)])
    yield from _misplaced(program)
    for stage in program.stages:
        yield from _stage_faults(program, stage)
    yield from _stream_faults(program)


def _repeated(what: str, names: list[str]) -> Iterator[str]:
    yield from (f"{what} '{name}' is there {n} times" for name, n in Counter(names).items() if n > 1)


def _made(stage: Stage) -> list[str]:
    return [*([stage.product.result] if stage.product else []), *(step.result for step in stage.steps)]


def _misplaced(program: Program) -> Iterator[str]:
    yield from _repeated("place", [str(place) for place in program.places])
    for chip, x, y in program.places:
        if not (0 <= chip < program.chips and 0 <= x < program.width and 0 <= y < program.height):
            yield f"a tile at {chip}:{x},{y} is on no chip"
    tiles = [tile for stage in program.stages for p in stage.pieces for tile in (p.tile, *p.peers)]
    tiles += [tile for stream in program.streams for tile in stream.homes]
    if tiles and not 0 <= min(tiles) <= max(tiles) < len(program.places):
        yield f"tile {max(tiles)} has no place"


def _stage_faults(program: Program, stage: Stage) -> Iterator[str]:
    name = f"stage '{stage.name}'"
    if min(stage.chunks, stage.copies, stage.passes) < 1 or not stage.pieces:
        yield f"{name} has no chunk, copy, pass or piece"
    blocks = Counter((p.copy, b) for p in stage.pieces for b in range(p.first, p.first + p.count))
    wanted = stage.copies * stage.product.blocks if stage.product else 0
    if len(blocks) != wanted or any(n > 1 for n in blocks.values()):
        yield f"{name} holds {sum(blocks.values())} blocks, not {wanted} once each"
    if stage.product and any(c >= stage.copies or b >= stage.product.blocks for c, b in blocks):
        yield f"{name} holds a block that its matrix has not"
    if stage.product is not None:
        yield from (f"{name}: {fault}" for fault in _product_faults(stage.product))
        yield from _missing_operands(program, stage, stage.product)
        if stage.chunks * stage.copies * stage.positions < stage.product.positions:
            yield f"{name} makes fewer than {stage.product.positions} products"
    types = _types(program, stage)
    for step in stage.steps:
        missing = [operand for operand in step.operands if operand not in types]
        if missing:
            yield f"{name} computes %{step.result} from %{missing[0]}, which is not there"
            return
        try:
            inferred = step.op.infer([types[operand] for operand in step.operands])
        except ValueError as error:
            inferred = None
            yield f"{name} computes %{step.result}: {error}"
        if inferred != step.type:
            yield f"{name} says %{step.result} is {step.type}, its op infers {inferred}"
        types[step.result] = step.type


def _missing_operands(program: Program, stage: Stage, product: Product) -> Iterator[str]:
    brought = {s.tensor: s for s in program.streams if s.target == stage.name}
    for name in product.read:
        if name not in brought:
            yield f"stage '{stage.name}' multiplies %{name}, which no stream brings"
        elif product.rewritten and name == product.weight and brought[name].span is not None:
            yield f"stage '{stage.name}' writes %{name} into its arrays, which streams in by and by"


def _product_faults(product: Product) -> Iterator[str]:
    if product.op.infer([product.operand_type, product.weight_type]) != product.type:
        yield f"%{product.result} is no {product.type}"
    if product.groups * product.rows * product.columns != product.weight_type.elements * product.packed:
        yield f"the matrix of %{product.result} is not the weight's size"
    if min(product.block_rows, product.block_columns, product.cell_bits, product.dac_bits) < 1:
        yield f"the blocks of %{product.result} are empty"
    inner = product.loop.body[0] if product.loop.body else None
    if product.loop.over != "position" or not isinstance(inner, Loop) or inner.over != "phase":
        yield f"%{product.result} is not made position by position, phase by phase"
    elif inner.count < ceil((product.input_bits - 1) / product.dac_bits):
        yield f"{inner.count} phases do not drive {product.input_bits} bits"


def _types(program: Program, stage: Stage) -> dict[str, TensorType]:
    """What the first step of a stage may read."""
    types = {name: type for name, _, type in program.weights}
    types |= {stream.tensor: stream.type for stream in program.streams if stream.target == stage.name}
    if stage.product is not None:
        types[stage.product.result] = stage.product.type
    return types


def _stream_faults(program: Program) -> Iterator[str]:
    order = {stage.name: number for number, stage in enumerate(program.stages)}
    made = {HOST: {port.name: port.type for port in program.inputs}}
    for stage in program.stages:
        made[stage.name] = {step.result: step.type for step in stage.steps}
        if stage.product:
            made[stage.name][stage.product.result] = stage.product.type
    for stream in program.streams:
        yield from _faults_of(stream, order, made)
    leaving = {s.tensor: s.type for s in program.streams if s.target == HOST}
    for port in program.outputs:
        if leaving.get(port.name) != port.type:
            yield f"output '{port.name}' does not leave as {port.type}"
    if not program.outputs:
        yield "there is no output"


def _faults_of(
    s: Stream, order: Mapping[str, int], made: Mapping[str, Mapping[str, TensorType]]
) -> Iterator[str]:
    if not {s.source, s.target} <= {HOST, *order}:
        yield f"stream {s.name} joins '{s.source}' and '{s.target}', which are not both there"
        return
    if HOST not in (s.source, s.target) and order[s.source] >= order[s.target]:
        yield f"stream {s.name} runs backwards"
    found = made[s.source].get(s.tensor)
    if found != s.type:
        yield f"stream {s.name} brings %{s.tensor} : {s.type}, '{s.source}' has {found}"
    if min(s.capacity, s.extent, s.source_rows, s.source_chunks, s.target_rows, s.target_chunks) < 1:
        yield f"stream {s.name} has no room or no chunks"
    if s.target != HOST and not s.homes:
        yield f"stream {s.name} has no home"
