"""A small trained model through the arrays' physics: accuracy, error of every product, and speed of the analog mode.

python -m benchmarks.cim_accuracy

The set is scikit-learn's digits (1,797 images of 8 x 8); the first 1,297 of a fixed shuffle train and calibrate, the
other 500 are judged.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from wsc.backends.cim.execute import execute
from wsc.backends.cim.execute.analog import AnalogRun, calibrate, execute_analog
from wsc.backends.cim.execute.physics import Conditions
from wsc.backends.cim.program import Program
from wsc.backends.registry import select
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.driver import quantized
from wsc.frontend.capture import capture

TRAINED_ON = 1297
MACHINES = ("isaac", "hermes", "neurram", "mythic-m1076")
SEEDS = range(5)


@dataclass(frozen=True)
class Digits:
    """A trained model, images to calibrate on, and images and labels to judge by."""

    model: nn.Module
    samples: Array
    images: Array
    labels: Array


def digits(epochs: int = 60) -> Digits:
    """The same model for every call: fixed seeds, one thread's arithmetic."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = (images[order] / 16).astype(np.float32), labels[order]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, weight_decay=1e-4)
    for _ in range(epochs):
        for first in range(0, TRAINED_ON, 64):
            last = min(first + 64, TRAINED_ON)
            optimizer.zero_grad()
            scores = model(torch.tensor(images[first:last]))
            nn.functional.cross_entropy(scores, torch.tensor(labels[first:last])).backward()
            optimizer.step()
    return Digits(model, images[:500], images[TRAINED_ON:], labels[TRAINED_ON:])


@dataclass(frozen=True)
class Judged:
    """Accuracy in floating point, in exact integers, and of each analog run; and the first run."""

    floats: float
    exact: float
    analog: tuple[float, ...]
    run: AnalogRun
    program: Program
    seconds: float


def judge(data: Digits, machine: str) -> Judged:
    """The model compiled for a machine, calibrated on the samples, run on the images."""
    selection = select(machine)
    target = selection.target
    captured = capture(data.model, (torch.tensor(data.images),), "digits")
    simple = run_pipeline(captured.model)
    model = target.legalize(quantized(simple, selection, samples=[(data.samples,)]), selection.machine)
    program = target.emit(target.plan(model, selection.machine))

    def right(outputs: tuple[Array, ...]) -> float:
        return float((outputs[0].argmax(axis=1) == data.labels).mean())

    ranges = calibrate(program, selection.machine, model.weights, [(data.samples,)], Conditions())
    start = time.process_time()
    runs = [
        execute_analog(program, selection.machine, model.weights, (data.images,), Conditions(seed), ranges)
        for seed in SEEDS
    ]
    seconds = (time.process_time() - start) / len(runs)
    floats = interpret(simple.graph, (data.images,), simple.weights)
    exact = execute(program, model.weights, (data.images,))
    return Judged(
        right(floats), right(exact), tuple(right(r.outputs) for r in runs), runs[0], program, seconds
    )


def accuracy_lines() -> Iterator[str]:
    """A table for the page; deterministic."""
    data = digits()
    yield from (
        "## Digits through the arrays",
        "",
        "A perceptron of 64-128-64-10 on scikit-learn's digits, 500 images not trained on; analog: mean of",
    )
    yield from (
        f"{len(SEEDS)} seeds, converters' ranges from 500 training images. SQNR: of each product, dB.",
        "",
    )
    yield from (
        "| machine | floating point | exact integers | analog | loss | SQNR of the layers |",
        "|---|---:|---:|---:|---:|---|",
    )
    for machine in MACHINES:
        j = judge(data, machine)
        analog = sum(j.analog) / len(j.analog)
        layers = ", ".join(f"{layer.sqnr_db:.1f}" for layer in j.run.layers)
        loss = f"{100 * (j.floats - analog):+.1f} points"
        yield f"| {machine} | {j.floats:.1%} | {j.exact:.1%} | {analog:.1%} | {loss} | {layers} |"
    yield ""


def speed_lines() -> Iterator[str]:
    """Multiply-adds a second of CPU time; not for the page."""
    data = digits(epochs=1)
    for machine in MACHINES:
        j = judge(data, machine)
        products = [stage.product for stage in j.program.stages if stage.product]
        macs = sum(p.macs for p in products)
        cells = sum(
            layer.conversions * min(p.rows, p.block_rows)
            for p, layer in zip(products, j.run.layers, strict=True)
        )
        yield f"{machine:14} {macs / j.seconds / 1e6:8.1f} M weight MAC/s {cells / j.seconds / 1e6:10.1f} M cell MAC/s"


def main() -> None:
    print("\n".join(accuracy_lines()))
    print("\n".join(speed_lines()))


if __name__ == "__main__":
    main()
