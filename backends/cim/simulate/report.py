"""The trace of a run: where the cycles and the energy of an interval went, and what bounds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from wsc.backends.cim.program import HOST, Piece, Stage
from wsc.backends.cim.simulate.energy import energy
from wsc.backends.cim.simulate.prepare import Prepared, StageCosts, StreamCosts
from wsc.compiler.ir.text import print_op
from wsc.simulation.trace import KernelTrace, StepTrace, StreamTrace, Trace

SATURATED = 0.9  # a resource this busy is what bounds the interval


@dataclass(frozen=True)
class Busy:
    """How long something works for one input."""

    name: str
    cycles: float


def report(prepared: Prepared, latency: int, interval: int, blocked: Mapping[str, int]) -> Trace:
    """The trace; `blocked` are the cycles an input that each stream's source waits for room at the target."""
    waiting: dict[str, int] = {}
    for costs in prepared.streams:
        s = costs.stream
        waiting[s.target] = waiting.get(s.target, 0) + s.capacity * s.chunk_bytes
    return Trace(
        clock_hz=prepared.machine.chip.clock_hz,
        latency_cycles=latency,
        interval_cycles=interval,
        kernels=tuple(
            _kernel(costs, interval, waiting.get(costs.stage.name, 0)) for costs in prepared.stages
        ),
        streams=tuple(_stream(costs) for costs in prepared.streams),
        bounded_by=_bound(prepared, interval, blocked),
        energy=energy(prepared, interval),
    )


def _kernel(costs: StageCosts, interval: int, waiting: int) -> KernelTrace:
    """A stage's row; `waiting` are the bytes that all its inputs' buffers hold, on its own tiles or on others'."""
    stage = costs.stage
    # Arrays and lanes of a stage work side by side: what is told is the busier of them, and loads besides.
    compute = min(float(interval), _compute(costs))
    movement = min(interval - compute, stage.chunks * float(costs.load.max()))
    return KernelTrace(
        name=stage.name,
        group=stage.group,
        units=len(stage.tiles),
        compute_cycles=compute,
        movement_cycles=movement,
        idle_cycles=interval - compute - movement,
        macs=costs.macs,
        bytes_per_unit=waiting // max(1, len(stage.tiles)),
        steps=tuple(_steps(costs)),
    )


def _compute(costs: StageCosts) -> float:
    busiest = max(costs.product, int(costs.digital.max()), int(costs.issue.max()))
    return float(costs.stage.chunks * busiest + costs.write + costs.rewrite)


def _steps(costs: StageCosts) -> Iterator[StepTrace]:
    stage = costs.stage
    if stage.product is not None and costs.timing is not None:
        if costs.rewrite:
            yield StepTrace(
                f"write {stage.product.weight}", "compute", float(costs.rewrite), float(costs.rewrite)
            )
        busy = float(stage.chunks * costs.product)
        yield StepTrace(f"product {stage.product.weight}", "compute", busy, costs.timing.latency)
    digital = float(stage.chunks * costs.digital.max())
    if digital:
        said = ", ".join(print_op(step.op).partition("(")[0] for step in stage.steps[:4]) or "additions"
        yield StepTrace(f"lanes: {said}", "compute", digital, float(costs.digital.max()))
    if costs.partial.arrival:
        busy = float(stage.chunks * costs.partial.drain)
        yield StepTrace("partial sums", "movement", busy, float(costs.partial.arrival))


def _stream(costs: StreamCosts) -> StreamTrace:
    s = costs.stream
    hop_bytes = int(costs.load.hop_bytes) * s.source_chunks
    return StreamTrace(
        s.name,
        s.source,
        s.target,
        s.type.bytes,
        hop_bytes,
        float(costs.path.drain * s.source_chunks),
        costs.path.arrival,
    )


def _bound(prepared: Prepared, interval: int, blocked: Mapping[str, int]) -> str:
    most = max(_loads(prepared), key=lambda load: load.cycles)
    if prepared.reloads:
        rounds = prepared.program.rounds
        return f"the weights are larger than the arrays: {rounds} rounds for each input, and none overlap"
    if most.cycles >= SATURATED * interval:
        return f"{most.name}: busy {min(most.cycles, interval):,.0f} of {interval:,} cycles"
    nothing = f"no resource is busy more than {most.cycles:,.0f} of {interval:,} cycles ({most.name})"
    tight = max(
        (s.stream for s in prepared.streams if s.stream.source != HOST),
        key=lambda s: blocked.get(s.name, 0),
        default=None,
    )
    if tight is None or not blocked.get(tight.name):
        return f"latency: chunks wait for each other; {nothing}"
    return (
        f"back-pressure: stream {tight.name} from '{tight.source}' waits {blocked[tight.name]:,} cycles an input for "
        f"room at '{tight.target}' (capacity {tight.capacity}); {nothing}"
    )


def _loads(prepared: Prepared) -> Iterator[Busy]:
    """Everything that can be busy, with the cycles one input takes of it."""
    tiles = len(prepared.program.places)
    bus, turns, lanes = (np.zeros(tiles) for _ in range(3))
    links = np.zeros(prepared.links)
    for costs in prepared.stages:
        chunks = costs.stage.chunks
        yield Busy(f"the arrays of '{costs.stage.name}'", float(chunks * costs.product + costs.rewrite))
        bus[costs.tiles] += chunks * costs.load + costs.rewrite_load
        turns[costs.tiles] += chunks * costs.issue
        lanes[costs.tiles] += chunks * costs.digital
        links[costs.partial.resources] += chunks * costs.partial.loads
    for stream in prepared.streams:
        links[stream.path.resources] += stream.stream.source_chunks * stream.path.loads
    for name, cycles in (("bus", bus), ("product turns", turns), ("digital lanes", lanes)):
        tile = int(cycles.argmax())
        owners = [c.stage.name for c in prepared.stages if tile in c.tiles]
        yield Busy(f"the {name} of tile {tile} ({', '.join(owners[:3])})", float(cycles[tile]))
    if links.size:
        yield Busy("the busiest link", float(links.max()))


def least_interval(prepared: Prepared) -> float:
    """Cycles an input of the busiest resource: outputs cannot be closer for long."""
    return max(load.cycles for load in _loads(prepared))


def pieces_of(stage: Stage, tile: int) -> tuple[Piece, ...]:
    """What a stage has on a tile."""
    return tuple(piece for piece in stage.pieces if piece.tile == tile)
