"""What the streams of every kind of rank do when, in the first inputs of a run."""

from __future__ import annotations

from collections import defaultdict
from math import ceil

from wsc.backends.gpu_cluster.instructions import COMPUTE, Call, Communicate, Instruction, Launch, Recv, Send
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.program import Program, RankClass
from wsc.backends.gpu_cluster.simulate.bound import CLOCK_HZ
from wsc.backends.gpu_cluster.simulate.ranks import Task
from wsc.backends.gpu_cluster.simulate.run import RankTrace, simulate_program
from wsc.backends.gpu_cluster.text import print_instruction
from wsc.simulation.timeline import Span, Timeline, Track


def timeline(program: Program, machine: Cluster, inputs: int) -> Timeline:
    """A track for each stream of each kind of rank, over `inputs` inputs from idle GPUs; raises SimulationError.

    Ranks of one kind do the same at the same time: the first of them is shown. Cycles are nanoseconds.
    """
    spans: defaultdict[tuple[int, str], list[Span]] = defaultdict(list)

    def watch(task: Task, begun: float, ended: float) -> None:
        start, end = ceil(begun * CLOCK_HZ), ceil(ended * CLOCK_HZ)
        if end > start:
            spans[task.rank.color, task.stream].append(_span(task.instruction, start, end - start))

    rounds = ceil(inputs / program.runs)
    trace = simulate_program(program, machine, rounds=rounds, watch=watch)
    groups = [_group(program, rank) for rank in trace.ranks]
    tracks = (
        Track(groups[color], stream, tuple(sorted(found, key=lambda span: span.start)))
        for (color, stream), found in sorted(spans.items(), key=lambda item: _order(*item[0]))
    )
    return Timeline(f"{program.name} on {machine.name}", CLOCK_HZ, tuple(tracks))


def _order(color: int, stream: str) -> tuple[int, bool, str]:
    """Kernels before what runs beside them."""
    return color, stream != COMPUTE, stream


def _group(program: Program, rank: RankTrace) -> str:
    ranks: RankClass = program.classes[rank.ranks_class]
    where = " ".join(f"{axis} {index}" for axis, index in ranks.where) or "every stage"
    others = f" and {rank.ranks - 1:,} like it" if rank.ranks > 1 else ""
    return f"{where}: rank {rank.first}{others}"


def _span(instruction: Instruction, start: int, cycles: int) -> Span:
    name, kind = _told(instruction)
    return Span(name, kind, start, cycles, {"instruction": print_instruction(instruction)})


def _told(instruction: Instruction) -> tuple[str, str]:
    """The name of what takes time, and its kind."""
    match instruction:
        case Launch(label=label):
            return label, "compute"
        case Call(block=block, times=times):
            return block if times == 1 else f"{times} x {block}", "compute"
        case Communicate(kind=kind, label=label):
            return f"{label}: {kind}", "movement"
        case Send(channel=channel) | Recv(channel=channel):
            return channel, "stream"
        case _:
            return print_instruction(instruction), "compute"
