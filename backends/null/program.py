"""The null target's program: one instruction a node, in order, over named buffers in one memory."""

from __future__ import annotations

from dataclasses import dataclass

from wsc.compiler.errors import VerificationError
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.text import parse_graph, print_graph
from wsc.compiler.ir.verify import verify

_HEADER = "null program version 1"


@dataclass(frozen=True)
class NullProgram:
    """`steps` in execution order; `memory_bytes` is what its buffers take, each alive from start to end."""

    steps: Graph
    memory_bytes: int


def print_program(program: NullProgram) -> str:
    """The program's text."""
    return f"{_HEADER}\nmemory {program.memory_bytes}\n{print_graph(program.steps)}"


def parse_program(text: str) -> NullProgram:
    """Read back what `print_program` printed; raises VerificationError."""
    header, _, rest = text.partition("\n")
    memory, _, graph = rest.partition("\n")
    if header != _HEADER or not memory.removeprefix("memory ").isdecimal():
        raise VerificationError(f"not a null program: it starts with {header!r}")
    steps = parse_graph(graph)
    verify(steps)
    return NullProgram(steps, int(memory.removeprefix("memory ")))
