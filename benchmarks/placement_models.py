"""Models as pipelines on a wafer: how near the slowest stage is to its bound, and how long the placer takes.

    python -m benchmarks.placement_models [--machine wse3] [--only gpt2,resnet50] [--json]

Compiled as far as the plan. `slowest` is the time of the slowest stage between two inputs and `bound` what no placement
of these kernels beats, both in cycles. Seconds are CPU seconds: of the longest of the placer's runs, and of the whole
plan (cutting and sizing kernels as well). A model that does not fit as a pipeline says why. The measure: within 5 % of
the bound, in at most 20 s a run.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from wsc.backends.registry import select
from wsc.backends.wafer import plan as planning
from wsc.backends.wafer.machine import Wafer
from wsc.compiler.errors import UserError
from wsc.compiler.ir.graph import Graph
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.frontend.capture import capture
from wsc.frontend.model_file import load
from wsc.placement.problem import Block, Fabric, Net, Problem, Shape
from wsc.placement.result import Placement
from wsc.placement.solver import solve

SAMPLES = Path(__file__).resolve().parent.parent / "samples"


@dataclass(frozen=True)
class Model:
    """A sample and the options to make it with."""

    sample: str
    options: Mapping[str, str]


MODELS = {
    "gpt2": Model("gpt2", {}),
    "resnet50": Model("resnet50", {}),
    "llama3-8b": Model("llama", {"shape": "8b", "seq": "128"}),
    "llama3-8b decode": Model("llama3_8b", {"phase": "decode"}),
}


@dataclass(frozen=True)
class Row:
    """What became of a model: cycles and CPU seconds, or why it does not fit."""

    model: str
    kernels: int = 0
    slowest: int = 0
    bound: int = 0
    cores_used: float = 0.0
    runs: int = 0
    longest_run: float = 0.0
    plan_seconds: float = 0.0
    refused: str = ""

    @property
    def gap(self) -> float:
        """By what share of its bound the slowest stage is above it."""
        return self.slowest / self.bound - 1 if self.bound else 0.0


def legal_graph(model: Model, machine: str) -> tuple[Graph, Wafer]:
    """The graph of a sample as the planner takes it, and the machine."""
    selection = select(machine)
    source = load(str(SAMPLES / f"{model.sample}.py"), model.options)
    captured = capture(source.module, source.example_inputs, source.name)
    legal = selection.target.legalize(run_pipeline(captured.model), selection.machine)
    return legal.graph, selection.machine


def measured(name: str, machine: str) -> Row:
    """Plan one model as a pipeline."""
    runs: list[float] = []

    def timed(*args: Any, **options: Any) -> Placement:
        began = time.process_time()
        try:
            return solve(*args, **options)
        finally:
            runs.append(time.process_time() - began)

    graph, wafer = legal_graph(MODELS[name], machine)
    if graph.state:
        return Row(name, refused="it keeps state from run to run, for which a pipeline has no place")
    began = time.process_time()
    try:
        with patch.object(planning, "solve", timed):
            plan = planning.make_plan(graph, wafer)
    except UserError as error:
        seconds = time.process_time() - began
        return Row(
            name, runs=len(runs), longest_run=max(runs, default=0.0), plan_seconds=seconds, refused=str(error)
        )
    seconds = time.process_time() - began
    placement = plan.placement
    return Row(
        name,
        len(plan.kernels),
        placement.slowest,
        placement.bound,
        placement.cores_used / wafer.usable_cores,
        len(runs),
        max(runs),
        seconds,
    )


def warm_up() -> None:
    """Compile what numba compiles, or load it from its cache."""
    blocks = tuple(Block(name, (Shape(2, 2, 9), Shape(1, 2, 18))) for name in "abcdefghijkl")
    solve(Problem(Fabric(12, 12), blocks, tuple(Net(at, at + 1) for at in range(11))))


def line(row: Row) -> str:
    """A row of the table."""
    if row.refused:
        return f"{row.model:18} does not fit as a pipeline: {row.refused}"
    return (
        f"{row.model:18} {row.kernels:>8} {row.slowest:>12,} {row.bound:>12,} {row.gap:>7.2%} {row.cores_used:>8.1%}"
        f" {row.runs:>5} {row.longest_run:>10.1f} {row.plan_seconds:>8.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--machine", default="wse3")
    parser.add_argument("--only", default="", help="names of models, separated by commas")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    names = [name.strip() for name in args.only.split(",") if name.strip()] or list(MODELS)
    if unknown := sorted(set(names) - set(MODELS)):
        raise SystemExit(f"no model {', '.join(unknown)}: there are {', '.join(MODELS)}")
    warm_up()
    if not args.json:
        print(
            f"{'model':18} {'kernels':>8} {'slowest':>12} {'bound':>12} {'gap':>7} {'of cores':>8} {'runs':>5}"
            f" {'longest s':>10} {'plan s':>8}"
        )
    for name in names:
        row = measured(name, args.machine)
        print(json.dumps({**asdict(row), "gap": row.gap}) if args.json else line(row), flush=True)


if __name__ == "__main__":
    main()
