"""Seconds of collectives among the GPUs of one NVLink domain: NCCL's rings and its reduction in the switch.

The forms are of a ring's pipeline: latency of the steps, time of the bytes through each GPU, and for the simple
protocol the filling of a pipeline whose chunks grow with the message. Every rank also copies its own part.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2
from typing import Literal

from wsc.backends.gpu_cluster.kernels import Collective
from wsc.backends.gpu_cluster.machine import Gpu
from wsc.backends.gpu_cluster.simulate.tuner import RingProtocol, chosen_protocol

Algorithm = Literal["none", "ring", "tree", "nvls", "pairs", "one_shot", "hierarchical"]
Protocol = Literal["none", "ll", "ll128", "simple"]

_MICROSECOND = 1e-6
CHANNELS = {
    "ring": 24,
    "nvls": 16,
    "pairs": 24,
    "one_shot": 16,
    "tree": 24,
    "hierarchical": 16,
}  # blocks, each an SM


@dataclass(frozen=True)
class Choice:
    """How a collective is carried out, and what it takes.

    `sm_share` of the GPU's SMs and `hbm_share` of its memory bandwidth are not there for kernels that run meanwhile.
    """

    algorithm: Algorithm
    protocol: Protocol
    seconds: float
    sm_share: float
    hbm_share: float


NOTHING = Choice("none", "none", 0.0, 0.0, 0.0)


def domain_choice(collective: Collective, gpu: Gpu) -> Choice:
    """How NCCL carries out a collective within one domain, and its seconds."""
    ranks, size = len(collective.ranks), collective.bytes
    if ranks < 2 or not size:
        return NOTHING
    if collective.kind in ("all_to_all", "send"):
        return choice(gpu, "pairs", "simple", pairs_seconds(collective.kind, size, ranks, gpu), size)
    phases = 2 if collective.kind == "all_reduce" else 1
    algorithm, protocol = chosen_protocol(gpu, size, ranks, phases)
    seconds = (
        nvls_seconds(size, ranks, gpu)
        if algorithm == "nvls"
        else ring_seconds(protocol, size, ranks, phases, gpu)
    )
    found = choice(gpu, algorithm, protocol, seconds, phases * size)
    if collective.one_shot and collective.kind == "all_reduce":
        short = choice(gpu, "one_shot", "simple", one_shot_seconds(size, ranks, gpu), ranks * size)
        return min(found, short, key=lambda c: c.seconds)
    return found


def choice(gpu: Gpu, algorithm: Algorithm, protocol: Protocol, seconds: float, through: float) -> Choice:
    """A choice with its shares; `through` bytes are both read and written in the GPU's memory."""
    traffic = 2 * through / seconds / gpu.hbm_bytes_per_second
    return Choice(algorithm, protocol, seconds, min(1.0, CHANNELS[algorithm] / gpu.sms), min(1.0, traffic))


def step_latency(steps: int, gpu: Gpu) -> float:
    """Seconds of a kernel that passes next to nothing on `steps` times."""
    return gpu.calibration.collective_floor_seconds + steps * gpu.calibration.collective_step_seconds


def ring_seconds(protocol: RingProtocol, size: int, ranks: int, phases: int, gpu: Gpu) -> float:
    """Seconds of a ring: all_reduce in two phases; all_gather, reduce_scatter and broadcast in one."""
    constants = gpu.common.collectives
    latency = step_latency(phases * (ranks - 1), gpu)
    work = ring_work_seconds(size, ranks, phases, gpu)
    if protocol == "ll":
        part = size / ranks
        full = part**2 / (part**2 + constants.ramp_bytes_per_rank**2)
        rate = gpu.nccl.ll_bytes_per_second * constants.ll_rate
        return latency * (1 + constants.ramp * full) + phases * size / rate
    if protocol == "ll128":
        return latency * constants.ll128_latency + work * constants.ll128_work
    return latency * (1 + constants.simple_latency) + fill_seconds(work, constants.simple_growth, gpu) + work


def ring_work_seconds(size: float, ranks: int, phases: int, gpu: Gpu) -> float:
    """Seconds of a ring's bytes through the links and of the rank's own part."""
    crossing = phases * (ranks - 1) / ranks
    own = gpu.common.collectives.own_copy / ranks
    return size * (crossing + own) / (gpu.nvlink_bytes_per_second * gpu.calibration.nvlink_efficiency)


def fill_seconds(work: float, growth: float, gpu: Gpu) -> float:
    """Seconds to fill a pipeline whose chunks grow with the message."""
    power = gpu.common.collectives.growth_power
    return growth * gpu.calibration.collective_floor_seconds * float((work / _MICROSECOND) ** power)


def nvls_seconds(size: int, ranks: int, gpu: Gpu) -> float:
    """Seconds of an all_reduce in the switch: each GPU sends its buffer once and receives a part, then the reverse.

    All ranks talk to the switch at once; what grows with them is their barrier, by steps of doubling distance.
    """
    constants = gpu.common.collectives
    links = size * (ranks + 1) / ranks / gpu.nvlink_bytes_per_second
    work = links / gpu.calibration.nvlink_efficiency * constants.nvls_work
    latency = step_latency(2 * ceil(log2(ranks)), gpu) * (1 + constants.nvls_latency)
    return latency + fill_seconds(work, constants.nvls_growth, gpu) + work


def pairs_seconds(kind: str, size: int, ranks: int, gpu: Gpu) -> float:
    """Seconds of sends between all pairs at once (all_to_all), or of one send within the domain."""
    constants = gpu.common.collectives
    part = size / ranks if kind == "all_to_all" else size
    peers = ranks - 2 if kind == "all_to_all" else 0
    work = ring_work_seconds(size, ranks, 1, gpu)
    if kind == "send":
        work = size / (gpu.nvlink_bytes_per_second * gpu.calibration.nvlink_efficiency)
    latency = step_latency(0, gpu) + constants.pairs_floor_seconds + peers * constants.pairs_step_seconds
    protocol = min(part / constants.pairs_ll_bytes_per_second, constants.pairs_simple_seconds)
    return latency + protocol + work + fill_seconds(work, constants.pairs_growth, gpu)


def one_shot_seconds(size: int, ranks: int, gpu: Gpu) -> float:
    """Seconds of a serving library's all_reduce in which each GPU reads every other's whole buffer."""
    constants = gpu.common.collectives
    links = (ranks - 1) * size / (gpu.nvlink_bytes_per_second * gpu.calibration.nvlink_efficiency)
    floor = constants.custom_floor * gpu.calibration.collective_floor_seconds
    return floor + links / constants.custom_rate
