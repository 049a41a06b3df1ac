"""Channels: tensors in transfers from one task to another, as many at once as the receiver has room for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Protocol

from simpy import Environment, Event

from wsc.simulation.dataflow import Store, Task
from wsc.simulation.events import Call
from wsc.simulation.links import Links, Path


class Sink(Protocol):
    """Takes whatever arrives; outside the simulated machine."""

    def arrived(self) -> None:
        """One more content is there."""


@dataclass(frozen=True)
class Split:
    """Transfers in one content of the source and of the target; the target has room for `capacity` contents."""

    per_send: int = 1
    per_receive: int = 1
    capacity: float = inf


class Channel:
    """Moves transfers in order: each starts when it was offered, the target has room and its links are free."""

    def __init__(self, env: Environment, links: Links, path: Path, split: Split) -> None:
        self.env = env
        self.links = links
        self.path = path
        self.split = split
        self.sender: SendTask | None = None
        self.receiver: ReceiveTask | None = None
        self.sink: Sink | None = None
        self.store: Store | None = None
        self.offered: float = 0
        self.sent = 0
        self.arrived = 0  # contents of the target
        self.watch: Callable[[int, int], None] | None = None  # told when each transfer starts, and its cycles
        self.blocked_cycles = 0  # in which a transfer was ready but the target had no room
        self._blocked_since: int | None = None

    def has_room(self, transfer: float) -> bool:
        """Whether the target has room for a transfer, by number."""
        if self.store is None:
            return True
        return transfer // self.split.per_receive < self.store.released + self.split.capacity

    def offer(self, contents: float) -> None:
        """Contents of the source are ready to go."""
        self.offered += contents * self.split.per_send
        self._move()

    def poke(self) -> None:
        """The target has more room."""
        self._move()
        if self.sender is not None:
            self.sender.poke()

    def block(self) -> None:
        """Note that the next transfer has to wait for room."""
        if self._blocked_since is None:
            self._blocked_since = int(self.env.now)

    def _move(self) -> None:
        while self.sent < self.offered:
            if not self.has_room(self.sent):
                self.block()
                return
            self._start(self.sent)
            self.sent += 1

    def _start(self, transfer: int) -> None:
        now = int(self.env.now)
        if self._blocked_since is not None:
            self.blocked_cycles += now - self._blocked_since
            self._blocked_since = None
        wait = self.links.reserve(now, self.path) - now
        if self.watch is not None:
            self.watch(now + wait, self.path.arrival)
        if self.sender is not None and (transfer + 1) % self.split.per_send == 0:
            Call(self.env, wait + self.path.drain, self._drained)
        if (transfer + 1) % self.split.per_receive == 0:
            Call(self.env, wait + self._notice(), self._arrived)

    def _notice(self) -> int:
        """Cycles from the start of a content's last transfer until its receiver may start.

        A receiver takes words as they come: it starts so that it ends, at the earliest, with the last of them.
        """
        occupancy = self.receiver.timing.occupancy if self.receiver is not None else 0
        return max(0, self.path.arrival - occupancy)

    def _drained(self, _: Event) -> None:
        if self.sender is not None:
            self.sender.finish()

    def _arrived(self, _: Event) -> None:
        self.arrived += 1
        if self.receiver is not None:
            self.receiver.poke()
        if self.sink is not None:
            self.sink.arrived()


class SendTask(Task):
    """Hands its operand to a channel; done with it when the channel has taken the last word."""

    channel: Channel

    def attach(self, channel: Channel) -> None:
        """Feed this channel."""
        self.channel = channel
        channel.sender = self

    def ready(self) -> bool:
        if not self.has_operands():
            return False
        if self.channel.has_room(self.started * self.channel.split.per_send):
            return True
        self.channel.block()
        return False

    def run(self, now: int) -> None:
        self.channel.offer(1)

    def leave(self) -> None:
        pass


class ReceiveTask(Task):
    """Takes contents from a channel into its result store, where the channel has kept room for them."""

    channel: Channel

    def attach(self, channel: Channel, store: Store) -> None:
        """Drain this channel into a store."""
        self.channel = channel
        self.result = store
        channel.receiver = self
        channel.store = store
        store.writers.append(channel)

    def ready(self) -> bool:
        return self.channel.arrived > self.started
