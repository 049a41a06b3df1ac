"""Code that runs the program of a captured graph on real GPUs: run_torch.py, plan.json and schedule.csv."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from wsc.backends.gpu_cluster.emit.templates import script, write_files
from wsc.backends.gpu_cluster.instructions import Communicate, Keep, Launch, Recv, Send
from wsc.backends.gpu_cluster.plan.options import PARTIAL, WHOLE
from wsc.backends.gpu_cluster.program import Buffer, Program, RankClass, flat
from wsc.compiler.errors import UserError
from wsc.compiler.ops.base import Op

_WRITTEN = frozenset(
    ("contract", "elementwise", "reduce", "softmax", "norm", "attention", "gather", "pool", "topk", "cast")
    + ("reshape", "permute", "slice", "expand", "concat", "pad")
)


def write_torch_graph(program: Program, folder: Path) -> tuple[Path, ...]:
    """Write the files of a program into a folder, and return them; raises UserError for ops that have no code yet."""
    _refuse(program)
    values = {"NAME": program.name, "RANKS": str(program.ranks)}
    texts = {
        "run_torch.py": script("run_torch_graph.tmpl", values),
        "plan.json": json.dumps(plan_values(program), indent=1) + "\n",
        "schedule.csv": "".join(f"{stage}F0\n" for stage in range(len(program.classes))),
    }
    return write_files(texts, folder)


def _refuse(program: Program) -> None:
    if not program.outputs:
        raise UserError(
            f"'{program.name}' was made from a shape; its PyTorch code is written from the plan, not from here."
        )
    steps = [
        s for ranks in program.classes for i in flat(ranks.body) if isinstance(i, Launch) for s in i.steps
    ]
    missing = {step.op.kind for step in steps} - _WRITTEN
    missing |= {f"{s.op.kind} with a batch" for s in steps if s.op.kind == "gather" and s.op.batch}  # type: ignore[attr-defined]
    if missing:
        raise UserError(
            f"The PyTorch code of '{program.name}' cannot be written: no {', no '.join(sorted(missing))} there yet."
        )


def plan_values(program: Program) -> dict[str, Any]:
    """What plan.json holds."""
    return {
        "name": program.name,
        "machine": program.machine,
        "mesh": {axis.name: axis.parts for axis in program.mesh.axes},
        "stages": [_stage(ranks) for ranks in program.classes],
    }


def _stage(ranks: RankClass) -> dict[str, Any]:
    return {
        "buffers": {buffer.name: _buffer(buffer) for buffer in ranks.buffers},
        "instructions": list(_instructions(ranks)),
        "outputs": [list(output) for output in ranks.outputs],
    }


def _buffer(buffer: Buffer) -> dict[str, Any]:
    cut = [dim for dim, cuts in enumerate(buffer.layout.cuts) if cuts]
    return {
        "dtype": buffer.type.dtype.value,
        "tile": list(buffer.tile.shape),
        "share": PARTIAL if buffer.layout.partial else cut[0] if cut else WHOLE,
        "role": buffer.role,
        "key": buffer.key,
        "views": [_op(view) for view in buffer.views],
    }


def _instructions(ranks: RankClass) -> Iterator[dict[str, Any]]:
    for instruction in flat(ranks.body):
        match instruction:
            case Launch(steps=steps):
                for step in steps:
                    yield {
                        "do": "compute",
                        "op": _op(step.op),
                        "operands": list(step.operands),
                        "result": step.result,
                    }
            case Communicate(operand=operand, result=result) | Keep(operand=operand, result=result):
                yield {"do": "convert", "operand": operand, "result": result}
            case Send(steps=steps, operand=operand):
                yield {"do": "send", "steps": steps, "operand": operand}
            case Recv(steps=steps, result=result):
                yield {"do": "recv", "steps": steps, "result": result}
            case _:
                pass


def _op(op: Op) -> dict[str, Any]:
    return {"kind": op.kind, **{f.name: getattr(op, f.name) for f in fields(op)}}  # type: ignore[arg-type]
