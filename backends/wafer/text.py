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

import ast
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import TypeVar

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
from wsc.compiler.ir.text import literal, parse_op, print_op
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Layout, Mesh
from wsc.compiler.ops.base import Op

VERSION = 1
T = TypeVar("T")
_Line = tuple[int, str]  # number and text
_STRING = r'"(?:[^"\\]|\\.)*"'
_TYPE = r"\w+\[[\d,]*\]"
_HEADER = re.compile(rf"wafer program ({_STRING}) version (\d+) on ({_STRING}) (\d+)x(\d+)")
_PORT = re.compile(rf"(input|output) ({_STRING}) ({_TYPE})")
_KERNEL = re.compile(
    rf"kernel ({_STRING}) (\S+) at (\d+),(\d+) mesh (.+) chunks (\d+)( in order)?(?: wafer (\d+))?"
    rf" code (\d+) in ({_STRING})"
)
_BUFFER = re.compile(
    rf"  buffer %(\S+) ({_TYPE}) (\[[^\]]*\](?: at \S+)?(?: partial \S+)?) ((?:{'|'.join(KEYED)}) (?:{_STRING}|\[.*?\])"
    r"(?: after \[.*?\])?|stream|local)"
    r"(?: x(\d+))?(?: by (\d+))? @(\d+)"
)
_INSTRUCTION = re.compile(r"  (?:%(\S+) = )?((\w+)\((.*)\))((?: %\S+)*)")
_REPEAT = re.compile(r"  repeat\(steps=(\d+)\)")
_LOOP = re.compile(r"  %(\S+) = loop\(steps=(\d+)\)((?: %\S+)*)")
_END = rf"(host|{_STRING}) %(\S+) ({_TYPE}) chunks (\d+)/(\d+)"
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
    lines = enumerate(text.rstrip("\n").split("\n"), start=1)
    names, size = _located(_parse_header, next(lines))
    ports: dict[str, list[tuple[str, TensorType]]] = {"input": [], "output": []}
    kernels: list[Kernel] = []
    streams: list[Stream] = []
    for line in lines:
        if line[1].startswith("kernel"):
            kernels.append(_parse_kernel(line, lines))
        elif line[1].startswith("stream"):
            streams.append(_located(_parse_stream, line))
        else:
            kind, port = _located(_parse_port, line)
            ports[kind].append(port)
    return Program(
        *names, *size, tuple(ports["input"]), tuple(ports["output"]), tuple(kernels), tuple(streams)
    )


def _located(parse: Callable[[str], T], line: _Line) -> T:
    number, text = line
    try:
        return parse(text)
    except (ValueError, KeyError, VerificationError) as error:
        raise VerificationError(f"program, line {number}: {error}") from error


def _match(pattern: re.Pattern[str], line: str) -> re.Match[str]:
    found = pattern.fullmatch(line)
    if found is None:
        raise ValueError(f"cannot read {line!r}")
    return found


def _parse_header(line: str) -> tuple[tuple[str, str], tuple[int, int]]:
    m = _match(_HEADER, line)
    if int(m[2]) != VERSION:
        raise ValueError(f"version {m[2]}, this wsc reads version {VERSION}")
    return (json.loads(m[1]), json.loads(m[3])), (int(m[4]), int(m[5]))


def _parse_port(line: str) -> tuple[str, tuple[str, TensorType]]:
    m = _match(_PORT, line)
    return m[1], (json.loads(m[2]), TensorType.parse(m[3]))


def _parse_kernel(head: _Line, rest: Iterator[_Line]) -> Kernel:
    """A kernel from its first line and those that follow up to its end."""
    kernel = _located(_parse_head, head)
    buffers: list[Buffer] = []
    sections: list[list[Instruction]] = [[]]
    for line in rest:
        if line[1] == "end":
            break
        if line[1] == "  repeat":
            sections.append([])
        elif line[1].startswith("  buffer "):
            buffers.append(_located(_parse_buffer, line))
        else:
            sections[-1].append(_parse_any_instruction(line, rest))
    else:
        raise VerificationError(f"program, line {head[0]}: kernel '{kernel.name}' has no end")
    if len(sections) != 2:
        raise VerificationError(f"program, line {head[0]}: kernel '{kernel.name}' needs one 'repeat'")
    return replace(kernel, buffers=tuple(buffers), once=tuple(sections[0]), body=tuple(sections[1]))


def _parse_head(line: str) -> Kernel:
    m = _match(_KERNEL, line)
    name, location = json.loads(m[1]), json.loads(m[10])
    kernel = Kernel(
        name, m[2], int(m[3]), int(m[4]), Mesh.parse(m[5]), (), (), int(m[6]), (), int(m[9]), location
    )
    return replace(kernel, in_order=m[7] is not None, wafer=int(m[8] or 0))


def _parse_buffer(line: str) -> Buffer:
    m = _match(_BUFFER, line)
    role, _, names = m[4].partition(" ")
    key, after = (json.loads(text or '""') for text in (names.split(" after ") + [""])[:2])
    keys = tuple(key) if isinstance(key, list) else ()
    copies, by = int(m[5] or 1), int(m[6]) if m[6] else -1
    buffer = Buffer(m[1], TensorType.parse(m[2]), Layout.parse(m[3]), role, "" if keys else key, copies, by)
    return replace(buffer, address=int(m[7]), keys=keys, after=tuple(after))


def _parse_instruction(line: str) -> Instruction:
    m = _match(_INSTRUCTION, line)
    operands = tuple(name[1:] for name in m[5].split())
    return Instruction(_parse_any(m[2], m[3], m[4]), operands, m[1] or "")


def _parse_any_instruction(line: _Line, rest: Iterator[_Line]) -> Instruction:
    """An instruction from its first line and, of a loop or a repeat, those that follow up to its end."""
    if loop := _LOOP.fullmatch(line[1]):
        operands = tuple(name[1:] for name in loop[3].split())
        body = _parse_block(line, rest)
        return Instruction(_located(lambda _: Loop(int(loop[2]), body), line), operands, loop[1])
    if repeat := _REPEAT.fullmatch(line[1]):
        body = _parse_block(line, rest)
        return Instruction(_located(lambda _: Repeat(int(repeat[1]), body), line))
    return _located(_parse_instruction, line)


def _parse_block(head: _Line, rest: Iterator[_Line]) -> tuple[Instruction, ...]:
    """The instructions up to the line that ends a loop."""
    body: list[Instruction] = []
    inner = ((number, text.removeprefix("  ")) for number, text in rest)
    for line in inner:
        if line[1] == "done":
            return tuple(body)
        body.append(_parse_any_instruction(line, inner))
    raise VerificationError(f"program, line {head[0]}: the loop has no 'done'")


def _parse_any(text: str, kind: str, attributes: str) -> Op | Move:
    if kind not in MOVES:
        return parse_op(text)
    try:
        call = ast.parse(f"f({attributes})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError
        return MOVES[kind](**{str(k.arg): ast.literal_eval(k.value) for k in call.keywords})
    except (SyntaxError, TypeError, ValueError):
        raise ValueError(f"not an instruction: {text!r}") from None


def _parse_end(groups: tuple[str, ...], at: tuple[int, int]) -> Endpoint:
    kernel, buffer, type, chunks, dim = groups
    name = kernel if kernel == "host" else json.loads(kernel)
    return Endpoint(name, buffer, TensorType.parse(type), int(chunks), int(dim), at)


def _parse_stream(line: str) -> Stream:
    m = _match(_STREAM, line)
    g = m.groups()
    source = _parse_end(g[1:6], (int(g[13]), int(g[14])))
    target = _parse_end(g[6:11], (int(g[15]), int(g[16])))
    views = tuple(parse_op(text) for text in g[17].split("; ")) if g[17] else ()
    return Stream(g[0], source, target, views, int(g[11]), g[12])
