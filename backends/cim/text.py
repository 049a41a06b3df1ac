"""Text form of crossbar programs; reads back to an equal program.

A matrix is a weight by its key, or `written %name`, an activation that is written into the arrays for every input.

cim program "mlp" version 1 on "isaac" 14x12 chips 1
places 0:0,0 0:1,0
input "x" f32[4,24]
output "y" f32[4,10]
weight %bias "0.bias" f32[1,32]
stage "0" linear chunks 4 copies 1 round 0 passes 1
  product %p : i64[4,32] = contract_int(equation='ak,nk->an', windows=()) %x.int16 : i16[4,24] "0.weight" : i16[32,24]
    matrix 1x24x32 offset weights 16/2 inputs 16/1 twos_complement block 128x16 units 1
    repeat position 1
      repeat phase 16
        drive 24
        convert 128 to 8
        shift_add 8
  %y = elementwise(fn='add', scalars=(None, None)) %p %bias : f32[4,32]
  tile 0 copy 0 blocks 0+2 units 2 loads 48 adds 0 sends 0 to none outputs 32
end
stream s0 host %x : f32[4,24] extent 4 chunks 4x1 to "0" chunks 4x1 span 1,0,1 capacity 2 at 0
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from wsc.backends.cim.program import (
    HOST,
    Convert,
    Drive,
    Loop,
    Piece,
    Port,
    Product,
    Program,
    ShiftAdd,
    Span,
    Stage,
    Step,
    Stream,
)
from wsc.compiler.errors import VerificationError
from wsc.compiler.ir.text import parse_op, print_op
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import IntegerContract

VERSION = 1
_S = r'"(?:[^"\\]|\\.)*"'
_T = r"\w+\[[\d,]*\]"
_HEADER = re.compile(rf"cim program ({_S}) version (\d+) on ({_S}) (\d+)x(\d+) chips (\d+)")
_PORT = re.compile(rf"(input|output) ({_S}) ({_T})")
_WEIGHT = re.compile(rf"weight %(\S+) ({_S}) ({_T})")
_STAGE = re.compile(rf"stage ({_S}) (\w+) chunks (\d+) copies (\d+) round (\d+) passes (\d+)")
_PRODUCT = re.compile(
    rf"  product %(\S+) : ({_T}) = (contract_int\(.*\)) %(\S+) : ({_T}) ({_S}|written %\S+) : ({_T})"
)
_MATRIX = re.compile(
    r"    matrix (\d+)x(\d+)x(\d+) (\w+) weights (\d+)/(\d+) inputs (\d+)/(\d+) (\w+) block (\d+)x(\d+) units (\d+)"
)
_WRITTEN = "written %"
_LOOP = re.compile(r"repeat (\w+) (\d+)")
_STEP = re.compile(rf"  %(\S+) = (\w+\(.*?\))((?: %\S+)*) : ({_T})")
_PIECE = re.compile(
    r"  tile (\d+) copy (\d+) blocks (\d+)\+(\d+) units (\d+) loads (\d+) adds (\d+) sends (\d+) to (none|[\d,-]+) "
    r"outputs (\d+)"
)
_STREAM = re.compile(
    rf"stream (\S+) (host|{_S}) %(\S+) : ({_T}) extent (\d+) chunks (\d+)x(\d+) to (host|{_S}) chunks (\d+)x(\d+) "
    r"span (whole|-?\d+,-?\d+,-?\d+) capacity (\d+) at ([\d,-]+|none)"
)


def print_program(program: Program) -> str:
    """The program's text."""
    p = program
    lines = [
        f"cim program {_q(p.name)} version {VERSION} on {_q(p.machine)} {p.width}x{p.height} chips {p.chips}"
    ]
    lines.append("places" + "".join(f" {chip}:{x},{y}" for chip, x, y in p.places))
    lines += [f"input {_q(port.name)} {port.type}" for port in p.inputs]
    lines += [f"output {_q(port.name)} {port.type}" for port in p.outputs]
    lines += [f"weight %{name} {_q(key)} {type}" for name, key, type in p.weights]
    for stage in p.stages:
        lines += _print_stage(stage)
    lines += [_print_stream(stream) for stream in p.streams]
    return "\n".join(lines) + "\n"


def _q(text: str) -> str:
    return json.dumps(text)


def _print_stage(stage: Stage) -> Iterator[str]:
    yield (
        f"stage {_q(stage.name)} {stage.group} chunks {stage.chunks} copies {stage.copies} "
        f"round {stage.round} passes {stage.passes}"
    )
    if stage.product is not None:
        yield from _print_product(stage.product)
    for step in stage.steps:
        operands = "".join(f" %{name}" for name in step.operands)
        yield f"  %{step.result} = {print_op(step.op)}{operands} : {step.type}"
    for p in stage.pieces:
        yield (
            f"  tile {p.tile} copy {p.copy} blocks {p.first}+{p.count} units {p.units} loads {p.loads} "
            f"adds {p.adds} sends {p.sends} to {_ranges(p.peers)} outputs {p.outputs}"
        )
    yield "end"


def _print_product(p: Product) -> Iterator[str]:
    yield (
        f"  product %{p.result} : {p.type} = {print_op(p.op)} %{p.operand} : {p.operand_type} "
        f"{f'written %{p.weight}' if p.rewritten else _q(p.weight)} : {p.weight_type}"
    )
    yield (
        f"    matrix {p.groups}x{p.rows}x{p.columns} {p.encoding} weights {p.weight_bits}/{p.cell_bits} "
        f"inputs {p.input_bits}/{p.dac_bits} {p.input_encoding} block {p.block_rows}x{p.block_columns} "
        f"units {p.block_units}"
    )
    yield from _print_body(p.loop, 4)


def _print_body(part: Loop | Drive | Convert | ShiftAdd, indent: int) -> Iterator[str]:
    space = " " * indent
    match part:
        case Loop(over, count, body):
            yield f"{space}repeat {over} {count}"
            for inner in body:
                yield from _print_body(inner, indent + 2)
        case Drive(rows):
            yield f"{space}drive {rows}"
        case Convert(columns, bits):
            yield f"{space}convert {columns} to {bits}"
        case ShiftAdd(slices):
            yield f"{space}shift_add {slices}"


def _print_stream(s: Stream) -> str:
    source, target = (HOST if name == HOST else _q(name) for name in (s.source, s.target))
    span = "whole" if s.span is None else f"{s.span.stride},{s.span.lo},{s.span.taps}"
    return (
        f"stream {s.name} {source} %{s.tensor} : {s.type} extent {s.extent} chunks {s.source_chunks}x{s.source_rows} "
        f"to {target} chunks {s.target_chunks}x{s.target_rows} span {span} capacity {s.capacity} at {_ranges(s.homes)}"
    )


def _ranges(tiles: tuple[int, ...]) -> str:
    """Tiles with runs written as first-last; "none" for none."""
    runs: list[list[int]] = []
    for tile in tiles:
        if runs and runs[-1][1] + 1 == tile:
            runs[-1][1] = tile
        else:
            runs.append([tile, tile])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs) or "none"


def parse_program(text: str) -> Program:
    """Read back what `print_program` printed; raises VerificationError with the line number."""
    reader = _Reader(text)
    try:
        return reader.program()
    except (ValueError, VerificationError, StopIteration, IndexError) as error:
        raise VerificationError(f"line {reader.line}: {error}") from error


class _Reader:
    """Lines of a program, one after another."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.line = 0

    def peek(self) -> str:
        return self.lines[self.line] if self.line < len(self.lines) else ""

    def take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        line = self.peek()
        self.line += 1
        match = pattern.fullmatch(line)
        if match is None:
            raise VerificationError(f"not understood: {line!r}")
        return match

    def all(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        while pattern.fullmatch(self.peek()):
            yield self.take(pattern)

    def program(self) -> Program:
        name, version, machine, width, height, chips = self.take(_HEADER).groups()
        if int(version) != VERSION:
            raise VerificationError(f"a program of version {version}, this wsc reads version {VERSION}")
        places = self.take(re.compile(r"places((?: \d+:\d+,\d+)*)"))[1].split()
        ports = [(m[1], Port(json.loads(m[2]), TensorType.parse(m[3]))) for m in self.all(_PORT)]
        weights = [(m[1], str(json.loads(m[2])), TensorType.parse(m[3])) for m in self.all(_WEIGHT)]
        stages = []
        while self.peek().startswith("stage"):
            stages.append(self.stage())
        streams = [self.stream(m) for m in self.all(_STREAM)]
        if self.line < len(self.lines):
            raise VerificationError(f"not understood: {self.peek()!r}")
        return Program(
            name=json.loads(name),
            machine=json.loads(machine),
            width=int(width),
            height=int(height),
            chips=int(chips),
            places=tuple(_place(place) for place in places),
            inputs=tuple(port for kind, port in ports if kind == "input"),
            outputs=tuple(port for kind, port in ports if kind == "output"),
            weights=tuple(weights),
            stages=tuple(stages),
            streams=tuple(streams),
        )

    def stage(self) -> Stage:
        name, group, *counts = self.take(_STAGE).groups()
        chunks, copies, number, passes = map(int, counts)
        product = self.product() if self.peek().startswith("  product") else None
        steps = []
        for m in self.all(_STEP):
            operands = tuple(operand[1:] for operand in m[3].split())
            steps.append(Step(m[1], TensorType.parse(m[4]), parse_op(m[2]), operands))
        pieces = tuple(
            Piece(*map(int, m.groups()[:8]), tuple(_tiles(m[9])), int(m[10]))  # type: ignore[call-arg, arg-type]
            for m in self.all(_PIECE)
        )
        self.take(re.compile("end"))
        return Stage(json.loads(name), group, chunks, copies, number, passes, product, tuple(steps), pieces)

    def product(self) -> Product:
        result, type, op, operand, operand_type, weight, weight_type = self.take(_PRODUCT).groups()
        written = weight.startswith(_WRITTEN)
        m = self.take(_MATRIX)
        contract = parse_op(op)
        if not isinstance(contract, IntegerContract):
            raise VerificationError(f"no contraction of integers: {op}")
        return Product(
            result, TensorType.parse(type), contract, operand, TensorType.parse(operand_type),
            weight.removeprefix(_WRITTEN) if written else str(json.loads(weight)),
            TensorType.parse(weight_type), written,
            int(m[1]), int(m[2]), int(m[3]), m[4], int(m[5]), int(m[6]), m[9], int(m[7]), int(m[8]),
            int(m[10]), int(m[11]), int(m[12]), self.loop(4),
        )  # fmt: skip

    def loop(self, indent: int) -> Loop:
        match = _LOOP.fullmatch(self.peek()[indent:])
        if match is None or self.peek()[:indent].strip():
            raise VerificationError(f"expected a loop: {self.peek()!r}")
        self.line += 1
        body: list[Loop | Drive | Convert | ShiftAdd] = []
        while self.peek().startswith(" " * (indent + 2)):
            body.append(self.part(indent + 2))
        return Loop(match[1], int(match[2]), tuple(body))

    def part(self, indent: int) -> Loop | Drive | Convert | ShiftAdd:
        words = self.peek()[indent:].split(" ")
        if words[0] == "repeat":
            return self.loop(indent)
        self.line += 1
        match words:
            case ["drive", rows]:
                return Drive(int(rows))
            case ["convert", columns, "to", bits]:
                return Convert(int(columns), int(bits))
            case ["shift_add", slices]:
                return ShiftAdd(int(slices))
        raise VerificationError(f"no instruction of a product: {' '.join(words)!r}")

    def stream(self, m: re.Match[str]) -> Stream:
        span = None if m[11] == "whole" else Span(*map(int, m[11].split(",")))
        source, target = (HOST if name == HOST else str(json.loads(name)) for name in (m[2], m[8]))
        return Stream(
            m[1], source, target, m[3], TensorType.parse(m[4]), int(m[5]), int(m[7]), int(m[6]),
            int(m[10]), int(m[9]), span, int(m[12]), tuple(_tiles(m[13])),
        )  # fmt: skip


def _place(text: str) -> tuple[int, int, int]:
    chip, _, rest = text.partition(":")
    x, _, y = rest.partition(",")
    return int(chip), int(x), int(y)


def _tiles(text: str) -> Iterator[int]:
    if text == "none":
        return
    for run in text.split(","):
        first, _, last = run.partition("-")
        yield from range(int(first), int(last or first) + 1)
