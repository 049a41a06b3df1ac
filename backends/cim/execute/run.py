"""Executes a program: stage by stage, every block of every copy where the program puts it.

Exact mode. Each copy takes its share of the positions. A block's weights are encoded into cells and read back from
them, so that slices and signs are those of the program; partial sums over the row blocks are integers. Products of the
whole input by the decoded weights equal the sum over phases and slices, which is linear; `bit_serial` does that sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from wsc.backends.cim.encoding import encode
from wsc.backends.cim.execute.unroll import matrix, restored, vectors
from wsc.backends.cim.program import Product, Program, Stage
from wsc.backends.target import Progress
from wsc.compiler.errors import InputMismatch
from wsc.compiler.ops.base import Array

Multiply = Callable[
    [Stage, Product, int, Array, Array], Array
]  # group, vectors, weights: [positions, columns]

_EXACT = 2**53


def execute(
    program: Program, weights: Mapping[str, Array], inputs: Sequence[Array], progress: Progress | None = None
) -> tuple[Array, ...]:
    """Outputs of the program in exact integer arithmetic; raises InputMismatch."""
    return run_stages(program, weights, inputs, exact, progress)


def run_stages(
    program: Program,
    weights: Mapping[str, Array],
    inputs: Sequence[Array],
    multiply: Multiply,
    progress: Progress | None = None,
    observe: Callable[[str, Array], None] | None = None,
) -> tuple[Array, ...]:
    """Outputs of the program where `multiply` makes the products; `observe` is shown every value by name."""
    _check(program, inputs)
    values: dict[str, Array] = {port.name: array for port, array in zip(program.inputs, inputs, strict=True)}
    values |= {name: weights[key] for name, key, _ in program.weights}
    last = {name: i for i, stage in enumerate(program.stages) for name in _read(stage)}
    kept = {port.name for port in program.outputs}
    for number, stage in enumerate(program.stages):
        if progress is not None:
            progress(stage.name, number, len(program.stages))
        if stage.product is not None:
            product = stage.product
            values[product.result] = _product(
                stage,
                product,
                values[product.operand],
                values[product.weight] if product.rewritten else weights[product.weight],
                multiply,
            )
        for step in stage.steps:
            values[step.result] = step.op.reference([values[name] for name in step.operands])
        for name in [n for n in values if n not in kept and last.get(n, -1) <= number and n in _dead(stage)]:
            if observe is not None:
                observe(name, values[name])
            del values[name]
    return tuple(values[port.name] for port in program.outputs)


def _read(stage: Stage) -> list[str]:
    operands = [name for step in stage.steps for name in step.operands]
    return operands + (list(stage.product.read) if stage.product else [])


def _dead(stage: Stage) -> set[str]:
    """Values that may be let go after a stage: those that it reads or makes."""
    made = {step.result for step in stage.steps} | ({stage.product.result} if stage.product else set())
    return made | set(_read(stage))


def _check(program: Program, inputs: Sequence[Array]) -> None:
    if len(inputs) != len(program.inputs):
        raise InputMismatch(f"'{program.name}' takes {len(program.inputs)} inputs, not {len(inputs)}")
    for number, (array, port) in enumerate(zip(inputs, program.inputs, strict=True)):
        if array.shape != port.type.shape or array.dtype != port.type.dtype.numpy:
            found = f"{np.dtype(array.dtype)}{list(array.shape)}"
            raise InputMismatch(f"input {number} of '{program.name}' must be {port.type}, {found} was given")


def _product(stage: Stage, product: Product, operand: Array, weight: Array, multiply: Multiply) -> Array:
    inputs, weights = vectors(product, operand), matrix(product, weight)
    out = np.empty((product.groups, product.positions, product.columns), product.type.dtype.numpy)
    for group in range(product.groups):
        out[group] = multiply(stage, product, group, inputs[group], weights[group])
    return restored(product, out)


def exact(stage: Stage, product: Product, group: int, inputs: Array, weights: Array) -> Array:
    """[positions, columns]: the blocks that the pieces hold, each copy on its positions, partial sums added."""
    out = np.zeros((len(inputs), product.columns), np.int64)
    carrier = np.dtype(np.float64 if _largest(product) < _EXACT else np.object_)
    decoded, vector = _decoded(product, weights).astype(carrier), inputs.astype(carrier)
    for positions, rows, columns in blocks(stage, product, group):
        out[positions, columns] += (vector[positions, rows] @ decoded[rows, columns]).astype(np.int64)
    return out


def _largest(product: Product) -> int:
    return product.rows << (product.weight_bits + product.input_bits - 1)


def _decoded(product: Product, weights: Array) -> Array:
    cells = encode(weights.astype(np.int64), product.weight_bits, product.cell_bits, product.encoding)
    return cells.decode()


def blocks(stage: Stage, product: Product, group: int) -> Iterator[tuple[slice, slice, slice]]:
    """(positions, rows, columns) of what the pieces hold of a group, for each run of positions of their copies.

    Copies take the positions of a chunk in turn, `stage.positions` each. Where that makes many short runs, a copy's
    positions are walked with a stride. Blocks of one piece and column that follow each other are taken as one: their
    sums meet in the tile.
    """
    for piece in stage.pieces:
        block, end = piece.first, piece.first + piece.count
        while block < end:
            column, row = divmod(block, product.row_blocks)
            run = min(end - block, product.row_blocks - row)
            block += run
            if column // product.column_blocks != group:
                continue
            first = column % product.column_blocks * product.block_columns
            rows = slice(row * product.block_rows, (row + run) * product.block_rows)
            for positions in shares(stage, product, piece.copy):
                yield positions, rows, slice(first, first + product.block_columns)


def shares(stage: Stage, product: Product, copy: int) -> list[slice]:
    """The positions of a copy: a run in each chunk, or one stride over all chunks for each place in the run."""
    step = stage.positions * stage.copies
    starts = range(copy * stage.positions, product.positions, step)
    if stage.copies == 1:
        return [slice(0, product.positions)]
    if len(starts) <= stage.positions:
        return [slice(start, start + stage.positions) for start in starts]
    first = copy * stage.positions
    return [
        slice(place, None, step)
        for place in range(first, first + stage.positions)
        if place < product.positions
    ]
