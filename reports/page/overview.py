"""The first thing a page says: a few figures, and what bounds the run in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from wsc.compiler.quantities import (
    format_bytes,
    format_count,
    format_percent,
    format_quantity,
    format_rate,
    format_seconds,
)
from wsc.reports.page.report import Report
from wsc.simulation.trace import Trace


def tiles(report: Report) -> Iterator[tuple[str, str, str]]:
    """(what, figure, what more to say of it)."""
    trace, offered = report.trace, report.capacity
    yield "latency", format_seconds(trace.latency_seconds), f"{format_count(trace.latency_cycles)} cycles"
    every = format_seconds(trace.interval_cycles / trace.clock_hz)
    yield "throughput", format_rate(trace.inputs_per_second, "inputs"), f"one every {every}"
    if trace.energy:
        moving = f"{format_quantity(trace.mean_watts, 'W')}, {format_percent(trace.moving_share)} moves data"
        yield "energy an input", format_quantity(trace.energy_joules, "J"), moving
    macs = report.graph.work().macs
    peak = offered.peak_macs_per_second
    if peak:
        share = macs * trace.inputs_per_second / peak
        yield "of peak", format_percent(share), f"{format_quantity(peak, 'multiply-adds/s')} at most"
    used = sum(kernel.bytes_per_unit * kernel.units for kernel in trace.kernels)
    if used <= offered.memory_bytes:
        part = format_percent(used / offered.memory_bytes)
        yield "memory used", part, f"{format_bytes(used)} of {format_bytes(offered.memory_bytes)}"
    chips = "" if offered.chips == offered.units else f"{_several(offered.chips, 'chip')}"
    area = f"{offered.area_mm2:,.0f} mm²" if offered.area_mm2 else ""
    yield "machine", _several(offered.units, offered.unit), ", ".join(filter(None, (chips, area)))


def _several(count: int, what: str) -> str:
    return f"{format_count(count)} {what}{'' if count == 1 else 's'}"


def told(report: Report) -> Iterator[str]:
    """Sentences: what bounds the run, where the units' time goes, how far the machine could go, what is validated."""
    trace = report.trace
    yield f"One input every {format_count(trace.interval_cycles)} cycles, bounded by {trace.bounded_by}."
    shares = _shares(trace, report.capacity.units)
    if shares is not None:
        compute, movement, idle = map(format_percent, shares)
        yield (
            f"Of the time of the {report.capacity.unit}s in use, {compute} goes into computing and {movement} into "
            f"moving data; {idle} is waiting."
        )
    if report.bound_cycles:
        times = trace.interval_cycles / report.bound_cycles
        bound = format_count(report.bound_cycles)
        yield f"No program for this work on this machine takes less than {bound} cycles; this, {times:,.1f} times."
    yield f"Cycles are simulated; held against others on this machine: {report.validated or 'nothing, not validated'}."


def _shares(trace: Trace, units: int) -> tuple[float, float, float] | None:
    """Computing, moving, waiting: parts of the time of the units in use; None where kernels overlap in time."""
    total = min(units, sum(k.units for k in trace.kernels)) * trace.interval_cycles
    compute = sum(k.compute_cycles * k.units for k in trace.kernels)
    movement = sum(k.movement_cycles * k.units for k in trace.kernels)
    if not total or compute + movement > total:
        return None
    return compute / total, movement / total, 1 - (compute + movement) / total
