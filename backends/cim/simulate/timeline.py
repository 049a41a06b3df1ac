"""What every stage and stream does when, in the first inputs of a run."""

from __future__ import annotations

from collections import defaultdict

from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.program import Program
from wsc.backends.cim.simulate.pipeline import Pipeline
from wsc.backends.cim.simulate.prepare import prepare
from wsc.simulation.timeline import Span, Timeline, Track

KINDS = {
    "product": "compute",
    "write": "compute",
    "lanes": "compute",
    "load": "movement",
    "partial sums": "movement",
}


def timeline(program: Program, machine: CimMachine, inputs: int) -> Timeline:
    """Tracks of each stage's slowest tile for what it does, and one for each stream, from an empty machine."""
    prepared = prepare(program, machine)
    spans: defaultdict[tuple[str, str], list[Span]] = defaultdict(list)

    def watch(name: str, what: str, start: int, cycles: int) -> None:
        found = spans[name, what]
        chunk = len(found) % _chunks(program, name) if what != "stream" else len(found)
        kind = KINDS.get(what, "stream")
        found.append(Span(what, kind, int(start), int(cycles), {"chunk": chunk}))

    Pipeline(prepared, lambda times: len(times) >= inputs, inputs=inputs, watch=watch).run()
    tracks = [
        Track("stages", f"{stage.name}: {what}", _ordered(spans[stage.name, what]))
        for stage in program.stages
        for what in ("load", "write", "product", "partial sums", "lanes")
        if spans[stage.name, what]
    ]
    streams = [
        Track("streams", f"{s.name}: {s.source} to {s.target}", _ordered(spans[s.name, "stream"]))
        for s in program.streams
    ]
    return Timeline(f"{program.name} on {machine.name}", machine.chip.clock_hz, (*tracks, *streams))


def _chunks(program: Program, stage: str) -> int:
    return program.by_name[stage].chunks


def _ordered(spans: list[Span]) -> tuple[Span, ...]:
    return tuple(sorted(spans, key=lambda span: span.start))
