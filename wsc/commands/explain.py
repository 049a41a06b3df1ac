"""`wsc explain`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from wsc.build import Build, read_build
from wsc.commands.console import chosen_build, for_people, print_json, stages
from wsc.compiler.quantities import format_bytes, format_count, format_percent
from wsc.reports.tables import summary_panel
from wsc.simulation.trace import KernelTrace

_BEST = 3
_NAMED = 5


@dataclass(frozen=True)
class Gain:
    """A change of one resource, and the simulated cycles with it."""

    change: str
    interval_cycles: int
    latency_cycles: int


def explain_build(folder: Path | None, json: bool) -> None:
    """Say what bounds a run and what would help most, each change simulated."""
    path = chosen_build(folder)
    build = _simulated(read_build(path))
    gains = _gains(build)
    if json:
        print_json(_json(build, path, gains))
        return
    console = for_people()
    console.print(summary_panel(f"what bounds {build.name} on {build.selection.machine.name}", _items(build)))
    console.print(_kernels(build))
    if gains:
        console.print(_table(build, gains))
        console.print(_told(build, gains), highlight=False)
    else:
        console.print(
            f"The target '{build.selection.target.name}' offers no changes to simulate.", highlight=False
        )


def _simulated(build: Build) -> Build:
    """The build with its trace made anew: what the changes are held against must be of the same simulator."""
    target, machine = build.selection.target, build.selection.machine
    with stages() as stage:
        stage("simulating")
        return replace(build, trace=target.simulate(build.program, machine))


def _gains(build: Build) -> list[Gain]:
    """Every variant of the target simulated; the one with the shortest interval, then latency, first."""
    target, machine = build.selection.target, build.selection.machine
    gains = []
    with stages() as stage:
        for variant in target.variants(build.program, machine):
            stage(f"simulating with {variant.change}")
            trace = target.simulate(variant.program, variant.machine)
            gains.append(Gain(variant.change, trace.interval_cycles, trace.latency_cycles))
    return sorted(gains, key=lambda gain: (gain.interval_cycles, gain.latency_cycles))


def _items(build: Build) -> list[tuple[str, str]]:
    trace = build.trace
    total = sum(k.units for k in trace.kernels) * trace.interval_cycles
    shares = {
        "computing": sum(k.compute_cycles * k.units for k in trace.kernels) / total,
        "moving data": sum(k.movement_cycles * k.units for k in trace.kernels) / total,
        "waiting": sum(k.idle_cycles * k.units for k in trace.kernels) / total,
    }
    bound = build.selection.target.lower_bound(build.program, build.selection.machine)
    told = ", ".join(f"{name} {format_percent(share)}" for name, share in shares.items())
    return [
        ("interval", f"{format_count(trace.interval_cycles)} cycles"),
        ("bounded by", trace.bounded_by),
        ("time of the units used", told),
        (
            "machine's own bound",
            f"{format_count(bound)} cycles, {format_percent(bound / trace.interval_cycles)}",
        ),
    ]


def _kernels(build: Build) -> Table:
    """The kernels that leave the least room: in time, then in memory."""
    kernels = build.trace.kernels
    slow = sorted(kernels, key=lambda k: -k.busy_cycles)[:_NAMED]
    full = sorted(kernels, key=lambda k: -k.bytes_per_unit)[:_NAMED]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("busiest kernels", "busy", "fullest kernels", "a unit holds"):
        table.add_column(
            name, overflow="fold", justify="right" if name in ("busy", "a unit holds") else "left"
        )
    for a, b in zip(slow, full, strict=True):
        table.add_row(a.name, format_percent(_busy(build, a)), b.name, format_bytes(b.bytes_per_unit))
    return table


def _busy(build: Build, kernel: KernelTrace) -> float:
    return kernel.busy_cycles / build.trace.interval_cycles


def _table(build: Build, gains: list[Gain]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("with", "interval", "change", "latency", "change"):
        table.add_column(name, justify="left" if name == "with" else "right", overflow="fold")
    for gain in gains:
        interval, latency = _changes(build, gain)
        table.add_row(
            gain.change,
            format_count(gain.interval_cycles),
            f"{interval:+.1%}",
            format_count(gain.latency_cycles),
            f"{latency:+.1%}",
        )
    return table


def _changes(build: Build, gain: Gain) -> tuple[float, float]:
    """Relative changes of the interval and of the latency."""
    trace = build.trace
    return gain.interval_cycles / trace.interval_cycles - 1, gain.latency_cycles / trace.latency_cycles - 1


def _told(build: Build, gains: list[Gain]) -> str:
    helpful = [gain for gain in gains if _changes(build, gain)[0] < 0][:_BEST]
    if not helpful:
        return "None of these changes alone shortens the interval: several resources bind at once."
    told = "; ".join(f"{gain.change} ({_changes(build, gain)[0]:+.1%})" for gain in helpful)
    return f"What would help most, each simulated alone: {told}."


def _json(build: Build, path: Path, gains: list[Gain]) -> dict[str, Any]:
    return {
        "build": str(path),
        "bounded_by": build.trace.bounded_by,
        "interval_cycles": build.trace.interval_cycles,
        "latency_cycles": build.trace.latency_cycles,
        "changes": [
            {
                "change": gain.change,
                "interval_cycles": gain.interval_cycles,
                "latency_cycles": gain.latency_cycles,
                "interval_change": _changes(build, gain)[0],
                "latency_change": _changes(build, gain)[1],
            }
            for gain in gains
        ],
    }
