"""The summary of a build: what a person wants to know first, and the same as JSON."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wsc import __version__
from wsc.build import Build
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.types import DType
from wsc.compiler.parts.part import part_work, parts_of
from wsc.compiler.passes.precision import sums_in
from wsc.compiler.quantities import (
    format_bytes,
    format_cycles,
    format_percent,
    format_quantity,
    format_rate,
    format_seconds,
)
from wsc.reports.tables import KernelRow
from wsc.simulation.trace import KernelTrace, Trace
from wsc.store import Row

_SUMMING = {"contract", "attention", "grouped", "reduce", "norm", "softmax", "pool", "scan", "recurrence"}


def summary_items(build: Build) -> list[tuple[str, str]]:
    """(name, value) in reading order."""
    work = build.graph.work()
    macs = format_quantity(work.macs, "multiply-adds")
    others = format_quantity(work.vector_ops, "vector operations")
    return [
        *timing_items(build.trace, _bound(build)),
        *_tokens_items(build),
        *build.facts,
        ("work an input", f"{macs}, {others}"),
        *([("parts", parts)] if (parts := parts_text(build.graph)) else []),
        ("weights", format_bytes(_weight_bytes(build.graph))),
        ("numbers", numbers_text(build.graph)),
    ]


def numbers_text(graph: Graph) -> str:
    """As `bf16, weights f8 and bf16, sums in f32`."""
    words = {"activations": "", "weights": "weights ", "sums": "sums in "}
    told = {words[what]: " and ".join(kinds) for what, kinds in numbers_json(graph).items()}
    return ", ".join(word + kinds for word, kinds in told.items() if kinds)


def numbers_json(graph: Graph) -> dict[str, list[str]]:
    """Element types of activations and weights, the most elements first, and what sums are accumulated in."""
    activations: Counter[DType] = Counter()
    weights: Counter[DType] = Counter()
    for node in graph:
        if node.is_weight:
            weights[node.type.dtype] += node.type.elements
        elif node.type.dtype.is_float or (node.op.kind in _SUMMING and node.type.dtype is not DType.BOOL):
            activations[node.type.dtype] += node.type.elements
    summed = {node.type.dtype for node in graph if node.op.kind in _SUMMING} - {DType.BOOL}
    return {
        "activations": [kind.value for kind, _ in activations.most_common()],
        "weights": [kind.value for kind, _ in weights.most_common()],
        "sums": sorted({sums_in(kind).value for kind in summed}),
    }


def _tokens_items(build: Build) -> list[tuple[str, str]]:
    """Tokens a second of a model that keeps state from one call to the next."""
    tokens, trace = tokens_an_input(build.graph), build.trace
    if not tokens:
        return []
    told = format_rate(tokens * trace.inputs_per_second, "tokens")
    if not trace.known_interval_cycles:
        return [("tokens", told)]
    prompt = format_rate(tokens * trace.clock_hz / trace.known_interval_cycles, "tokens")
    return [("tokens", f"{told}, each known after the one before; {prompt} of a prompt, all known")]


def tokens_an_input(graph: Graph) -> int:
    """Tokens that one call of a model with state takes, those of its first input of integers; 0 without state."""
    given = [node.type for node in graph.inputs if node.type.dtype.is_integer and node.type.rank == 2]
    return given[0].elements if graph.state and given else 0


def timing_items(trace: Trace, bound: int) -> list[tuple[str, str]]:
    """(name, value) of a simulated run; `bound` is the least number of cycles between inputs."""
    latency, interval = trace.latency_cycles, trace.interval_cycles
    every = f"{_time(interval, trace)}, {format_rate(trace.inputs_per_second, 'inputs')}"
    return [
        ("latency of one input", _time(latency, trace)),
        ("interval between inputs", every),
        (
            "interval's lower bound",
            f"{_time(bound, trace)}, {format_percent(bound / interval)} of the interval",
        ),
        ("bounded by", trace.bounded_by),
        *_energy_items(trace),
    ]


def _energy_items(trace: Trace) -> list[tuple[str, str]]:
    """(name, value) of the energy, where the target has a model of it: its parts with the largest first."""
    if not trace.energy:
        return []
    parts = sorted(trace.energy, key=lambda part: -part.joules)
    shares = ", ".join(f"{p.component} {format_percent(p.joules / trace.energy_joules)}" for p in parts)
    total = format_quantity(trace.energy_joules, "J")
    moving = format_percent(trace.moving_share)
    power = format_quantity(trace.mean_watts, "W")
    return [("energy an input", f"{total} ({power}), {moving} of it moves data: {shares}")]


def _time(cycles: int, trace: Trace) -> str:
    return f"{format_cycles(cycles)}, {format_seconds(cycles / trace.clock_hz)}"


def _bound(build: Build) -> int:
    return build.selection.target.lower_bound(build.program, build.selection.machine)


def _weight_bytes(graph: Graph) -> int:
    return sum(node.type.bytes for node in graph.weights)


def kernel_rows(build: Build) -> list[KernelRow]:
    """A row for each kernel; kernels of repeated layers, whose names differ in the layer's number only, share one."""
    groups: dict[tuple[str, str], list[KernelTrace]] = {}
    for kernel in build.trace.kernels:
        groups.setdefault((pattern(kernel.name), kernel.group), []).append(kernel)
    return [_row(build.trace, name, kernels) for (name, _), kernels in groups.items()]


def pattern(name: str) -> str:
    """A dotted name with a star for each part that is a number: h.3.mlp.c_fc is h.*.mlp.c_fc."""
    return ".".join("*" if part.isdigit() else part for part in name.split("."))


def _row(trace: Trace, name: str, kernels: list[KernelTrace]) -> KernelRow:
    slowest = max(kernels, key=lambda k: k.busy_cycles)
    cores = sum(k.units for k in kernels)
    use = sum(k.compute_cycles * k.units for k in kernels) / (cores * trace.interval_cycles)
    memory = max(k.bytes_per_unit for k in kernels)
    return KernelRow(name, slowest.group, cores, int(slowest.busy_cycles), memory, use, len(kernels))


def summary_json(build: Build, folder: Path) -> dict[str, Any]:
    """The summary for programs: figures as numbers."""
    work = build.graph.work()
    return {
        "name": build.name,
        "folder": str(folder),
        "target": build.selection.target.name,
        "machine": build.selection.machine.name,
        **timing_json(build.trace, _bound(build)),
        "tokens_per_input": tokens_an_input(build.graph),
        "macs": work.macs,
        "vector_ops": work.vector_ops,
        "weight_bytes": _weight_bytes(build.graph),
        "numbers": numbers_json(build.graph),
        "facts": dict(build.facts),
        "kernels": [_kernel_json(kernel) for kernel in build.trace.kernels],
    }


def parts_json(graph: Graph) -> dict[str, dict[str, int]]:
    """What the graph holds of each kind of part: how many, and the work of all, each done as one."""
    found: dict[str, dict[str, int]] = {}
    for part in parts_of(graph):
        row = found.setdefault(part.kind, {"count": 0})
        row["count"] += 1
        for key, value in asdict(part_work(graph, part)).items():
            row[key] = row.get(key, 0) + value
    return found


def parts_text(graph: Graph) -> str:
    """The parts of a graph in a line, e.g. `6 rotary, 3 gated_mlp`; a mixture is counted by its experts."""
    kinds = Counter(part.kind for part in parts_of(graph))
    mixtures = kinds.get("mixture.experts", 0)
    plain = {kind: count for kind, count in kinds.items() if not kind.startswith("mixture.")}
    named = plain | ({"mixture": mixtures} if mixtures else {})
    return ", ".join(f"{count} {kind}" for kind, count in named.items())


def timing_json(trace: Trace, bound: int) -> dict[str, Any]:
    """The simulated run for programs: figures as numbers."""
    return {
        "latency_cycles": trace.latency_cycles,
        "interval_cycles": trace.interval_cycles,
        "known_interval_cycles": trace.known_interval_cycles or trace.interval_cycles,
        "lower_bound_cycles": bound,
        "clock_hz": trace.clock_hz,
        "bounded_by": trace.bounded_by,
        "energy_joules": {part.component: part.joules for part in trace.energy},
        "moving_energy_share": trace.moving_share,
    }


def _kernel_json(kernel: KernelTrace) -> dict[str, Any]:
    return {
        "name": kernel.name,
        "group": kernel.group,
        "cores": kernel.units,
        "wafer": kernel.wafer,
        "compute_cycles": kernel.compute_cycles,
        "movement_cycles": kernel.movement_cycles,
        "idle_cycles": kernel.idle_cycles,
        "bytes_per_core": kernel.bytes_per_unit,
        "macs": kernel.macs,
    }


def result_row(build: Build, folder: Path) -> Row:
    """The row of a build in the results store."""
    trace, work, selection = build.trace, build.graph.work(), build.selection
    text = selection.target.print(build.program)
    return Row(
        {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "name": build.name,
            "target": selection.target.name,
            "machine": selection.machine.name,
            "folder": str(folder.resolve()),
            "version": __version__,
            "program": hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
            "latency_cycles": trace.latency_cycles,
            "cycles": trace.interval_cycles,
            "lower_bound_cycles": _bound(build),
            "clock_hz": trace.clock_hz,
            "inputs_per_second": trace.inputs_per_second,
            "energy_joules": trace.energy_joules if trace.energy else None,
            "macs": work.macs,
            "weight_bytes": _weight_bytes(build.graph),
            "units": sum(kernel.units for kernel in trace.kernels),
            "bounded_by": trace.bounded_by,
            "facts": json.dumps(dict(build.facts)),
        }
    )
