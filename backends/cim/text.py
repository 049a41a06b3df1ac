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
from collections.abc import Callable, Iterator
from typing import TypeVar

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
from wsc.compiler.ir.lines import STRING, TYPE, Lines, check_version, matched, parse_port
from wsc.compiler.ir.text import parse_op, print_op
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops import IntegerContract

VERSION = 1
T = TypeVar("T")
_HEADER = re.compile(rf"cim program ({STRING}) version (\d+) on ({STRING}) (\d+)x(\d+) chips (\d+)")
_PLACES = re.compile(r"places((?: \d+:\d+,\d+)*)")
_END = re.compile("end")
_WEIGHT = re.compile(rf"weight %(\S+) ({STRING}) ({TYPE})")
_STAGE = re.compile(rf"stage ({STRING}) (\w+) chunks (\d+) copies (\d+) round (\d+) passes (\d+)")
_PRODUCT = re.compile(
    rf"  product %(\S+) : ({TYPE}) = (contract_int\(.*\)) %(\S+) : ({TYPE}) ({STRING}|written %\S+) : ({TYPE})"
)
_MATRIX = re.compile(
    r"    matrix (\d+)x(\d+)x(\d+)(?: packed (\d+))? (\w+) weights (\d+)/(\d+) inputs (\d+)/(\d+) (\w+) "
    r"block (\d+)x(\d+) units (\d+)"
)
_WRITTEN = "written %"
_LOOP = re.compile(r"repeat (\w+) (\d+)")
_STEP = re.compile(rf"  %(\S+) = (\w+\(.*?\))((?: %\S+)*) : ({TYPE})")
_PIECE = re.compile(
    r"  tile (\d+) copy (\d+) blocks (\d+)\+(\d+) units (\d+) loads (\d+) adds (\d+) sends (\d+) to (none|[\d,-]+) "
    r"outputs (\d+)"
)
_STREAM = re.compile(
    rf"stream (\S+) (host|{STRING}) %(\S+) : ({TYPE}) extent (\d+) chunks (\d+)x(\d+) "
    rf"to (host|{STRING}) chunks (\d+)x(\d+) "
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
    packed = f" packed {p.packed}" if p.packed > 1 else ""
    yield (
        f"    matrix {p.groups}x{p.rows}x{p.columns}{packed} {p.encoding} weights {p.weight_bits}/{p.cell_bits} "
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
    return _Reader(text).program()


class _Reader(Lines):
    """Parts of a program; indentation tells the loops apart."""

    def all(self, pattern: re.Pattern[str], parse: Callable[[re.Match[str]], T]) -> tuple[T, ...]:
        """The lines that match, up to one that does not, each parsed."""
        found = []
        while self.more() and pattern.fullmatch(self.line):
            found.append(self.take(lambda line: parse(matched(pattern, line))))
        return tuple(found)

    def program(self) -> Program:
        name, machine, width, height, chips = self.take(_parse_header)
        places = self.match(_PLACES)[1].split()
        ports = []
        while self.starts("input", "output"):
            ports.append(self.take(parse_port))
        weights = self.all(_WEIGHT, lambda m: (m[1], str(json.loads(m[2])), TensorType.parse(m[3])))
        stages = []
        while self.starts("stage"):
            stages.append(self.stage())
        streams = self.all(_STREAM, _parse_stream)
        if self.more():
            self.match(_STREAM)
        return Program(
            name=name,
            machine=machine,
            width=width,
            height=height,
            chips=chips,
            places=tuple(_place(place) for place in places),
            inputs=tuple(Port(*port) for kind, port in ports if kind == "input"),
            outputs=tuple(Port(*port) for kind, port in ports if kind == "output"),
            weights=weights,
            stages=tuple(stages),
            streams=streams,
        )

    def stage(self) -> Stage:
        name, group, *counts = self.match(_STAGE).groups()
        chunks, copies, number, passes = map(int, counts)
        product = self.product() if self.starts("  product") else None
        steps, pieces = self.all(_STEP, _parse_step), self.all(_PIECE, _parse_piece)
        self.match(_END)
        return Stage(json.loads(name), group, chunks, copies, number, passes, product, steps, pieces)

    def product(self) -> Product:
        (result, type, operand, operand_type, weight, weight_type), op, written = self.take(_parse_product)
        m = self.match(_MATRIX)
        return Product(
            result, type, op, operand, operand_type, weight, weight_type, written,
            int(m[4] or 1), int(m[1]), int(m[2]), int(m[3]), m[5], int(m[6]), int(m[7]), m[10], int(m[8]), int(m[9]),
            int(m[11]), int(m[12]), int(m[13]), self.loop(4),
        )  # fmt: skip

    def loop(self, indent: int) -> Loop:
        over, count = self.take(lambda line: _parse_loop(line, indent))
        body: list[Loop | Drive | Convert | ShiftAdd] = []
        while self.starts(" " * (indent + 2)):
            body.append(self.part(indent + 2))
        return Loop(over, count, tuple(body))

    def part(self, indent: int) -> Loop | Drive | Convert | ShiftAdd:
        if self.starts(" " * indent + "repeat "):
            return self.loop(indent)
        return self.take(lambda line: _parse_part(line[indent:]))


def _parse_header(line: str) -> tuple[str, str, int, int, int]:
    m = matched(_HEADER, line)
    check_version(m[2], VERSION)
    return json.loads(m[1]), json.loads(m[3]), int(m[4]), int(m[5]), int(m[6])


def _parse_step(m: re.Match[str]) -> Step:
    return Step(m[1], TensorType.parse(m[4]), parse_op(m[2]), tuple(name[1:] for name in m[3].split()))


def _parse_piece(m: re.Match[str]) -> Piece:
    return Piece(*map(int, m.groups()[:8]), tuple(_tiles(m[9])), int(m[10]))  # type: ignore[call-arg, arg-type]


def _parse_product(
    line: str,
) -> tuple[tuple[str, TensorType, str, TensorType, str, TensorType], IntegerContract, bool]:
    result, type, op, operand, operand_type, weight, weight_type = matched(_PRODUCT, line).groups()
    contract = parse_op(op)
    if not isinstance(contract, IntegerContract):
        raise ValueError(f"no contraction of integers: {op}")
    types = [TensorType.parse(text) for text in (type, operand_type, weight_type)]
    written = weight.startswith(_WRITTEN)
    matrix = weight.removeprefix(_WRITTEN) if written else str(json.loads(weight))
    return (result, types[0], operand, types[1], matrix, types[2]), contract, written


def _parse_loop(line: str, indent: int) -> tuple[str, int]:
    m = _LOOP.fullmatch(line[indent:])
    if m is None or line[:indent].strip():
        raise ValueError(f"expected a loop: {line!r}")
    return m[1], int(m[2])


def _parse_part(line: str) -> Drive | Convert | ShiftAdd:
    match line.split(" "):
        case ["drive", rows]:
            return Drive(int(rows))
        case ["convert", columns, "to", bits]:
            return Convert(int(columns), int(bits))
        case ["shift_add", slices]:
            return ShiftAdd(int(slices))
    raise ValueError(f"no instruction of a product: {line!r}")


def _parse_stream(m: re.Match[str]) -> Stream:
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
