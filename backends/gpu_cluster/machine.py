"""What a GPU and a cluster are, in figures; the figures are in gpus/, calibration/ and machines/, with sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import Field, model_validator

from wsc.backends.gpu_cluster.constants import Calibration, Common
from wsc.backends.gpu_cluster.kernels import Precision
from wsc.backends.gpu_cluster.topology.tiers import Tier, fat_tree, tier_fault
from wsc.compiler.machine import Flag, Part, Positive, Rate, Share, Text

Level = Literal["rank", "nvlink", "leaf", "spine", "core"]
LEVELS: tuple[Level, ...] = ("rank", "nvlink", "leaf", "spine", "core")


class Tensor(Part):
    """Peak rates of the matrix units, dense; a precision that is absent is not supported."""

    fp8_flops_per_second: Rate | None = None
    int8_flops_per_second: Rate | None = None
    bf16_flops_per_second: Rate
    tf32_flops_per_second: Rate


class Power(Part):
    """Where the watts and the joules go."""

    tdp_watts: Rate
    idle_watts: Rate
    memory_bound_watts: Rate
    tensor_bound_watts: Rate
    hbm_pj_per_byte: Rate
    nvlink_pj_per_byte: Rate
    nic_pj_per_byte: Rate


class Nccl(Part):
    """What NCCL's tuner believes of the GPU's links, by which it chooses algorithm and protocol."""

    ring_bytes_per_second: Rate  # all channels of a ring, simple protocol
    ll_bytes_per_second: Rate  # at most, low-latency protocol
    ll128_bytes_per_second: Rate  # at most, low-latency protocol with 128-byte lines
    nvls_efficiency: Share


class Gpu(Part):
    """One GPU: its data sheet, what its libraries believe of it, and the constants fitted for it and for all."""

    name: str
    sms: Positive
    clock_hz: Rate
    matrix_clock_hz: Rate | None = None  # that busy matrix units keep, where the maker states a lower one
    tensor: Tensor
    vector_flops_per_second: Rate  # fp32, outside the matrix units
    hbm_bytes: Positive
    hbm_bytes_per_second: Rate
    l2_bytes: Positive
    l2_bytes_per_second: Rate  # reads, peak
    l2_multicast: Rate  # SMs that one load of a tile can serve, in the mean
    exponentials_per_cycle: Rate  # an SM
    accumulators: Positive  # of the largest tiles, that an SM has room for at once
    speed_deviation: (
        Share  # of the speed of arithmetic among GPUs of one kind, a standard deviation over the mean
    )
    launch_seconds: Rate  # of the host, from one kernel launched to the next
    view_seconds: Rate  # of the host, for an operation that launches no kernel
    attention_library: Text  # whose fused attention is modelled
    nvlink_bytes_per_second: Rate  # one way, all links of the GPU
    nvlink_reduces: Flag  # NVLS: the switches of the domain add and multicast
    power: Power
    nccl: Nccl
    calibration: Calibration
    common: Common

    @model_validator(mode="after")
    def _library(self) -> Gpu:
        if self.attention_library not in self.common.attention:
            known = ", ".join(sorted(self.common.attention))
            raise ValueError(
                f"attention_library is '{self.attention_library}'; there are constants for {known}"
            )
        return self

    def slowest(self, count: int) -> float:
        """How many times longer than the mean the slowest of `count` GPUs computes, as expected.

        Blom's approximation of the largest of normal deviates (Statistical Estimates, 1958). GPUs that wait for each
        other all go at this pace.
        """
        if count < 2:
            return 1.0
        return 1 + self.speed_deviation * NormalDist().inv_cdf((count - 0.375) / (count + 0.25))

    def peak(self, precision: Precision) -> float:
        """Peak operations a second of the matrix units; raises ValueError where the GPU lacks the precision."""
        rates = {
            Precision.FP8: self.tensor.fp8_flops_per_second,
            Precision.INT8: self.tensor.int8_flops_per_second,
            Precision.BF16: self.tensor.bf16_flops_per_second,
            Precision.FP16: self.tensor.bf16_flops_per_second,
            Precision.TF32: self.tensor.tf32_flops_per_second,
            Precision.FP32: self.vector_flops_per_second,
        }
        rate = rates[precision]
        if rate is None:
            raise ValueError(f"{self.name} has no {precision.value} products")
        return rate

    def kept(self, precision: Precision) -> float:
        """The peak at the clock that busy matrix units keep; raises ValueError as `peak` does."""
        share = (self.matrix_clock_hz or self.clock_hz) / self.clock_hz
        return self.peak(precision) * (1.0 if precision is Precision.FP32 else share)


class System(Part):
    """How the GPU is built in: nodes, NVLink domains, and the port of each GPU to the scale-out network."""

    node_gpus: Positive
    domain_gpus: Positive  # joined by NVLink
    nic_bytes_per_second: Rate  # one way, a GPU
    nic_efficiency: Share  # of that, in a long message
    message_seconds: Rate  # of a port, for each message
    nic_latency_seconds: Rate  # GPU memory to GPU memory, without the switches
    switch_latency_seconds: Rate
    switch_ports: Positive  # at nic_bytes_per_second
    unit_nodes: Positive  # nodes whose GPUs share leaves
    rails: Flag  # leaf i of a unit joins the i-th GPUs of its nodes


@dataclass(frozen=True)
class Link:
    """Something traffic queues for, one way; links of one name are one link."""

    name: str
    bytes_per_second: float


@dataclass(frozen=True)
class Span:
    """What a group of ranks stretches over: the highest level it crosses, and its NVLink domains."""

    level: Level
    ranks: int
    domains: int
    ranks_per_domain: int  # in the fullest domain


class Cluster(Part):
    """GPUs in NVLink domains and nodes, joined by a tree of switches. Ranks count through domains, then nodes."""

    name: str
    target: Literal["gpu_cluster"]
    gpu: Gpu
    gpus: int = Field(gt=0)
    system: System
    tiers: tuple[Tier, ...] = ()  # from the GPUs up; made by a pattern where a file gives none
    stragglers: dict[int, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict
    )  # GPU: times as long as its kernels take

    @model_validator(mode="after")
    def _known_stragglers(self) -> Cluster:
        if strangers := [str(gpu) for gpu in self.stragglers if not 0 <= gpu < self.gpus]:
            raise ValueError(
                f"stragglers name GPU {', '.join(strangers)}, and there are 0 to {self.gpus - 1:,}"
            )
        return self

    @model_validator(mode="after")
    def _joined(self) -> Cluster:
        if self.gpus > self.system.domain_gpus:
            tiers = self.tiers or fat_tree(self.gpus, self.system.switch_ports, self._rail_leaves())
            fault = tier_fault(tiers, self.gpus)
            if fault:
                raise ValueError(fault)
            object.__setattr__(self, "tiers", tiers)
        return self

    def domain(self, rank: int) -> int:
        """The NVLink domain of a rank."""
        return rank // self.system.domain_gpus

    def leaf(self, rank: int) -> int:
        """The leaf switch of a rank's port."""
        system = self.system
        if self.tiers[0].switches == 1:
            return 0  # one switch joins all rails
        if not system.rails:
            return rank // self.tiers[0].down_ports
        node, local = divmod(rank, system.node_gpus)
        unit = node // system.unit_nodes
        return unit * ceil(system.node_gpus / self._rails_a_leaf()) + local // self._rails_a_leaf()

    def _rails_a_leaf(self) -> int:
        """Rails that share a leaf: several where a unit is not full."""
        nodes = min(self.system.unit_nodes, ceil(self.gpus / self.system.node_gpus))
        return max(1, self.system.switch_ports // 2 // nodes)

    def _rail_leaves(self) -> int:
        """Leaves that rails need; none without rails."""
        if not self.system.rails:
            return 0
        units = ceil(self.gpus / self.system.node_gpus / self.system.unit_nodes)
        return units * ceil(self.system.node_gpus / self._rails_a_leaf())

    def pod(self, rank: int) -> int:
        """The set of leaves, joined by spines without the core, that a rank's leaf is in."""
        return self.leaf(rank) // self.tiers[1].down_ports if len(self.tiers) > 2 else 0

    def level(self, ranks: Sequence[int]) -> Level:
        """The highest level that traffic among the ranks crosses."""
        if len(set(ranks)) < 2:
            return "rank"
        if len({self.domain(r) for r in ranks}) == 1:
            return "nvlink"
        if len({self.leaf(r) for r in ranks}) == 1:
            return "leaf"
        return "spine" if len({self.pod(r) for r in ranks}) == 1 else "core"

    def span(self, ranks: Sequence[int]) -> Span:
        """What a group stretches over."""
        counts = Counter(self.domain(rank) for rank in ranks)
        return Span(self.level(ranks), len(ranks), len(counts), max(counts.values()))

    def tier_share(self, level: Level) -> float:
        """What an oversubscribed tier leaves of each port's rate to traffic that crosses `level`; 1 in a full tree."""
        crossed = {"spine": self.tiers[:1], "core": self.tiers[:2]}.get(level, ())
        return min([1.0, *(tier.up_ports / tier.down_ports for tier in crossed)])

    def path(self, source: int, target: int) -> tuple[Link, ...]:
        """The links, in order, that a message between two ranks queues for."""
        level = self.level((source, target))
        if level == "rank":
            return ()
        if level == "nvlink":
            rate = self.gpu.nvlink_bytes_per_second
            return (Link(f"gpu{source}.nvlink.out", rate), Link(f"gpu{target}.nvlink.in", rate))
        nic = self.system.nic_bytes_per_second
        up, down = [Link(f"gpu{source}.nic.out", nic)], [Link(f"gpu{target}.nic.in", nic)]
        if level in ("spine", "core"):
            trunk = self.tiers[0].up_ports * nic
            up.append(Link(f"leaf{self.leaf(source)}.up", trunk))
            down.append(Link(f"leaf{self.leaf(target)}.down", trunk))
        if level == "core":
            trunk = self.tiers[1].down_ports * self.tiers[1].up_ports * nic
            up.append(Link(f"pod{self.pod(source)}.up", trunk))
            down.append(Link(f"pod{self.pod(target)}.down", trunk))
        return (*up, *reversed(down))

    def latency_seconds(self, source: int, target: int) -> float:
        """Time of an empty message between two ranks of different domains, memory to memory; 0 within a domain."""
        switches = {"leaf": 1, "spine": 3, "core": 5}.get(self.level((source, target)), 0)
        if not switches:
            return 0.0
        return self.system.nic_latency_seconds + switches * self.system.switch_latency_seconds
