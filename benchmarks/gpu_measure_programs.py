"""Written training steps of one GPU, run where there is a CUDA GPU, beside what is simulated for their programs.

Passes forward and backward count; the optimiser's kernels are left out on both sides.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.gpu_micro import cluster_of
from wsc.backends.gpu_cluster.emit.torch_training import write_torch_training
from wsc.backends.gpu_cluster.instructions import Instruction, Launch
from wsc.backends.gpu_cluster.machine import Gpu
from wsc.backends.gpu_cluster.program import Program
from wsc.backends.gpu_cluster.simulate.run import simulate_program
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.backends.gpu_cluster.transformer.training import training_program

TIMES, SECONDS = 7, 600
# Gradients are written once, in the width of the weights: one microbatch, and nothing to add them to.
PLAN = Parallelism(regather=False, accumulate_bytes=2, gradient_bytes=2, fused_accumulation=False)
_LEFT_OUT = ("optimizer", "gradient.", "accumulate.")


@dataclass(frozen=True)
class Step:
    """A model and how many sequences pass at once."""

    shape: TransformerShape
    sequences: int

    @property
    def plan(self) -> Parallelism:
        """One GPU, one microbatch."""
        return replace(PLAN, micro_batch=self.sequences, global_batch=self.sequences)


def _decoder(name: str, layers: int, hidden: int, ffn: int, heads: int, kv_heads: int) -> TransformerShape:
    sizes = (layers, hidden, ffn, heads, kv_heads, 32768, 2048)
    return TransformerShape(name, *sizes, gated=True, bias=False, rotary=True, tied=False)


STEPS = (
    Step(_decoder("8 layers of 2,048", 8, 2048, 8192, 16, 16), 1),
    Step(_decoder("8 layers of 2,048", 8, 2048, 8192, 16, 16), 8),
    Step(_decoder("4 layers of 8,192", 4, 8192, 28672, 64, 8), 4),
)


def step_lines(gpu: Gpu, measure: Callable[[Step], float] | None) -> Iterator[str]:
    """A line for every step: simulated and, where `measure` is given, measured."""
    for step in STEPS:
        name = (
            f"step forward and backward, {step.shape.name}, {step.sequences} x {step.shape.sequence} tokens"
        )
        simulated = simulated_seconds(step, gpu)
        line = f"{name:98} {1e3 * simulated:10.2f} ms"
        if measure:
            measured = measure(step)
            line += f" {1e3 * measured:10.2f} ms {simulated / measured - 1:+7.1%}"
        yield line


def simulated_seconds(step: Step, gpu: Gpu) -> float:
    """Seconds of the program on one GPU, its kernels launched one by one."""
    cluster = cluster_of(gpu, 1)
    return simulate_program(
        without_optimizer(training_program(step.shape, step.plan, cluster)), cluster
    ).seconds


def without_optimizer(program: Program) -> Program:
    """The program without the optimiser's kernels and those that add gradients up."""
    blocks = tuple(replace(block, body=_kept(block.body)) for block in program.blocks)
    classes = tuple(replace(ranks, body=_kept(ranks.body)) for ranks in program.classes)
    return replace(program, blocks=blocks, classes=classes)


def _kept(body: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
    return tuple(i for i in body if not (isinstance(i, Launch) and i.label.startswith(_LEFT_OUT)))


def run_seconds(step: Step) -> float:
    """Median seconds that the written code takes; raises RuntimeError with what it said where it fails."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
    with TemporaryDirectory() as folder:
        write_torch_training(step.shape, step.plan, Path(folder))
        command = [*launch, "run_torch.py", "--time", str(TIMES), "--report", "step.json"]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        if done.returncode:
            raise RuntimeError(f"the written step of {step.shape.name} failed:\n{done.stderr[-4000:]}")
        report = json.loads((Path(folder) / "step.0.json").read_text(encoding="utf-8"))
    return float(report["seconds"])
