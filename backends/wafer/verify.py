"""The invariants of a wafer program, in prose, and their check.

1. Kernels, streams, and the buffers of a kernel have names of their own.
2. Regions lie inside the fabric and none covers another's cores on the same wafer.
3. An instruction reads buffers that are weights or that an earlier instruction wrote; every other buffer is written by
   exactly one instruction, but that a repeat may write again what was written before it, state may be written any
   number of times, and a load fills what is fetched; recv and send name a stream that ends, or starts, at this kernel
   and this buffer.
4. A stream joins kernels (or the host's inputs and outputs) that exist. Both ends have as many chunks, or one has one.
5. Every output of the program has a stream (an input that nothing reads has none).
6. Streams between kernels make no cycle: one input passes each kernel once.
7. Either all kernels run in order or none does; repeats, state and fetched weights are in kernels that do, and a buffer
   with several contents has one for every step of the repeat.
"""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from itertools import combinations

from wsc.backends.wafer.instructions import Load, Recv, Send
from wsc.backends.wafer.program import (
    HOST,
    RESIDENT,
    Endpoint,
    Instruction,
    Kernel,
    Loop,
    Program,
    Repeat,
    Stream,
)
from wsc.compiler.errors import VerificationError


def verify(program: Program) -> None:
    """Raise VerificationError naming the first invariant that the program breaks."""
    _distinct("kernels", (k.name for k in program.kernels))
    _distinct("streams", (s.name for s in program.streams))
    for kernel in program.kernels:
        _distinct(f"buffers of kernel '{kernel.name}'", (b.name for b in kernel.buffers))
    for stream in program.streams:
        _verify_stream(program, stream)
    for kernel in program.kernels:
        _verify_kernel(program, kernel)
    _verify_regions(program)
    _verify_ports(program)
    _verify_order(program)


def _distinct(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise VerificationError(f"two {what} are called '{name}'")
        seen.add(name)


def _verify_stream(program: Program, stream: Stream) -> None:
    ends = (stream.source, [n for n, _ in program.inputs]), (stream.target, [n for n, _ in program.outputs])
    for end, ports in ends:
        names = ports if end.kernel == HOST else _buffer_names(program, end)
        if end.buffer not in names:
            raise VerificationError(f"stream {stream.name}: there is no %{end.buffer} at '{end.kernel}'")
        if end.type.rank and end.type.shape[end.dim] % end.chunks:
            raise VerificationError(
                f"stream {stream.name}: {end.type} has no {end.chunks} equal chunks along {end.dim}"
            )
    if stream.source.chunks != stream.target.chunks and 1 not in (stream.source.chunks, stream.target.chunks):
        raise VerificationError(
            f"stream {stream.name}: {stream.source.chunks} chunks cannot become {stream.target.chunks}"
        )


def _buffer_names(program: Program, end: Endpoint) -> list[str]:
    return [b.name for k in program.kernels if k.name == end.kernel for b in k.buffers]


def _verify_kernel(program: Program, kernel: Kernel) -> None:
    where = f"kernel '{kernel.name}'"
    known = {b.name for b in kernel.buffers}
    ready = {b.name for b in kernel.buffers if b.role in RESIDENT}
    _verify_in_order(program, kernel, where)
    for instruction in kernel.instructions():
        if isinstance(instruction.op, Repeat):
            again = set(ready)
            for inner in instruction.op.body:
                _verify_instruction(program, kernel, inner, known, ready, again)
        else:
            _verify_instruction(program, kernel, instruction, known, ready, set())
    if unwritten := sorted(known - ready):
        raise VerificationError(f"{where}: nothing writes %{unwritten[0]}")


def _verify_instruction(
    program: Program,
    kernel: Kernel,
    instruction: Instruction,
    known: set[str],
    ready: set[str],
    again: set[str],
) -> None:
    """Check one instruction against what is `ready`, which it adds to; what is in `again` may be written again."""
    where = f"kernel '{kernel.name}'"
    if late := [name for name in instruction.operands if name not in ready]:
        raise VerificationError(f"{where}: %{late[0]} is read before it is written")
    if isinstance(instruction.op, (Recv, Send)):
        _verify_port(program, kernel, instruction)
    if isinstance(instruction.op, Loop):
        ready.update(inner.result for inner in instruction.op.body if inner.result != instruction.result)
    if not instruction.result:
        return
    role = kernel[instruction.result].role if instruction.result in known else ""
    twice = instruction.result in ready and not (
        instruction.result in again and role not in ("weight", "input")
    )
    if not role or (twice and role not in ("state", "fetched")):
        raise VerificationError(f"{where}: %{instruction.result} is written twice or is no buffer")
    if (role == "fetched") != isinstance(instruction.op, Load):
        raise VerificationError(f"{where}: %{instruction.result} is fetched by load, and by nothing else")
    ready.add(instruction.result)


def _verify_in_order(program: Program, kernel: Kernel, where: str) -> None:
    if kernel.in_order != program.kernels[0].in_order:
        raise VerificationError(f"{where}: either all kernels run in order or none does")
    steps = [i.op.steps for i in kernel.instructions() if isinstance(i.op, Repeat)]
    roles = {b.role for b in kernel.buffers}
    if not kernel.in_order and (steps or roles & {"state", "fetched"} or kernel.wafer):
        raise VerificationError(
            f"{where}: repeats, state and fetched weights take a kernel that runs in order"
        )
    for buffer in kernel.buffers:
        copies = 2 if buffer.role == "fetched" else len(buffer.names)
        if buffer.keys and (steps != [len(buffer.keys)] or buffer.copies != copies):
            raise VerificationError(f"{where}: %{buffer.name} has not one content for every step of a repeat")


def _verify_port(program: Program, kernel: Kernel, instruction: Instruction) -> None:
    op = instruction.op
    assert isinstance(op, (Recv, Send))
    stream = next((s for s in program.streams if s.name == op.stream), None)
    buffer = instruction.result if isinstance(op, Recv) else instruction.operands[0]
    end = None if stream is None else stream.target if isinstance(op, Recv) else stream.source
    if end is None or (end.kernel, end.buffer) != (kernel.name, buffer):
        raise VerificationError(f"kernel '{kernel.name}': no stream {op.stream} for {op.kind} of %{buffer}")


def _verify_regions(program: Program) -> None:
    for k in program.kernels:
        if k.x < 0 or k.y < 0 or k.x + k.width > program.width or k.y + k.height > program.height:
            raise VerificationError(
                f"kernel '{k.name}' leaves the fabric of {program.width} x {program.height} cores"
            )
    for a, b in combinations(program.kernels, 2):
        beside = a.x + a.width <= b.x or b.x + b.width <= a.x or a.wafer != b.wafer
        if not beside and a.y + a.height > b.y and b.y + b.height > a.y:
            raise VerificationError(f"kernels '{a.name}' and '{b.name}' lie on the same cores")


def _verify_ports(program: Program) -> None:
    served = {s.target.buffer for s in program.streams if s.target.kernel == HOST}
    held = [b for k in program.kernels for b in k.buffers if b.role in ("output", "state")]
    served |= {name for b in held for name in (b.after if b.role == "state" else b.names)}
    if missing := [name for name, _ in program.outputs if name not in served]:
        raise VerificationError(f"no stream brings output '{missing[0]}' to the host")


def _verify_order(program: Program) -> None:
    order: TopologicalSorter[str] = TopologicalSorter()
    for stream in program.streams:
        if HOST not in (stream.source.kernel, stream.target.kernel):
            order.add(stream.target.kernel, stream.source.kernel)
    try:
        order.prepare()
    except CycleError as error:
        raise VerificationError(f"kernels wait for each other: {' -> '.join(error.args[1])}") from error
