"""Joules of a simulated run: power over time by what bounds each kernel, and of that what moving bytes takes.

A GPU draws its idle power always, and more by how busy its matrix units and its memory are, up to its limit. The joules
of movement are bytes times picojoules a byte of the memory and of the links; those of the memory and of NVLink are part
of the GPU's power, those of the scale-out network come on top (ports, optics and switches outside the GPU).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wsc.backends.gpu_cluster.census import take_census
from wsc.backends.gpu_cluster.kernels import Attention, Collective, Gemm, Kernel, Pointwise, Quantize
from wsc.backends.gpu_cluster.machine import Cluster, Gpu
from wsc.backends.gpu_cluster.program import Program, class_of_ranks
from wsc.backends.gpu_cluster.simulate.fold import Folding, fold
from wsc.backends.gpu_cluster.simulate.kernels import STEADY_SECONDS, kernel_seconds
from wsc.backends.gpu_cluster.simulate.memory import turning_round
from wsc.backends.gpu_cluster.simulate.run import ClusterTrace
from wsc.simulation.trace import EnergyPart

_PICO = 1e-12


@dataclass(frozen=True)
class Work:
    """What a kernel does, whatever its time: operations of the matrix units, and bytes of the memory."""

    flops: float
    hbm_bytes: float


@dataclass(frozen=True)
class Energy:
    """Joules: of GPUs in all, of that idle, and moving bytes in memory and on NVLink; of the scale-out network."""

    gpu: float
    idle: float
    memory: float
    nvlink: float
    network: float

    @property
    def joules(self) -> float:
        """All of it."""
        return self.gpu + self.network

    def __add__(self, other: Energy) -> Energy:
        return Energy(
            self.gpu + other.gpu,
            self.idle + other.idle,
            self.memory + other.memory,
            self.nvlink + other.nvlink,
            self.network + other.network,
        )

    def times(self, count: float) -> Energy:
        """The same `count` times."""
        return Energy(
            *(count * part for part in (self.gpu, self.idle, self.memory, self.nvlink, self.network))
        )


NOTHING = Energy(0.0, 0.0, 0.0, 0.0, 0.0)


def kernel_work(kernel: Kernel) -> Work:
    """Operations and bytes of a kernel: every operand and result once."""
    size = 0 if isinstance(kernel, Pointwise | Quantize) else kernel.precision.bytes
    match kernel:
        case Gemm(m=m, n=n, k=k, batch=batch):
            moved = batch * (size * (m * k + k * n) + (8 if kernel.accumulate else 2) * m * n)
            return Work(kernel.flops, moved)
        case Attention(batch=batch, q_len=queries, kv_len=keys):
            pairs = queries * keys - (queries * (queries - 1) / 2 if kernel.causal else 0)
            passes = 2.5 if kernel.phase == "backward" else 1.0
            tokens = kernel.heads * queries + kernel.kv_heads * keys
            moved = 2 * batch * tokens * kernel.head_dim * size * (2 if kernel.phase == "backward" else 1)
            return Work(4 * batch * kernel.heads * pairs * kernel.head_dim * passes, moved)
        case Quantize(elements=elements):
            return Work(0.0, 5.0 * elements)
        case Pointwise():
            return Work(0.0, kernel.bytes_read + kernel.bytes_written)


def kernel_energy(kernel: Kernel, gpu: Gpu, seconds: float) -> Energy:
    """Joules of one kernel that takes `seconds` on one GPU, idle power included."""
    work, power = kernel_work(kernel), gpu.power
    peak = gpu.peak(kernel.precision) if isinstance(kernel, Gemm | Attention) else gpu.vector_flops_per_second
    matrix = min(1.0, work.flops / (peak * gpu.calibration.tensor_efficiency * seconds))
    streamed = work.hbm_bytes / (gpu.hbm_bytes_per_second * gpu.calibration.hbm_efficiency)
    if isinstance(kernel, Pointwise):
        streamed *= turning_round(kernel, gpu)
    memory = min(1.0, streamed / seconds)
    watts = power.idle_watts
    watts += matrix * (power.tensor_bound_watts - power.idle_watts)
    watts += memory * (power.memory_bound_watts - power.idle_watts)
    joules = min(watts, power.tdp_watts) * seconds
    return Energy(
        joules, power.idle_watts * seconds, work.hbm_bytes * power.hbm_pj_per_byte * _PICO, 0.0, 0.0
    )


def collective_energy(collective: Collective, cluster: Cluster) -> Energy:
    """Joules that one rank's part in a collective moves, without the time it takes."""
    ranks = len(collective.ranks)
    if ranks < 2:
        return NOTHING
    phases = 2.0 if collective.kind == "all_reduce" else 1.0
    share = 1.0 if collective.kind in ("send", "broadcast") else (ranks - 1) / ranks
    moved = phases * share * collective.bytes
    power = cluster.gpu.power
    memory = 2 * moved * power.hbm_pj_per_byte * _PICO
    span = cluster.span(collective.ranks)
    if span.domains == 1:
        links = moved * power.nvlink_pj_per_byte * _PICO
        return Energy(memory + links, 0.0, memory, links, 0.0)
    return Energy(memory, 0.0, memory, 0.0, moved / span.ranks_per_domain * power.nic_pj_per_byte * _PICO)


def program_energy(program: Program, cluster: Cluster, trace: ClusterTrace) -> Energy:
    """Joules of all GPUs in a simulated run: its kernels, what its collectives move, and idle power for the rest."""
    folding = fold(program, cluster, {})
    total = NOTHING
    for rank in trace.ranks:
        color = int(folding.colors[rank.first])
        total += rank_energy(program, folding, rank.ranks_class, color, trace.seconds).times(rank.ranks)
    return total


def rank_energy(program: Program, folding: Folding, number: int, color: int, seconds: float) -> Energy:
    """Joules of one rank of class `number` and of a colour in a run that it takes `seconds` for."""
    cluster = folding.cluster
    census = take_census(program, program.classes[number].body)
    one, busy = NOTHING, 0.0
    for (_, kernel), count in census.kernels.items():
        taken = kernel_seconds(kernel, cluster.gpu, program.graphs, STEADY_SECONDS)
        one += kernel_energy(kernel, cluster.gpu, taken).times(count)
        busy += count * taken
    for (kind, axes, size), count in census.collectives.items():
        moved = Collective(kind, size, folding.farthest(color, axes))  # type: ignore[arg-type]
        one += collective_energy(moved, cluster).times(count)
    rest = max(0.0, seconds - busy) * cluster.gpu.power.idle_watts
    return one + Energy(rest, rest, 0.0, 0.0, 0.0)


def energies(program: Program, cluster: Cluster, seconds: float) -> tuple[Energy, ...]:
    """Joules of every rank in order, in a run of the program that takes `seconds` in the steady state."""
    folding = fold(program, cluster, {})
    classes = class_of_ranks(program)
    of_color = {
        color: rank_energy(program, folding, int(classes[members[0]]), color, seconds)
        for color, members in enumerate(folding.members)
    }
    return tuple(of_color[int(color)] for color in folding.colors)


def parts(found: Iterable[Energy]) -> tuple[EnergyPart, ...]:
    """Joules by component; of a GPU's, what neither idles nor moves bytes is its matrix and vector units'."""
    total = sum(found, NOTHING)
    computing = max(0.0, total.gpu - total.idle - total.memory - total.nvlink)
    named = (
        ("computing", computing, False),
        ("idle", total.idle, False),
        ("HBM", total.memory, True),
        ("NVLink", total.nvlink, True),
        ("scale-out network", total.network, True),
    )
    return tuple(EnergyPart(*part) for part in named if part[1] > 0)
