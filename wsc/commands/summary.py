"""The summary of a build: what a person wants to know first, and the same as JSON."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from wsc.build import Build
from wsc.reports.tables import KernelRow
from wsc.simulation.trace import KernelTrace, Trace


def summary_items(build: Build) -> list[tuple[str, str]]:
    """(name, value) in reading order."""
    trace, work = build.trace, build.graph.work()
    machine = build.selection.machine
    bound = build.selection.target.lower_bound(build.program, machine)
    return [
        ("latency of one input", f"{trace.latency_cycles:,} cycles, {trace.latency_seconds * 1e6:,.1f} us"),
        (
            "interval between inputs",
            f"{trace.interval_cycles:,} cycles, {trace.inputs_per_second:,.0f} inputs/s",
        ),
        ("bounded by", trace.bounded_by),
        (
            "machine's own bound",
            f"{bound:,} cycles an input ({bound / trace.interval_cycles:.1%} of the interval)",
        ),
        *build.facts,
        ("work", f"{work.macs:,} multiply-adds, {work.vector_ops:,} vector ops an input"),
        ("weights", f"{sum(n.type.bytes for n in build.graph.weights):,} B"),
    ]


def kernel_rows(build: Build) -> list[KernelRow]:
    """A row for each kernel; kernels of repeated layers, whose names differ in a number only, share one."""
    groups: dict[tuple[str, str], list[KernelTrace]] = {}
    for kernel in build.trace.kernels:
        groups.setdefault((re.sub(r"\d+", "*", kernel.name), kernel.group), []).append(kernel)
    return [_row(build.trace, kernels) for kernels in groups.values()]


def _row(trace: Trace, kernels: list[KernelTrace]) -> KernelRow:
    slowest = max(kernels, key=lambda k: k.busy_cycles)
    name = slowest.name if len(kernels) == 1 else f"{len(kernels)} x {re.sub(r'[0-9]+', '*', slowest.name)}"
    cores = sum(k.units for k in kernels)
    use = sum(k.compute_cycles * k.units for k in kernels) / (cores * trace.interval_cycles)
    memory = max(k.bytes_per_unit for k in kernels)
    return KernelRow(name, slowest.group, cores, int(slowest.busy_cycles), memory, use)


def summary_json(build: Build, folder: Path) -> dict[str, Any]:
    """The summary for programs: figures as numbers."""
    trace, work = build.trace, build.graph.work()
    machine = build.selection.machine
    return {
        "name": build.name,
        "folder": str(folder),
        "target": build.selection.target.name,
        "machine": machine.name,
        "latency_cycles": trace.latency_cycles,
        "interval_cycles": trace.interval_cycles,
        "lower_bound_cycles": build.selection.target.lower_bound(build.program, machine),
        "clock_hz": trace.clock_hz,
        "bounded_by": trace.bounded_by,
        "macs": work.macs,
        "vector_ops": work.vector_ops,
        "facts": dict(build.facts),
        "kernels": [
            {
                "name": k.name,
                "group": k.group,
                "cores": k.units,
                "compute_cycles": k.compute_cycles,
                "movement_cycles": k.movement_cycles,
                "idle_cycles": k.idle_cycles,
            }
            for k in trace.kernels
        ],
    }
