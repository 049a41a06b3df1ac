"""What the page shows, as data, and the page around it."""

from __future__ import annotations

import base64
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from wsc.compiler.ir.graph import Graph
from wsc.reports.page.links import owners, places, program_lines
from wsc.reports.page.modules import module_tree
from wsc.reports.page.overview import tiles, told
from wsc.reports.page.report import Report
from wsc.reports.page.times import timeline_data
from wsc.reports.palette import BLOCKED, GROUPS, UNUSED
from wsc.simulation.floorplan import Field
from wsc.simulation.trace import Trace

_LEVELS = 254  # of a field's scale; 0 stands for no value
_MOST_BLOCKED = 20_000  # dead cores drawn one by one


def report_page(report: Report) -> str:
    """One HTML file without anything from outside: opens from disk, in a browser of 2023 or later."""
    environment = Environment(
        loader=PackageLoader("wsc.reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = json.dumps(report_data(report), separators=(",", ":"), allow_nan=False)
    packed = gzip.compress(text.encode(), compresslevel=9, mtime=0)
    return environment.get_template("report.html").render(
        title=report.title, data=base64.b64encode(packed).decode("ascii")
    )


def report_data(report: Report) -> dict[str, Any]:
    """The data that the page's script reads."""
    plan, trace = report.plan, Trace.from_json(report.trace.to_json())  # numbers as a build folder gives them
    return {
        "title": report.title,
        "summary": [list(item) for item in report.summary],
        "unit": report.capacity.unit,
        "peak": report.capacity.peak_macs_per_second / report.capacity.units / trace.clock_hz,
        "network": _bytes_a_cycle(report, report.capacity.network_bytes_per_second),
        "memory": report.capacity.memory_bytes / report.capacity.units,
        "bandwidth": _bytes_a_cycle(report, report.capacity.memory_bytes_per_second),
        "turns": sum(k.units for k in trace.kernels) > report.capacity.units,
        "tiles": [list(tile) for tile in tiles(report)],
        "told": list(told(report)),
        "width": plan.width,
        "height": plan.height,
        "groups": [[name, GROUPS[i % len(GROUPS)]] for i, name in enumerate(plan.groups)],
        "paints": {"unused": UNUSED.colour, "blocked": BLOCKED.colour},
        "regions": [[r.name, r.x, r.y, r.width, r.height, plan.groups.index(r.group)] for r in plan.regions],
        "owners": owners(plan, trace),
        "blocked": list(map(list, plan.blocked[:_MOST_BLOCKED])),
        "fields": [_field(field) for field in plan.fields],
        "interval": trace.interval_cycles,
        "latency": trace.latency_cycles,
        "clock": trace.clock_hz,
        "bounded": trace.bounded_by,
        "kernels": [_kernel(kernel) for kernel in trace.kernels],
        "streams": [
            [s.name, s.source, s.target, s.bytes, s.hop_bytes, s.busiest_link_cycles, s.latency_cycles]
            for s in trace.streams
        ],
        "energy": [[part.component, part.joules, part.moves_data] for part in trace.energy],
        "modules": module_tree(report.graph),
        "program": report.program,
        "lines": program_lines(
            report.program, [k.name for k in trace.kernels], [r.name for r in plan.regions]
        ),
        "places": places(report.graph, [k.name for k in trace.kernels]),
        "sources": _sources(report.graph),
        "timeline": timeline_data(report.timeline),
    }


def _kernel(kernel: Any) -> dict[str, Any]:
    return {
        "name": kernel.name,
        "group": kernel.group,
        "units": kernel.units,
        "compute": kernel.compute_cycles,
        "movement": kernel.movement_cycles,
        "idle": kernel.idle_cycles,
        "macs": kernel.macs,
        "bytes": kernel.bytes_per_unit,
        "steps": [[s.text, s.kind, s.busy_cycles, s.latency_cycles] for s in kernel.steps],
    }


def _bytes_a_cycle(report: Report, rate: float | None) -> float | None:
    """Of a rate of all units together, what one of them has a cycle."""
    return None if rate is None else rate / report.capacity.units / report.trace.clock_hz


def _field(field: Field) -> dict[str, Any]:
    low, high = field.scale
    return {
        "title": field.title,
        "unit": field.unit,
        "low": low,
        "high": high,
        "png": base64.b64encode(_png(_levels(field.values, low, high))).decode("ascii"),
    }


def _levels(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    known = ~np.isnan(values)
    parts = np.clip((np.where(known, values, low) - low) / (high - low), 0, 1)
    return np.where(known, 1 + np.rint(parts * _LEVELS), 0).astype(np.uint8)


def _png(levels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(levels, mode="L").save(out, "PNG", compress_level=6)
    return out.getvalue()


def _sources(graph: Graph) -> dict[str, str]:
    """The lines of the model's files that nodes come from, where the files can still be read."""
    files: dict[str, list[str]] = {}
    found: dict[str, str] = {}
    for node in graph:
        place = node.location
        if not place.file:
            continue
        if place.file not in files:
            files[place.file] = _lines(Path(place.file))
        if 0 < place.line <= len(files[place.file]):
            found[f"{place.file}:{place.line}"] = files[place.file][place.line - 1].strip()
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
