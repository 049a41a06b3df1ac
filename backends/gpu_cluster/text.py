"""Text form of programs; reads back to an equal program.

gpu program "mlp" version 1 on "h100x8" runs 1 graphs
mesh replica=1 stage=1 tensor=8
input "x" f32[4,8]
output "y" f32[4,8]
block "layer forward"
  gemm(m=4096, n=1024, k=8192, label='attention.query')
end
ranks stage=0
  buffer %x f32[4,8] [.,.] input 0
  buffer %w f32[16,8] [tensor:2,.] weight "fc.weight" via permute(order=(1, 0))
  alloc(name='weights', bytes=128)
  repeat(times=4)
    call(block='layer forward', times=2)
  done
  gemm(m=4, n=2, k=8, precision='fp32', label='fc')
    %y = contract(equation='ak,nk->an', windows=()) %x %w
  output 0 %y
end
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, get_args

from wsc.backends.gpu_cluster.instructions import (
    Alloc,
    Call,
    Communicate,
    Free,
    Host,
    Instruction,
    Keep,
    Launch,
    Recv,
    Repeat,
    Send,
    Step,
    Wait,
)
from wsc.backends.gpu_cluster.kernels import (
    Attention,
    CollectiveKind,
    Gemm,
    Kernel,
    Pointwise,
    Precision,
    Quantize,
)
from wsc.backends.gpu_cluster.program import Block, Buffer, Program, RankClass, rank_mesh
from wsc.compiler.ir.lines import STRING, TYPE, Lines, check_version, matched, parse_call, parse_port
from wsc.compiler.ir.text import literal, parse_op, print_op
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Layout, Mesh

VERSION = 1
_HEADER = re.compile(rf"gpu program ({STRING}) version (\d+) on ({STRING}) runs (\d+) (graphs|eager)")
_BLOCK = re.compile(rf"block ({STRING})")
_RANKS = re.compile(r"ranks((?: \w+=\d+)*)")
_BUFFER = re.compile(
    rf"buffer %(\S+) ({TYPE}) (\[.*\](?: at \S+)?(?: partial \S+)?) (local|(?:weight|input) {STRING})(?: via (.+))?"
)
_OUTPUT = re.compile(r"output (\d+) %(\S+)")
_STEP = re.compile(r"%(\S+) = (\w+\(.*\))((?: %\S+)*)")
_KERNELS: Mapping[str, type[Kernel]] = {
    "gemm": Gemm,
    "attention": Attention,
    "pointwise": Pointwise,
    "quantize": Quantize,
}
_KERNEL_NAMES = {kind: name for name, kind in _KERNELS.items()}
_PLAIN = {kind.kind: kind for kind in (Send, Recv, Alloc, Free, Keep, Wait, Host, Call)}
_COLLECTIVES = get_args(CollectiveKind)
_LAST = ("stream", "event", "after")


def print_program(program: Program) -> str:
    """The program's text."""
    lines = [
        f"gpu program {json.dumps(program.name)} version {VERSION} on {json.dumps(program.machine)}"
        f" runs {program.runs} {'graphs' if program.graphs else 'eager'}",
        "mesh " + " ".join(f"{a.name}={a.parts}" for a in program.mesh.axes),
    ]
    lines += [f"input {json.dumps(name)} {type}" for name, type in program.inputs]
    lines += [f"output {json.dumps(name)} {type}" for name, type in program.outputs]
    for block in program.blocks:
        lines += [f"block {json.dumps(block.name)}", *_print_body(block.body, 1), "end"]
    for ranks in program.classes:
        lines += _print_class(ranks)
    return "\n".join(lines) + "\n"


def _print_class(ranks: RankClass) -> list[str]:
    head = f"ranks{ranks.place}"
    outputs = [f"  output {number} %{name}" for number, name in ranks.outputs]
    return [head, *map(_print_buffer, ranks.buffers), *_print_body(ranks.body, 1), *outputs, "end"]


def _print_buffer(buffer: Buffer) -> str:
    role = buffer.role if buffer.role == "local" else f"{buffer.role} {json.dumps(buffer.key)}"
    views = f" via {'; '.join(map(print_op, buffer.views))}" if buffer.views else ""
    return f"  buffer %{buffer.name} {buffer.type} {buffer.layout} {role}{views}"


def _print_body(body: tuple[Instruction, ...], depth: int) -> list[str]:
    return [line for instruction in body for line in _print_instruction(instruction, depth)]


def _print_instruction(instruction: Instruction, depth: int) -> list[str]:
    indent = "  " * depth
    if isinstance(instruction, Repeat):
        inner = _print_body(instruction.body, depth + 1)
        return [f"{indent}repeat(times={instruction.times})", *inner, f"{indent}done"]
    if isinstance(instruction, Launch):
        name = _KERNEL_NAMES[type(instruction.kernel)]
        given = {**_given(instruction.kernel), **_given(instruction, leave=("kernel", "steps"))}
        steps = [f"{indent}  {_print_step(step)}" for step in instruction.steps]
        return [f"{indent}{_call(name, given)}", *steps]
    given = _given(instruction, leave=("kind",) if isinstance(instruction, Communicate) else ())
    return [f"{indent}{_call(instruction.kind, given)}"]


def print_instruction(instruction: Instruction) -> str:
    """The first line of an instruction's text."""
    return _print_instruction(instruction, 0)[0]


def _given(record: Any, leave: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a record that differ from their defaults; the stream and what it waits for come last."""
    own = sorted(fields(record), key=lambda f: _LAST.index(f.name) if f.name in _LAST else -1)
    values = {f.name: (getattr(record, f.name), f.default) for f in own if f.name not in leave}
    kept = {
        name: value for name, (value, default) in values.items() if default is MISSING or value != default
    }
    return {name: value.value if isinstance(value, Precision) else value for name, value in kept.items()}


def _call(name: str, given: Mapping[str, Any]) -> str:
    return f"{name}({', '.join(f'{key}={literal(value)}' for key, value in given.items())})"


def _print_step(step: Step) -> str:
    return f"%{step.result} = {print_op(step.op)}" + "".join(f" %{name}" for name in step.operands)


def parse_program(text: str) -> Program:
    """Read back what `print_program` printed; raises VerificationError with the line number."""
    reader = _Reader(text)
    name, machine, runs, graphs = reader.take(_parse_header)
    mesh = reader.take(_parse_mesh)
    ports: dict[str, list[tuple[str, TensorType]]] = {"input": [], "output": []}
    blocks: list[Block] = []
    classes: list[RankClass] = []
    while reader.more():
        if reader.line.startswith("block"):
            title = reader.take(_parse_block)
            blocks.append(Block(title, reader.section().body))
        elif reader.line.startswith("ranks"):
            where = reader.take(_parse_ranks)
            found = reader.section()
            classes.append(RankClass(where, found.body, tuple(found.buffers), tuple(found.outputs)))
        else:
            kind, port = reader.take(parse_port)
            ports[kind].append(port)
    return Program(
        *(name, machine, mesh, runs, graphs),
        *(tuple(ports["input"]), tuple(ports["output"]), tuple(blocks), tuple(classes)),
    )


@dataclass
class _Section:
    """What stands between a head and its end."""

    body: tuple[Instruction, ...] = ()
    buffers: list[Buffer] = field(default_factory=list)
    outputs: list[tuple[int, str]] = field(default_factory=list)


class _Reader(Lines):
    """Sections of a program: indentation is for people."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lines = [line.strip() for line in self.lines]

    def section(self) -> _Section:
        """Buffers, instructions and outputs up to the line "end"."""
        found = _Section()
        while self.line.startswith("buffer "):
            found.buffers.append(self.take(_parse_buffer))
        found.body = tuple(self.instructions())
        while self.line != "end":
            found.outputs.append(self.take(_parse_output))
        self.at += 1
        return found

    def instructions(self) -> Iterator[Instruction]:
        """Instructions up to a line that is none."""
        while not self.line.startswith(("output ", "end", "done")):
            if self.line.startswith("repeat("):
                times = self.take(_parse_repeat)
                body = tuple(self.instructions())
                self.take(_parse_done)
                yield Repeat(times, body)
            else:
                instruction = self.take(_parse_instruction)
                yield self._with_steps(instruction) if isinstance(instruction, Launch) else instruction

    def _with_steps(self, launch: Launch) -> Launch:
        steps = []
        while self.line.startswith("%"):
            steps.append(self.take(_parse_step))
        if not steps:
            return launch
        return replace(launch, steps=tuple(steps))


def _parse_header(line: str) -> tuple[str, str, int, bool]:
    m = matched(_HEADER, line)
    check_version(m[2], VERSION)
    return json.loads(m[1]), json.loads(m[3]), int(m[4]), m[5] == "graphs"


def _parse_mesh(line: str) -> Mesh:
    word, *axes = line.split()
    if word != "mesh":
        raise ValueError(f"expected the mesh, found {line!r}")
    return rank_mesh({name: int(size) for name, _, size in (axis.partition("=") for axis in axes)})


def _parse_block(line: str) -> str:
    return str(json.loads(matched(_BLOCK, line)[1]))


def _parse_ranks(line: str) -> tuple[tuple[str, int], ...]:
    pairs = (part.split("=") for part in matched(_RANKS, line)[1].split())
    return tuple((axis, int(index)) for axis, index in pairs)


def _parse_buffer(line: str) -> Buffer:
    m = matched(_BUFFER, line)
    role, _, key = m[4].partition(" ")
    views = tuple(parse_op(part) for part in m[5].split("; ")) if m[5] else ()
    return Buffer(m[1], TensorType.parse(m[2]), Layout.parse(m[3]), role, json.loads(key or '""'), views)


def _parse_output(line: str) -> tuple[int, str]:
    m = matched(_OUTPUT, line)
    return int(m[1]), m[2]


def _parse_step(line: str) -> Step:
    m = matched(_STEP, line)
    return Step(m[1], parse_op(m[2]), tuple(name[1:] for name in m[3].split()))


def _parse_repeat(line: str) -> int:
    return int(parse_call(line)[1]["times"])


def _parse_done(line: str) -> None:
    if line != "done":
        raise ValueError(f"expected 'done', found {line!r}")


def _parse_instruction(line: str) -> Instruction:
    name, given = parse_call(line)
    if name in _KERNELS:
        issue = {f.name: given.pop(f.name) for f in fields(Launch) if f.name in given}
        if "precision" in given:
            given["precision"] = Precision(given["precision"])
        return Launch(kernel=_KERNELS[name](**given), **issue)
    if name == "send" or name not in _COLLECTIVES:
        return _PLAIN[name](**given)
    return Communicate(kind=name, **given)  # type: ignore[arg-type]
