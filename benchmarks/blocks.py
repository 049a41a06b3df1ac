"""What of a graph is distinct, and what the stages of a compile cost, as layers grow: `python -m benchmarks.blocks`.

    python -m benchmarks.blocks                     # training: nodes, distinct ones, blocks, passes and search
    python -m benchmarks.blocks --stages            # CPU seconds of each stage by target: training, and Llama 3
    python -m benchmarks.blocks --stages --out      # the same, into docs/models.md

Training is GPT-2 at small width with AdamW: forward, backward and update in one graph. Llama 3 is one token over a
cache of 4,096, the 8B model and the 70B one at full width. Seconds are CPU seconds of a process for each row; a ratio
is against the first row of a target. What is distinct is one copy of each repeated block, and all that stands between.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

from benchmarks.page import MODELS, ROOT, put_section
from benchmarks.zoo import SAMPLES
from wsc.compiler.errors import UserError
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.compiler.repeated import entries_to_say, repeated_blocks
from wsc.frontend.losses import WithLoss
from wsc.frontend.model_file import load
from wsc.frontend.training import capture_training
from wsc.frontend.training_step import Recipe, TrainingProgram, training_programs

_SIZES = {"seq": "8", "dim": "32", "heads": "2", "vocab": "50"}
_TRAINED_ON = ("wse2", "wse3", "h100x8", "isaac")
# A model of Llama 3, the machine, and options of the target: as many wafers as hold it, and as many for both.
_LLAMA: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("llama3_8b", "wse3", {"wafers": "1"}),
    ("llama3_8b", "wse3", {"wafers": "4"}),
    ("llama3_70b", "wse3", {"wafers": "4"}),
    ("llama3_8b", "h100x8", {}),
    ("llama3_70b", "h100x8", {}),
)
_HEAD = """## What grows with depth

Written by `python -m benchmarks.blocks --stages --out`: CPU seconds of each stage, and in parentheses how often the
first row of the same model and machine. *Nodes* are those of the graph after the passes; *distinct* counts one copy of
each repeated block and all that stands between. GPT-2 is a training step with AdamW at small width (forward, backward
and update in one graph), Llama 3 one token over a cache of 4,096 at full width, on as many wafers as the machine says:
on several, a rectangle for every part of a layer is looked for, which takes longer than one region for all.

"""


@dataclass(frozen=True)
class Row:
    """One depth: nodes of the graph after the passes, distinct ones, the large blocks, and CPU seconds."""

    layers: int
    nodes: int
    distinct: int
    blocks: str
    passes_s: float
    search_s: float


@dataclass(frozen=True)
class Stages:
    """CPU seconds of the stages of one compile; `error` says why there is no program."""

    model: str
    target: str
    nodes: int = 0
    distinct: int = 0
    capture_s: float = 0.0
    passes_s: float = 0.0
    plan_s: float = 0.0
    emit_s: float = 0.0
    simulate_s: float = 0.0
    error: str = ""

    @property
    def compile_s(self) -> float:
        """All after the capture."""
        return self.passes_s + self.plan_s + self.emit_s + self.simulate_s


def measured(layers: int) -> Row:
    """Capture a step of that many layers, run the passes, and find its blocks."""
    program = _step(layers)
    start = time.process_time()
    graph = run_pipeline(program.model, program.passes).graph
    after_passes = time.process_time()
    blocks = repeated_blocks(graph)
    end = time.process_time()
    large = [block.repeat for block in blocks if block.repeat.length > 20]
    told = " + ".join(f"{repeat.count} x {repeat.length}" for repeat in large)
    distinct = entries_to_say(graph, blocks)
    return Row(layers, len(graph.nodes), distinct, told, after_passes - start, end - after_passes)


def _step(layers: int) -> TrainingProgram:
    import torch
    from torch.nn import functional as F

    source = load(str(SAMPLES / "gpt2.py"), {**_SIZES, "layers": str(layers), "logits": "all"})
    target = torch.zeros(source.module(*source.example_inputs).shape[:-1], dtype=torch.int64)
    module = WithLoss(source.module, lambda scores, t: F.cross_entropy(scores.flatten(0, -2), t.flatten()))
    (program,) = training_programs(
        capture_training(module, (source.example_inputs, target), "gpt2"), Recipe()
    )
    return program


def staged(model: str, target: str, options: dict[str, str]) -> Stages:
    """Compile in this process: `gpt2/LAYERS` a training step, any other name a sample's token over its cache."""
    from wsc.backends.registry import select
    from wsc.driver import legal_model
    from wsc.frontend.capture import capture

    selection = select(target)
    selection = replace(selection, target=selection.target.configured(options))
    told = f"{target} x {options['wafers']}" if "wafers" in options else target
    clock = time.process_time
    start = clock()
    name, _, layers = model.partition("/")
    if layers:
        program = _step(int(layers))
        captured, passes = program.model, program.passes
    else:
        source = load(str(SAMPLES / f"{name}.py"), {"phase": "decode", "context": "4096"})
        found = capture(source.module, source.example_inputs, name)
        captured, passes = found.model, found.passes
    times = [start, clock()]
    gc.freeze()  # as the command does
    try:
        legal = legal_model(captured, selection, passes=passes)
        times.append(clock())
        plan = selection.target.plan(legal, selection.machine, None)
        times.append(clock())
        emitted = selection.target.emit(plan)
        times.append(clock())
        selection.target.simulate(emitted, selection.machine, None)
        times.append(clock())
    except UserError as error:
        return Stages(model, told, error=f"{type(error).__name__}: {_short(error)}")
    spent = [after - before for before, after in pairwise(times)]
    distinct = entries_to_say(legal.graph, repeated_blocks(legal.graph))
    capture_s, passes_s, plan_s, emit_s, simulate_s = spent
    nodes = len(legal.graph.nodes)
    return Stages(model, told, nodes, distinct, capture_s, passes_s, plan_s, emit_s, simulate_s)


def _short(error: UserError) -> str:
    """The first sentence, up to where a list begins."""
    return str(error).splitlines()[0].split(". ")[0].rstrip(":")


def _in_a_process(model: str, target: str, options: dict[str, str]) -> Stages:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.blocks", "--one", model, target]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, json.dumps(options)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{model} on {target}: {done.stderr[-2000:]}")
    row = Stages(**json.loads(done.stdout[done.stdout.index("{") :]))
    print(row, file=sys.stderr, flush=True)
    return row


def stage_rows(layers: Sequence[int], targets: Sequence[str]) -> list[Stages]:
    """Training at each depth, then Llama 3, on the targets named."""
    rows = [_in_a_process(f"gpt2/{n}", target, {}) for target in targets for n in layers]
    return rows + [_in_a_process(*one) for one in _LLAMA if one[1] in targets]


def stage_table(rows: Sequence[Stages]) -> str:
    """The rows as the page has them."""
    lines = [
        "| model | machine | nodes | distinct | capture | passes | plan | emit | simulate | all after capture |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    first: dict[tuple[str, str], Stages] = {}
    for row in rows:
        if row.error:
            lines.append(f"| {_title(row)} | {row.target} | {row.error} |" + " |" * 7)
            continue
        base = first.setdefault((row.model.partition("/")[0][:5], row.target), row)
        spent = [
            f"{getattr(row, key):.1f} s ({getattr(row, key) / max(getattr(base, key), 0.01):.1f})"
            for key in ("capture_s", "passes_s", "plan_s", "emit_s", "simulate_s", "compile_s")
        ]
        cells = [_title(row), row.target, f"{row.nodes:,}", f"{row.distinct:,}", *spent]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _title(row: Stages) -> str:
    name, _, layers = row.model.partition("/")
    return f"{name}, training, {layers} layers" if layers else name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--layers", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--json", action="store_true", help="the rows as JSON")
    parser.add_argument(
        "--stages", action="store_true", help="CPU seconds of each stage of a compile, by target"
    )
    parser.add_argument("--targets", nargs="+", default=list(_TRAINED_ON), help="of --stages")
    parser.add_argument("--out", action="store_true", help="the table of --stages into docs/models.md")
    parser.add_argument("--one", nargs=3, metavar=("MODEL", "TARGET", "OPTIONS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        model, target, options = given.one
        print(json.dumps(asdict(staged(model, target, json.loads(options)))))
        return
    if given.stages:
        stages = stage_rows(given.layers, given.targets)
        if given.out:
            put_section(MODELS, _HEAD + stage_table(stages))
        print(json.dumps([asdict(row) for row in stages], indent=1) if given.json else stage_table(stages))
        return
    _of_training([measured(layers) for layers in given.layers], given.json)


def _of_training(rows: Sequence[Row], as_json: bool) -> None:
    if as_json:
        print(json.dumps([vars(row) for row in rows], indent=1))
        return
    print("layers   nodes  distinct  passes (ratio)  search (ratio)  blocks")
    first = rows[0]
    for row in rows:
        ratios = row.passes_s / first.passes_s, row.search_s / first.search_s
        print(
            f"{row.layers:6} {row.nodes:7,} {row.distinct:9,} {row.passes_s:6.2f} s ({ratios[0]:4.1f}) "
            f"{row.search_s:6.2f} s ({ratios[1]:4.1f})  {row.blocks}"
        )


if __name__ == "__main__":
    main()
