"""What single instructions take on a GPU of the cluster: kernels by shape, collectives by group."""

from __future__ import annotations

from wsc.backends.gpu_cluster.instructions import Communicate, Send
from wsc.backends.gpu_cluster.kernels import Attention, Collective, Kernel, Pointwise, Quantize
from wsc.backends.gpu_cluster.machine import Cluster
from wsc.backends.gpu_cluster.program import Program
from wsc.backends.gpu_cluster.simulate.collectives import Choice, collective_seconds
from wsc.backends.gpu_cluster.simulate.engine import Work
from wsc.backends.gpu_cluster.simulate.fold import Axes, Folding, trunk_share
from wsc.backends.gpu_cluster.simulate.kernels import STEADY_SECONDS, kernel_seconds
from wsc.compiler.errors import SimulationError


class Costs:
    """Work of instructions; remembers what it has worked out."""

    def __init__(self, program: Program, cluster: Cluster, folding: Folding) -> None:
        self.program = program
        self.cluster = cluster
        self.folding = folding
        self._kernels: dict[Kernel, Work] = {}
        self._collectives: dict[tuple[str, int, Axes, bool, int], Work] = {}
        self._sends: dict[tuple[int, str, int, int], Work] = {}
        self._groups: dict[tuple[int, Axes], tuple[int, ...]] = {}
        self._shares: dict[Axes, float] = {}

    def kernel(self, kernel: Kernel) -> Work:
        """Work of a kernel; raises SimulationError where the GPU cannot run it."""
        if kernel not in self._kernels:
            try:
                seconds = kernel_seconds(kernel, self.cluster.gpu, self.program.graphs, STEADY_SECONDS)
            except ValueError as error:
                raise SimulationError(str(error)) from error
            streams = isinstance(kernel, Pointwise | Quantize) or (
                isinstance(kernel, Attention) and kernel.phase == "decode"
            )
            pace = self.cluster.gpu.slowest(self.program.ranks)
            self._kernels[kernel] = Work(memory=seconds) if streams else Work(arithmetic=seconds * pace)
        return self._kernels[kernel]

    def host(self, operations: int) -> Work:
        """Work of operations of the host alone; a captured graph has none."""
        return Work(latency=0.0 if self.program.graphs else operations * self.cluster.gpu.view_seconds)

    def collective(self, instruction: Communicate, color: int) -> Work:
        """Work of a collective in which ranks of a colour take part."""
        key = (instruction.kind, instruction.bytes, instruction.axes, instruction.one_shot, color)
        if key not in self._collectives:
            ranks = self._group(color, instruction.axes)
            collective = Collective(instruction.kind, instruction.bytes, ranks, instruction.one_shot)
            choice = collective_seconds(collective, self.cluster, self._share(instruction.axes))
            self._collectives[key] = self._work(choice, ranks)
        return self._collectives[key]

    def send(self, instruction: Send, color: int) -> Work:
        """Work of a message from ranks of a colour."""
        key = (color, instruction.axis, instruction.steps, instruction.bytes)
        if key not in self._sends:
            pair = self.folding.farthest_hop(color, (instruction.axis, instruction.steps))
            if pair[0] == pair[1]:
                self._sends[key] = Work()
            else:
                choice = collective_seconds(Collective("send", instruction.bytes, pair), self.cluster)
                self._sends[key] = self._work(choice, pair)
        return self._sends[key]

    def _group(self, color: int, axes: Axes) -> tuple[int, ...]:
        if (color, axes) not in self._groups:
            self._groups[color, axes] = self.folding.farthest(color, axes)
        return self._groups[color, axes]

    def _share(self, axes: Axes) -> float:
        if axes not in self._shares:
            self._shares[axes] = trunk_share(self.program, self.cluster, axes)
        return self._shares[axes]

    def _work(self, choice: Choice, ranks: tuple[int, ...]) -> Work:
        if not choice.seconds:
            return Work()
        if self.cluster.level(ranks) in ("rank", "nvlink"):
            return Work(nvlink=choice.seconds, sms=choice.sm_share, hbm=choice.hbm_share, nvlink_load=1.0)
        return Work(nic=choice.seconds, sms=choice.sm_share, hbm=choice.hbm_share, nic_load=1.0)
