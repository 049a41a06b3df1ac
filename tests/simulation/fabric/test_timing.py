"""The fabric at the edge: not done at t - 1, done at t. A word takes a cycle, a hop one, a ramp two."""

import numpy as np
import pytest

from tests.simulation.fabric.planted import cores, eastwards, fabric, filled, found, receiving, sending
from wsc.compiler.errors import SimulationError
from wsc.simulation.fabric import Access, Core, Instruction, Machine, Position, Route, Transfer
from wsc.simulation.fabric.parts import EAST, PACE, RAMP, WEST


def line(width: int, words: int, target: int | None = None, **figures: int) -> Machine:
    """Core 0 sends to the core `target`, or to all."""
    row = cores(width)
    row[0].queues.append([sending(words, 0)])
    for core in row[1:] if target is None else [row[target]]:
        core.queues.append([receiving(words, 0)])
    return Machine(fabric(width, **figures), eastwards(width, 0, target), row)


def at_the_edge(machine: Machine, cycle: int) -> None:
    with pytest.raises(SimulationError, match=f"^not done at cycle {cycle - 1}$"):
        machine.run(limit=cycle - 1)
    assert machine.run() == cycle


@pytest.mark.parametrize(("hops", "words"), [(1, 1), (2, 1), (5, 1), (1, 7), (5, 40)])
def test_hops_and_ramps(hops: int, words: int) -> None:
    machine = line(hops + 1, words, target=hops)
    sent = filled(machine, 0, words)
    at_the_edge(machine, words + hops + 2 * 2)
    np.testing.assert_array_equal(found(machine, hops, words), sent)


@pytest.mark.parametrize("ramp", [1, 2, 3])
def test_a_ramp_more_is_two_cycles_more(ramp: int) -> None:
    at_the_edge(line(2, 9, target=1, ramp_cycles=ramp), 9 + 1 + 2 * ramp)


def test_a_longer_hop_is_a_longer_way_and_no_narrower_one() -> None:
    at_the_edge(line(4, 20, target=3, hop_cycles=3), 20 + 3 * 3 + 2 * 2)


@pytest.mark.parametrize("width", [2, 3, 6])
def test_a_multicast_is_there_one_core_after_another(width: int) -> None:
    machine = line(width, 8)
    sent = filled(machine, 0, 8)
    at_the_edge(machine, 8 + (width - 1) + 2 * 2)
    assert machine.done_times.tolist() == [8, *(8 + hops + 4 for hops in range(1, width))]
    for core in range(1, width):
        np.testing.assert_array_equal(found(machine, core, 8), sent)


def test_a_reduce_of_two_cores_adds_for_a_cycle() -> None:
    row = cores(2)
    row[0].queues.append([sending(8, 0)])
    add = Transfer(8, receives=0, reads=Access(0), writes=Access(64), combine="sum")
    row[1].queues.append([Instruction("add", 0, 8, triggers=(0,), transfers=(add,))])
    machine = Machine(fabric(2), eastwards(2, 0, 1), row)
    machine.memory(0).view(np.float32)[:8] = np.arange(8)
    machine.memory(1).view(np.float32)[:8] = 10
    at_the_edge(machine, 8 + 1 + 2 * 2 + 1)
    np.testing.assert_array_equal(machine.memory(1).view(np.float32)[16:24], 10 + np.arange(8))


def test_what_is_passed_on_takes_two_ramps_an_addition_and_a_hop() -> None:
    row = cores(3)
    row[0].queues.append([sending(8, 0)])
    passed = Transfer(8, receives=0, sends=1, reads=Access(0), combine="sum")
    row[1].queues.append([Instruction("pass on", 0, 8, triggers=(0,), transfers=(passed,))])
    row[2].queues.append([receiving(8, 1)])
    routes = [
        *eastwards(2, 0, 1),
        Route(1, 0, 1, (Position((RAMP,), (EAST,)),)),
        Route(2, 0, 1, (Position((WEST,), (RAMP,)),)),
    ]
    at_the_edge(Machine(fabric(3), routes, row), 8 + 2 * 6 - 1)


def test_a_pace_is_kept() -> None:
    row = cores(2)
    row[0].queues.append([sending(9, 0, pace=int(2.5 * PACE))])
    row[1].queues.append([receiving(9, 0)])
    at_the_edge(Machine(fabric(2), eastwards(2, 0, 1), row), 8 * 5 // 2 + 1 + 1 + 4)


def test_an_instruction_occupies_the_issue_before_the_next() -> None:
    row = [Core(0, 0, counters=2)]
    row[0].queues.append([Instruction("first", 0, 10), Instruction("second", 1, 5, waits=((0, 1),))])
    machine = Machine(fabric(1), [], row)
    at_the_edge(machine, 15)
    assert machine.done_times.tolist() == [10, 15]


def test_urgent_instructions_go_first() -> None:
    row = [Core(0, 0, counters=2)]
    row[0].queues += [[Instruction("a", 0, 10, age=1)], [Instruction("b", 1, 5, urgent=True, age=2)]]
    machine = Machine(fabric(1), [], row)
    assert (machine.run(), machine.done_times.tolist()) == (15, [15, 5])


def test_a_micro_thread_takes_its_cycles_from_what_is_computed() -> None:
    """Eight words come while an instruction of 100 cycles runs: it ends eight cycles later."""
    row = cores(2, counters=2)
    row[0].queues.append([sending(8, 0)])
    transfer = Transfer(8, receives=0, writes=Access(0))
    row[1].queues += [
        [Instruction("compute", 0, 100, call=3)],
        [Instruction("receive", 1, 0, transfers=(transfer,), background=True, urgent=True)],
    ]
    told = []
    machine = Machine(fabric(2), eastwards(2, 0, 1), row)
    assert machine.run(lambda call: told.append((machine.cycles, call.call, call.cores))) == 108
    assert told == [(108, 3, (1,))]


def test_a_copy_goes_as_fast_as_memory_is_written() -> None:
    row = cores(1)
    copy = Transfer(32, reads=Access(0), writes=Access(256), pace=PACE // 2)
    row[0].queues.append([Instruction("copy", 0, 0, transfers=(copy,))])
    machine = Machine(fabric(1), [], row)
    sent = filled(machine, 0, 32)
    at_the_edge(machine, 16)
    np.testing.assert_array_equal(found(machine, 0, 32, base=256), sent)


@pytest.mark.parametrize(("ports", "cycles"), [((16, 8), 16), ((4, 8), 32), ((16, 4), 32), ((16, 16), 16)])
def test_a_copy_waits_for_either_port(ports: tuple[int, int], cycles: int) -> None:
    """Two words a cycle at most; a port of four bytes passes one."""
    row = cores(1)
    copy = Transfer(32, reads=Access(0), writes=Access(256), pace=PACE // 2)
    row[0].queues.append([Instruction("copy", 0, 0, transfers=(copy,))])
    at_the_edge(Machine(fabric(1, read_bytes=ports[0], write_bytes=ports[1]), [], row), cycles)


def shared_bank(banks: int) -> Machine:
    """Two copies at once whose addresses lie a whole number of rounds over the banks apart."""
    row = cores(1, counters=2)
    for counter, base in enumerate((0, 512)):
        copy = Transfer(16, reads=Access(base), writes=Access(base + 1024))
        row[0].queues.append([Instruction("copy", counter, 0, transfers=(copy,))])
    return Machine(fabric(1, banks=banks), [], row)


def test_transfers_wait_for_a_bank_that_another_uses() -> None:
    assert shared_bank(8).run() == 17  # the second starts a cycle later, and then they are in step
    assert shared_bank(1).run() == 32
    assert shared_bank(5).run() == 16  # 128 words apart, and 256: three banks further, and one
    assert shared_bank(3).run() == 32  # each takes two of three


def test_two_colours_share_a_link_word_by_word() -> None:
    """Two cores' messages over one link: each has every other cycle, and both end within a cycle of each other."""
    row = cores(4)
    row[0].queues.append([sending(20, 0)])
    row[1].queues.append([sending(20, 1)])
    row[2].queues.append([receiving(20, 1)])
    row[3].queues.append([receiving(20, 0)])
    routes = eastwards(4, 0, 3)
    routes += [Route(1, 0, 1, (Position((RAMP,), (EAST,)),)), Route(2, 0, 1, (Position((WEST,), (RAMP,)),))]
    machine = Machine(fabric(4), routes, row)
    end = machine.run()
    times = machine.done_times.tolist()
    assert 40 <= end <= 40 + 3 + 4 + 1
    assert abs(times[2] - times[3]) <= 3


def test_the_same_fabric_takes_the_same_cycles() -> None:
    assert {line(5, 30).run() for _ in range(3)} == {38}


def test_memories_side_by_side_are_those_of_single_cores() -> None:
    """Three cores of a block send narrow elements to the next; each has only its own."""
    table = np.array([5, 0, 3, 2], np.int32)
    row = [Core(x, 0, counters=1, memory_bytes=64, block=7) for x in range(4)]
    send = Transfer(2, sends=0, reads=Access(8, table, 2))
    row[0].queues.append([Instruction("send", 0, 2, transfers=(send,))])
    for core in row[1:]:
        take = Transfer(2, receives=0, writes=Access(16, table[::-1].copy(), 2))
        core.queues.append([Instruction("receive", 0, 2, triggers=(0,), transfers=(take,))])
    machine = Machine(fabric(4), eastwards(4, 0), row)
    words = machine.words(0, 4)
    words[2:5, 0] = [0x20001, 0x40003, 0x60005]
    at_the_edge(machine, 2 + 3 + 2 * 2)
    expected = [4, 0xFFFF, 6, 1, 0xFFFF, 3]
    for core in range(1, 4):
        halves = np.ascontiguousarray(words[4:7, core]).view(np.uint16)
        assert halves.tolist() == expected
    assert words[:4, 1:].min() == 0xFFFFFFFF
    with pytest.raises(ValueError, match="2 cores from core 0 on are no block"):
        machine.words(0, 2)
