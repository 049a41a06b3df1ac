"""Reduce and broadcast along one line of cores."""

from __future__ import annotations

from wsc.backends.wafer.algorithms.resident import resident_program
from wsc.backends.wafer.instructions import Multicast, ReduceTo
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction, Program
from wsc.backends.wafer.trees import reduction_tree
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Cut, Layout, Mesh, MeshAxis

_ROW_A_PART = Layout(((Cut("p", 1),), ()))
_AT_PART_0 = Layout(((), ()), at=("p",))


def reduce_program(
    algorithm: str, words: int, parts: int, machine: Wafer, group: int | None = None, fn: str = "sum"
) -> Program:
    """Combine the rows of x f32[parts, words], a row a core, into y f32[1, words] on the first core.

    Algorithms and their groups are those of `wsc.backends.wafer.trees`; raises AlgorithmError for any other.
    """
    try:
        reduction_tree(parts, algorithm, group)
    except ValueError as error:
        raise AlgorithmError(str(error)) from error
    op = ReduceTo("p", fn, algorithm, group)
    x, y = _rows(words, parts)
    buffers = [
        Buffer("x", x, _ROW_A_PART, "input", "x"),
        Buffer("y", y, _AT_PART_0, "output", "y"),
    ]
    return _line(f"reduce-{algorithm}", parts, machine, buffers, Instruction(op, ("x",), "y"))


def broadcast_program(words: int, parts: int, machine: Wafer) -> Program:
    """Copy x f32[1, words] from the first core of a line to every row of y f32[parts, words], a row a core."""
    rows, one = _rows(words, parts)
    buffers = [
        Buffer("x", one, _AT_PART_0, "input", "x"),
        Buffer("y", rows, _ROW_A_PART, "output", "y"),
    ]
    return _line("broadcast", parts, machine, buffers, Instruction(Multicast(("p",)), ("x",), "y"))


def _rows(words: int, parts: int) -> tuple[TensorType, TensorType]:
    if min(words, parts) < 1:
        raise AlgorithmError(f"a line takes 1 word and 1 core or more, not {words} words and {parts} cores")
    return TensorType(DType.F32, (parts, words)), TensorType(DType.F32, (1, words))


def _line(name: str, parts: int, machine: Wafer, buffers: list[Buffer], instruction: Instruction) -> Program:
    return resident_program(name, machine, Mesh((MeshAxis("p", parts, "x"),)), buffers, [instruction])
