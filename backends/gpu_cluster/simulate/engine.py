"""The event kernel of a cluster: activities that slow each other down while they share a GPU or its ports.

An activity (a kernel, a called block, a collective, a message) has a duration that depends on what else is active on
its GPUs; whenever that changes, its end is reckoned again from the share that is done. Events are a heap of such ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from heapq import heappop, heappush

PORTS = ("nvlink", "nic")
MOST_OF_A_GPU = 0.9  # that communication can take from kernels, whatever the sum of its shares


@dataclass(frozen=True)
class Work:
    """What an activity takes where nothing disturbs it, in seconds, by what bounds it; and what it takes from others.

    `arithmetic` is slowed by SMs that others hold, `memory` by their share of memory bandwidth, time on the ports
    `nvlink` and `nic` by others on the port. `sms` and `hbm` are the shares that the activity itself holds;
    `nvlink_load` and `nic_load` the shares of its time in which it uses the port.
    """

    arithmetic: float = 0.0
    memory: float = 0.0
    nvlink: float = 0.0
    nic: float = 0.0
    latency: float = 0.0
    sms: float = 0.0
    hbm: float = 0.0
    nvlink_load: float = 0.0
    nic_load: float = 0.0

    @cached_property
    def seconds(self) -> float:
        """The whole, undisturbed."""
        return self.arithmetic + self.memory + self.nvlink + self.nic + self.latency

    def alone(self, slowdown: float) -> float:
        """Seconds where nothing else is active on a GPU whose kernels take `slowdown` times as long."""
        return (self.arithmetic + self.memory) * slowdown + self.nvlink + self.nic + self.latency

    def times(self, count: int) -> Work:
        """The same `count` times in a row."""
        if count == 1:
            return self
        return replace(
            self,
            arithmetic=self.arithmetic * count,
            memory=self.memory * count,
            nvlink=self.nvlink * count,
            nic=self.nic * count,
            latency=self.latency * count,
        )


@dataclass(eq=False)
class Gpu:
    """A GPU that stands for its colour: what is active on it."""

    slowdown: float = 1.0
    active: list[Activity] = field(default_factory=list)


@dataclass(eq=False)
class Activity:
    """Something that takes time on some GPUs; `done` is called at its end."""

    work: Work
    gpus: tuple[Gpu, ...]
    done: Callable[[], None]
    left: float = 1.0
    since: float = 0.0
    duration: float = 0.0
    version: int = 0

    def reckon(self) -> float:
        """Its whole duration under what is active now."""
        return max(self._on(gpu) for gpu in self.gpus)

    def _on(self, gpu: Gpu) -> float:
        work = self.work
        if len(gpu.active) == 1:
            return work.alone(gpu.slowdown)
        sms = hbm = nvlink = nic = 0.0
        for other in gpu.active:
            if other is not self:
                sms += other.work.sms
                hbm += other.work.hbm
                nvlink += other.work.nvlink_load
                nic += other.work.nic_load
        arithmetic = work.arithmetic / (1 - min(sms, MOST_OF_A_GPU))
        memory = work.memory / (1 - min(hbm, MOST_OF_A_GPU))
        ports = work.nvlink * (1 + nvlink) + work.nic * (1 + nic)
        return (arithmetic + memory) * gpu.slowdown + ports + work.latency


class Engine:
    """Time, and the ends that are to come."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, int, Activity]] = []
        self._count = 0

    def begin(self, work: Work, gpus: tuple[Gpu, ...], done: Callable[[], None]) -> None:
        """Start an activity now."""
        activity = Activity(work, gpus, done, since=self.now)
        if not work.seconds:
            activity.duration = 0.0
            self._push(activity)
            return
        for gpu in gpus:
            gpu.active.append(activity)
        self._reckon(gpus)

    def run(self) -> float:
        """Until nothing is left to end; returns the time."""
        while self._heap:
            time, _, version, activity = heappop(self._heap)
            if version != activity.version:
                continue
            self.now = time
            activity.version += 1
            if activity.work.seconds:
                for gpu in activity.gpus:
                    gpu.active.remove(activity)
                self._reckon(activity.gpus)
            activity.done()
        return self.now

    def _reckon(self, gpus: Iterable[Gpu]) -> None:
        """Give every activity on these GPUs its end under what is active now."""
        for activity in dict.fromkeys(a for gpu in gpus for a in gpu.active):
            duration = activity.reckon()
            if duration == activity.duration:
                continue
            if activity.duration:
                activity.left -= (self.now - activity.since) / activity.duration
            activity.since, activity.duration = self.now, duration
            activity.version += 1
            self._push(activity)

    def _push(self, activity: Activity) -> None:
        self._count += 1
        end = activity.since + max(activity.left, 0.0) * activity.duration
        heappush(self._heap, (end, self._count, activity.version, activity))
