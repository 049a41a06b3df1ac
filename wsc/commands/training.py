"""What is said of a training step: what it holds in memory, and what an update takes where it is of several inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wsc.build import Build
from wsc.commands.source import Training
from wsc.compiler.memory import memory_of
from wsc.compiler.quantities import format_bytes, format_cycles


def training_json(builds: Sequence[Build], training: Training) -> dict[str, Any]:
    """Figures as numbers; the step is the last of the builds."""
    memory = memory_of(builds[-1].graph)
    return {
        "optimizer": training.optimizer,
        "accumulate": training.accumulate,
        "recompute": training.recompute,
        "cycles_an_update": _cycles(builds, training),
        "weight_bytes": memory.weights,
        "state_bytes": memory.state,
        "value_bytes": memory.values,
        "saved_bytes": memory.saved,
    }


def training_items(builds: Sequence[Build], training: Training) -> list[tuple[str, str]]:
    """(name, value) in reading order."""
    memory = memory_of(builds[-1].graph)
    of = f"of {training.accumulate} inputs" if training.accumulate > 1 else "of one input"
    again = ", computed again layer by layer" if training.recompute else ""
    return [
        ("optimizer", training.optimizer),
        (f"an update {of}", format_cycles(_cycles(builds, training))),
        ("parameters and the optimizer's state", format_bytes(memory.state or memory.weights)),
        ("saved for the backward pass", f"{format_bytes(memory.saved)}{again}"),
        ("values at their most", format_bytes(memory.values)),
    ]


def _cycles(builds: Sequence[Build], training: Training) -> int:
    """All inputs but the last sum their gradients; one after the other, as the step waits for them."""
    *summing, step = builds
    return (
        sum((training.accumulate - 1) * b.trace.interval_cycles for b in summing) + step.trace.latency_cycles
    )
