"""Small programs, written by hand as text, and machines with a figure or two changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import wsc.backends.wafer
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.text import parse_program
from wsc.compiler.machine import read_machine

MACHINES = Path(wsc.backends.wafer.__file__).parent / "machines"


def wafer(name: str = "wafer-4x4", **figures: Any) -> Wafer:
    """A machine shipped with the target; `figures` replace those of its core or fabric."""
    machine = read_machine(MACHINES / f"{name}.toml", Wafer)
    core = {key: value for key, value in figures.items() if key in type(machine.core).model_fields}
    fabric = {key: value for key, value in figures.items() if key in type(machine.fabric).model_fields}
    assert core.keys() | fabric.keys() == figures.keys()
    parts = {"core": machine.core.model_copy(update=core), "fabric": machine.fabric.model_copy(update=fabric)}
    return machine.model_copy(update=parts)


def kernel(
    name: str, at: str, mesh: str, lines: str, *, chunks: int = 1, once: str = "", group: str = "linear"
) -> str:
    """Text of a kernel: buffers and then instructions in `lines`, one a line, those of `once` apart."""
    rows = [line.strip() for line in lines.splitlines() if line.strip()]
    buffers = [f"  {row}" for row in rows if row.startswith("buffer")]
    body = [f"  {row}" for row in rows if not row.startswith("buffer")]
    before = [f"  {line.strip()}" for line in once.strip().splitlines()]
    head = f'kernel "{name}" {group} at {at} mesh {mesh} chunks {chunks} code 64 in "by hand"'
    return "\n".join([head, *buffers, *before, "  repeat", *body, "end"])


def stream(name: str, source: str, target: str, rest: str) -> str:
    """Text of a stream; an end is e.g. `host %x f32[4] 1` or `"a" %x f32[4] 2`, the number being the chunks."""
    ends = [f"{end.rpartition(' ')[0]} chunks {end.rpartition(' ')[2]}/0" for end in (source, target)]
    return f"stream {name} from {ends[0]} to {ends[1]} {rest}"


def program(type: str, *parts: str, out: str = "", size: int = 4) -> Program:
    """A program with an input x and an output y of these types."""
    head = [
        f'wafer program "by hand" version 1 on "wafer-{size}x{size}" {size}x{size}',
        f'input "x" {type}',
        f'output "y" {out or type}',
    ]
    return parse_program("\n".join([*head, *parts]) + "\n")


def relay(name: str, at: str, number: int, *, words: int, chunks: int = 1, ops: str = "relu") -> str:
    """A kernel of one core between streams s<number> and s<number + 1>, with ops on `words` words a chunk.

    An op is a scalar function, or "mac" for the product with a square matrix.
    """
    names = ["x", *(f"t{i}" for i in range(len(ops.split())))]
    buffers = [f"buffer %x f32[{words}] [.] stream x2 @0"]
    buffers += [f"buffer %{result} f32[{words}] [.] local x2 @0" for result in names[1:]]
    buffers += [f'buffer %w f32[{words},{words}] [.,.] weight "w" @0']
    steps = [_step(fn, a, b) for fn, a, b in zip(ops.split(), names, names[1:], strict=False)]
    lines = [*buffers, f"%x = recv(stream='s{number}')", *steps, f"send(stream='s{number + 1}') %{names[-1]}"]
    return kernel(name, at, "-", "\n".join(lines), chunks=chunks)


def _step(fn: str, operand: str, result: str) -> str:
    if fn == "mac":
        return f"%{result} = contract(equation='k,kn->n', windows=()) %{operand} %w"
    return f"%{result} = elementwise(fn='{fn}', scalars=(None,)) %{operand}"


def chain(*ops: str, words: int = 8, chunks: int = 1, capacity: int = 2) -> Program:
    """Kernels of one core in a row (0,0), (1,0), ..., one for each list of ops."""
    type = f"f32[{words * chunks}]"
    kernels = [relay(f"k{i}", f"{i},0", i, words=words, chunks=chunks, ops=fns) for i, fns in enumerate(ops)]
    results = [f"t{len(fns.split()) - 1}" if fns else "x" for fns in ops]
    sources = [f"host %x {type} 1", *(f'"k{i}" %{name} {type} {chunks}' for i, name in enumerate(results))]
    targets = [*(f'"k{i}" %x {type} {chunks}' for i in range(len(ops))), f"host %y {type} 1"]
    corners = ["0,0", *(f"{i},0" for i in range(len(ops))), "0,0"]
    streams = [
        stream(f"s{i}", source, target, f"capacity {capacity} route xy {corners[i]}>{corners[i + 1]}")
        for i, (source, target) in enumerate(zip(sources, targets, strict=True))
    ]
    return program(type, *kernels, *streams)


def one_kernel(mesh: str, lines: str, type: str, out: str, ends: tuple[str, str]) -> Program:
    """A kernel at (0, 0) that receives %x from the host (s0) and sends the buffer `ends[1]` of type `out` (s1)."""
    text = kernel("k", "0,0", mesh, f"{lines}\nsend(stream='s1') %{ends[1]}")
    return program(
        type,
        text,
        stream("s0", f"host %x {type} 1", f'"k" %{ends[0]} {type} 1', "capacity 2 route xy 0,0>0,0"),
        stream("s1", f'"k" %{ends[1]} {out} 1', f"host %y {out} 1", "capacity 2 route xy 0,0>0,0"),
        out=out,
    )
