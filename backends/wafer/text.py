"""Text form of wafer programs; reads back to an equal program.

wafer program "mlp" version 1 on "wafer-16x16" 16x16
input "x" f32[4,8]
output "y" f32[4,8]
kernel "fc1" linear at 0,0 mesh k=4y n=4x chunks 2 code 640 in "mlp.py:9 (in fc1)"
  buffer %x f32[2,8] [.,k:2] at n stream x2 @0
  buffer %w f32[16,8] [n:4,k:2] weight "fc1.weight" @16
  %x2 = multicast(axes=('n',)) %x
  repeat
  %y = loop(steps=4) %x2
    %y = multiply_add(equation='ak,kn->an') %x2 %w
  done
end
stream s0 from host %x f32[4,8] chunks 1/0 to "fc1" %x f32[4,8] chunks 2/0 capacity 2 route yx 0,0>0,0
"""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace

from wsc.backends.wafer.instructions import MOVES, Move
from wsc.backends.wafer.program import (
    KEYED,
    Buffer,
    Endpoint,
    Instruction,
    Kernel,
    Loop,
    Program,
    Repeat,
    Stream,
)
from wsc.compiler.errors import VerificationError
from wsc.compiler.ir.lines import STRING, TYPE, Lines, check_version, matched, parse_call, parse_port
from wsc.compiler.ir.text import literal, parse_op, print_op
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Layout, Mesh
from wsc.compiler.ops.base import Op

VERSION = 1
_HEADER = re.compile(rf"wafer program ({STRING}) version (\d+) on ({STRING}) (\d+)x(\d+)")
_KERNEL = re.compile(
    rf"kernel ({STRING}) (\S+) at (\d+),(\d+) mesh (.+) chunks (\d+)( in order)?(?: wafer (\d+))?"
    rf" code (\d+) in ({STRING})"
)
_BUFFER = re.compile(
    rf"  buffer %(\S+) ({TYPE}) (\[[^\]]*\](?: at \S+)?(?: partial \S+)?) ((?:{'|'.join(KEYED)}) (?:{STRING}|\[.*?\])"
    r"(?: after \[.*?\])?|stream|local)"
    r"(?: x(\d+))?(?: by (\d+))? @(\d+)"
)
_INSTRUCTION = re.compile(r"(?:%(\S+) = )?((\w+)\((.*)\))((?: %\S+)*)")
_REPEAT = re.compile(r"repeat\(steps=(?P<steps>\d+)\)")
_LOOP = re.compile(r"%(\S+) = loop\(steps=(?P<steps>\d+)\)((?: %\S+)*)")
_END = rf"(host|{STRING}) %(\S+) ({TYPE}) chunks (\d+)/(\d+)"
_STREAM = re.compile(
    rf"stream (\S+) from {_END} to {_END} capacity (\d+) route (xy|yx) (\d+),(\d+)>(\d+),(\d+)(?: via (.+))?"
)


def print_program(program: Program) -> str:
    """The program's text."""
    lines = [
        f"wafer program {json.dumps(program.name)} version {VERSION}"
        f" on {json.dumps(program.machine)} {program.width}x{program.height}"
    ]
    lines += [f"input {json.dumps(name)} {type}" for name, type in program.inputs]
    lines += [f"output {json.dumps(name)} {type}" for name, type in program.outputs]
    for kernel in program.kernels:
        lines += _print_kernel(kernel)
    lines += [_print_stream(stream) for stream in program.streams]
    return "\n".join(lines) + "\n"


def _print_kernel(kernel: Kernel) -> list[str]:
    head = (
        f"kernel {json.dumps(kernel.name)} {kernel.group} at {kernel.x},{kernel.y} mesh {kernel.mesh}"
        f" chunks {kernel.chunks}{' in order' if kernel.in_order else ''}"
        f"{f' wafer {kernel.wafer}' if kernel.wafer else ''}"
        f" code {kernel.code_bytes} in {json.dumps(kernel.location)}"
    )
    once = [line for i in kernel.once for line in _print_instruction(i)]
    body = [line for i in kernel.body for line in _print_instruction(i)]
    return [head, *map(_print_buffer, kernel.buffers), *once, "  repeat", *body, "end"]


def _print_buffer(buffer: Buffer) -> str:
    role = f"{buffer.role} {json.dumps(buffer.keys or buffer.key)}" if buffer.role in KEYED else buffer.role
    role += f" after {json.dumps(buffer.after)}" if buffer.after else ""
    copies = f" x{buffer.copies}" if buffer.copies > 1 else ""
    chunked = f" by {buffer.chunk_dim}" if buffer.chunk_dim >= 0 else ""
    return f"  buffer %{buffer.name} {buffer.type} {buffer.layout} {role}{copies}{chunked} @{buffer.address}"


def _print_instruction(instruction: Instruction) -> list[str]:
    head = f"  {print_instruction(instruction)}"
    if not isinstance(instruction.op, (Loop, Repeat)):
        return [head]
    inner = (line for i in instruction.op.body for line in _print_instruction(i))
    return [head, *(f"  {line}" for line in inner), "  done"]


def print_instruction(instruction: Instruction) -> str:
    """One line of text; of a loop, its head."""
    result = f"%{instruction.result} = " if instruction.result else ""
    return f"{result}{_print_any(instruction.op)}" + "".join(f" %{name}" for name in instruction.operands)


def _print_any(op: Op | Move | Loop | Repeat) -> str:
    if isinstance(op, Op):
        return print_op(op)
    if isinstance(op, (Loop, Repeat)):
        return f"{op.kind}(steps={op.steps})"
    given = {f.name: getattr(op, f.name) for f in fields(op)}
    return f"{op.kind}({', '.join(f'{k}={literal(v)}' for k, v in given.items() if v is not None)})"


def _print_end(end: Endpoint) -> str:
    kernel = end.kernel if end.kernel == "host" else json.dumps(end.kernel)
    return f"{kernel} %{end.buffer} {end.type} chunks {end.chunks}/{end.dim}"


def _print_stream(stream: Stream) -> str:
    (a, b), (c, d) = stream.source.at, stream.target.at
    views = f" via {'; '.join(map(print_op, stream.views))}" if stream.views else ""
    return (
        f"stream {stream.name} from {_print_end(stream.source)} to {_print_end(stream.target)}"
        f" capacity {stream.capacity} route {stream.route} {a},{b}>{c},{d}{views}"
    )


def parse_program(text: str) -> Program:
    """Read back what `print_program` printed; raises VerificationError with the line number."""
    lines = Lines(text)
    names, size = lines.take(_parse_header)
    ports: dict[str, list[tuple[str, TensorType]]] = {"input": [], "output": []}
    kernels: list[Kernel] = []
    streams: list[Stream] = []
    while lines.more():
        if lines.starts("kernel"):
            kernels.append(_parse_kernel(lines))
        elif lines.starts("stream"):
            streams.append(lines.take(_parse_stream))
        else:
            kind, port = lines.take(parse_port)
            ports[kind].append(port)
    return Program(
        *names, *size, tuple(ports["input"]), tuple(ports["output"]), tuple(kernels), tuple(streams)
    )


def _parse_header(line: str) -> tuple[tuple[str, str], tuple[int, int]]:
    m = matched(_HEADER, line)
    check_version(m[2], VERSION)
    return (json.loads(m[1]), json.loads(m[3])), (int(m[4]), int(m[5]))


def _parse_kernel(lines: Lines) -> Kernel:
    """A kernel from its first line and those that follow up to its end."""
    kernel, head = lines.take(_parse_head), lines.at
    buffers: list[Buffer] = []
    sections: list[list[Instruction]] = [[]]
    while lines.more() and lines.line != "end":
        if lines.line == "  repeat":
            lines.at += 1
            sections.append([])
        elif lines.starts("  buffer "):
            buffers.append(lines.take(_parse_buffer))
        else:
            sections[-1].append(_parse_any_instruction(lines, "  "))
    if not lines.more():
        raise VerificationError(f"program, line {head}: kernel '{kernel.name}' has no end")
    lines.at += 1
    if len(sections) != 2:
        raise VerificationError(f"program, line {head}: kernel '{kernel.name}' needs one 'repeat'")
    return replace(kernel, buffers=tuple(buffers), once=tuple(sections[0]), body=tuple(sections[1]))


def _parse_head(line: str) -> Kernel:
    m = matched(_KERNEL, line)
    name, location = json.loads(m[1]), json.loads(m[10])
    kernel = Kernel(
        name, m[2], int(m[3]), int(m[4]), Mesh.parse(m[5]), (), (), int(m[6]), (), int(m[9]), location
    )
    return replace(kernel, in_order=m[7] is not None, wafer=int(m[8] or 0))


def _parse_buffer(line: str) -> Buffer:
    m = matched(_BUFFER, line)
    role, _, names = m[4].partition(" ")
    key, after = (json.loads(text or '""') for text in (names.split(" after ") + [""])[:2])
    keys = tuple(key) if isinstance(key, list) else ()
    copies, by = int(m[5] or 1), int(m[6]) if m[6] else -1
    buffer = Buffer(m[1], TensorType.parse(m[2]), Layout.parse(m[3]), role, "" if keys else key, copies, by)
    return replace(buffer, address=int(m[7]), keys=keys, after=tuple(after))


def _parse_instruction(line: str, indent: str) -> Instruction:
    m = matched(_INSTRUCTION, line.removeprefix(indent))
    operands = tuple(name[1:] for name in m[5].split())
    return Instruction(_parse_any(m[2], m[3], m[4]), operands, m[1] or "")


def _parse_any_instruction(lines: Lines, indent: str) -> Instruction:
    """An instruction, indented so, and of a loop or a repeat the lines that follow up to its end."""
    head = lines.line.removeprefix(indent)
    if not (block := _LOOP.fullmatch(head) or _REPEAT.fullmatch(head)):
        return lines.take(lambda line: _parse_instruction(line, indent))
    lines.at += 1
    body = _parse_block(lines, indent)
    steps = int(block["steps"])
    if block.re is _REPEAT:
        return Instruction(Repeat(steps, body))
    return Instruction(Loop(steps, body), tuple(name[1:] for name in block[3].split()), block[1])


def _parse_block(lines: Lines, indent: str) -> tuple[Instruction, ...]:
    """The instructions up to the line that ends a loop."""
    head = lines.at
    body: list[Instruction] = []
    while lines.more() and lines.line != f"{indent}done":
        body.append(_parse_any_instruction(lines, indent + "  "))
    if not lines.more():
        raise VerificationError(f"program, line {head}: the loop has no 'done'")
    lines.at += 1
    return tuple(body)


def _parse_any(text: str, kind: str, attributes: str) -> Op | Move:
    if kind not in MOVES:
        return parse_op(text)
    try:
        return MOVES[kind](**parse_call(text)[1])
    except (SyntaxError, TypeError, ValueError):
        raise ValueError(f"not an instruction: {text!r}") from None


def _parse_end(groups: tuple[str, ...], at: tuple[int, int]) -> Endpoint:
    kernel, buffer, type, chunks, dim = groups
    name = kernel if kernel == "host" else json.loads(kernel)
    return Endpoint(name, buffer, TensorType.parse(type), int(chunks), int(dim), at)


def _parse_stream(line: str) -> Stream:
    m = matched(_STREAM, line)
    g = m.groups()
    source = _parse_end(g[1:6], (int(g[13]), int(g[14])))
    target = _parse_end(g[6:11], (int(g[15]), int(g[16])))
    views = tuple(parse_op(text) for text in g[17].split("; ")) if g[17] else ()
    return Stream(g[0], source, target, views, int(g[11]), g[12])
