"""Channels between tasks, and the resources that their transfers share."""

import numpy as np
from simpy import Environment

from wsc.simulation.channel import Channel, ReceiveTask, SendTask, Split
from wsc.simulation.dataflow import Engine, Store, Task, Timing, Turn
from wsc.simulation.links import Links, Path


class Count:
    """A sink that notes when contents arrive."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.times: list[int] = []

    def arrived(self) -> None:
        self.times.append(int(self.env.now))


def path(drain: int, arrival: int, resources: tuple[int, ...] = (0,)) -> Path:
    return Path(np.array(resources, np.int64), np.full(len(resources), drain, np.int64), drain, arrival)


def test_a_link_serves_one_transfer_after_another() -> None:
    links = Links(3)
    assert links.reserve(5, path(10, 12, (0, 1))) == 5
    assert links.reserve(6, path(10, 12, (1, 2))) == 15
    assert links.reserve(6, path(10, 12, ())) == 6
    assert links.reserve(40, path(10, 12, (1,))) == 40


def test_transfers_arrive_at_their_cycle() -> None:
    env = Environment()
    channel = Channel(env, Links(1), path(drain=4, arrival=9), Split())
    channel.sink = Count(env)
    channel.offer(3)
    env.run()
    assert channel.sink.times == [9, 13, 17]


def test_several_transfers_make_a_content() -> None:
    env = Environment()
    channel = Channel(env, Links(1), path(4, 9), Split(per_send=2, per_receive=4))
    channel.sink = Count(env)
    channel.offer(4)
    env.run()
    assert channel.sink.times == [9 + 3 * 4, 9 + 7 * 4]


def received(capacity: int, occupancy: int = 2) -> tuple[list[int], Channel]:
    """Start cycles of a task that works 20 cycles on each of three contents of a channel."""
    env = Environment()
    engine = Engine(env)
    channel = Channel(env, Links(1), path(4, 9), Split(capacity=capacity))
    store = Store(copies=capacity)
    receive = ReceiveTask(engine, Turn(position=0, positions=2), Timing(occupancy, occupancy))
    receive.attach(channel, store)
    starts: list[int] = []

    class Work(Task):
        def run(self, now: int) -> None:
            starts.append(now)

    work = Work(engine, Turn(position=1, positions=2), Timing(20, 20))
    work.read(store, 1)
    channel.offer(3)
    env.run()
    return starts, channel


def test_a_receiver_ends_with_the_last_word() -> None:
    assert received(capacity=3, occupancy=1)[0][0] == 9
    assert received(capacity=3, occupancy=8)[0][0] == 9
    assert received(capacity=3, occupancy=15)[0][0] == 15  # slower than the words come


def test_without_room_a_transfer_waits() -> None:
    starts, channel = received(capacity=1)
    assert starts == [9, 29 + 9, 58 + 9]
    assert channel.blocked_cycles == 29 + 29
    starts, channel = received(capacity=3)
    assert starts == [9, 31, 53]
    assert channel.blocked_cycles == 0


def test_a_sender_keeps_its_operand_until_the_last_word_has_left() -> None:
    env = Environment()
    make = Task(Engine(env), Turn(), Timing(1, 1), inputs=3)
    send = SendTask(Engine(env), Turn(), Timing(2, 2), inputs=3)
    store = Store(copies=1)
    make.write(store)
    send.read(store, 1)
    channel = Channel(env, Links(1), path(drain=6, arrival=9), Split())
    channel.sink = Count(env)
    send.attach(channel)
    make.poke()
    env.run()
    assert channel.sink.times == [1 + 9, 1 + 7 + 9, 1 + 14 + 9]
