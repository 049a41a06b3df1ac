"""What every kernel and stream does when, in the first inputs of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from wsc.backends.wafer.instructions import Load, Send
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate.counters import counters
from wsc.backends.wafer.simulate.in_order import InOrder, Line
from wsc.backends.wafer.simulate.pipeline import Pipeline
from wsc.backends.wafer.simulate.prepare import Prepared, prepare
from wsc.backends.wafer.text import print_instruction
from wsc.simulation.dataflow import Task
from wsc.simulation.timeline import Span, Timeline, Track


def timeline(program: Program, machine: Wafer, inputs: int) -> Timeline:
    """A track for each kernel's busiest core, and one for each stream, over `inputs` inputs from an empty machine."""
    prepared = prepare(program, machine)
    if program.kernels[0].in_order:
        return _in_order(prepared, inputs)
    pipeline = Pipeline(prepared, lambda times: len(times) >= inputs, inputs=inputs)
    kernels = {kernel.name: list[Span]() for kernel in program.kernels}
    streams = {stream.name: list[Span]() for stream in program.streams}
    for kernel, costs in zip(program.kernels, prepared.costs, strict=True):
        steps = zip(kernel.instructions(), costs, strict=True)
        told = [(print_instruction(instruction), cost.kind) for instruction, cost in steps]
        names = dict(zip(pipeline.tasks[kernel.name], told, strict=True))
        for engine in {task.engine for task in names}:
            engine.watch = _task_watch(names, kernels[kernel.name])
    for name, channel in pipeline.channels.items():
        channel.watch = _channel_watch(name, streams[name])
    pipeline.run()
    return Timeline(
        f"{program.name} on {machine.name}",
        machine.core.clock_hz,
        _tracks(prepared, kernels, streams),
        counters(prepared, kernels, streams, inputs),
    )


def _in_order(prepared: Prepared, inputs: int) -> Timeline:
    """Of programs whose kernels run in order: every run of every instruction, for as long as cores are at it."""
    program, machine = prepared.program, prepared.machine
    kernels = {kernel.name: list[Span]() for kernel in program.kernels}
    streams = {stream.name: list[Span]() for stream in program.streams}
    loads: defaultdict[str, list[Span]] = defaultdict(list)
    runs: defaultdict[tuple[str, int], int] = defaultdict(int)

    def watch(kernel: str, line: Line, start: int, cycles: int) -> None:
        text, op = print_instruction(line.instruction), line.instruction.op
        name = text.split("(")[0].split("=")[-1].strip()
        key = (kernel, id(line))
        track = kernels[kernel] if not isinstance(op, Load) else loads[kernel]
        track.append(Span(name, line.cost.kind, start, cycles, {"instruction": text, "run": runs[key]}))
        runs[key] += 1
        if isinstance(op, Send):
            flight = simulated.traffic[op.stream].flight_cycles(machine)
            sent = {"transfer": len(streams[op.stream])}
            streams[op.stream].append(Span(op.stream, "stream", start, flight, sent))

    simulated, begin = InOrder(prepared, watch), 0
    for _ in range(inputs):
        end = simulated.run_input(begin)
        begin = end if program.awaits_itself else 0
    title = f"{program.name} on {machine.name}"
    edge = tuple(Track("edge", f"loads of {name}", tuple(spans)) for name, spans in loads.items())
    tracks = (*_tracks(prepared, kernels, streams), *edge)
    return Timeline(title, machine.core.clock_hz, tracks, counters(prepared, kernels, streams, inputs))


def _task_watch(names: dict[Task, tuple[str, str]], spans: list[Span]) -> Callable[[Task, int, int], None]:
    runs: defaultdict[Task, int] = defaultdict(int)

    def watch(task: Task, start: int, cycles: int) -> None:
        text, kind = names[task]
        name = text.split("(")[0].split("=")[-1].strip()
        spans.append(Span(name, kind, start, cycles, {"instruction": text, "run": runs[task]}))
        runs[task] += 1

    return watch


def _channel_watch(name: str, spans: list[Span]) -> Callable[[int, int], None]:
    return lambda start, cycles: spans.append(Span(name, "stream", start, cycles, {"transfer": len(spans)}))


def _tracks(
    prepared: Prepared, kernels: dict[str, list[Span]], streams: dict[str, list[Span]]
) -> tuple[Track, ...]:
    ends = {s.name: f"{s.name}: {s.source.kernel} to {s.target.kernel}" for s in prepared.program.streams}
    return (
        *(Track(_group(prepared, name), name, tuple(spans)) for name, spans in kernels.items()),
        *(
            Track("streams", ends[name], tuple(sorted(spans, key=lambda s: s.start)))
            for name, spans in streams.items()
        ),
    )


def _group(prepared: Prepared, kernel: str) -> str:
    """Kernels of one wafer stand together."""
    program = prepared.program
    return "kernels" if program.wafers == 1 else f"kernels of wafer {program.kernel(kernel).wafer}"
