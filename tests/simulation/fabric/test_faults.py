"""Planted faults: a deadlock, a collision, a queue that overflows, routes that lead nowhere."""

from collections.abc import Callable

import pytest

from tests.compiler import golden
from tests.simulation.fabric.planted import cores, eastwards, fabric, receiving, sending
from wsc.compiler.errors import SimulationError
from wsc.simulation.fabric import Access, Core, Instruction, Machine, Position, Route, Transfer
from wsc.simulation.fabric.parts import EAST, RAMP, WEST

ACROSS = [
    Route(0, 0, 0, (Position((RAMP,), (EAST,)),)),
    Route(1, 0, 0, (Position((WEST,), (RAMP,)),)),
    Route(1, 0, 1, (Position((RAMP,), (WEST,)),)),
    Route(0, 0, 1, (Position((EAST,), (RAMP,)),)),
]


def deadlock() -> Machine:
    """Two cores that first send to each other more than the queues hold, and only then receive."""
    row = cores(2)
    for core, (out, back) in zip(row, ((0, 1), (1, 0)), strict=True):
        send = Transfer(50, sends=out, reads=Access(0))
        receive = Transfer(50, receives=back, writes=Access(512), after=0)
        core.queues.append([Instruction("exchange", 0, 0, transfers=(send, receive))])
    return Machine(fabric(2), ACROSS, row)


def starved() -> Machine:
    """A core that waits for a message that nobody sends."""
    row = cores(2)
    row[1].queues.append([receiving(4, 0)])
    return Machine(fabric(2), eastwards(2, 0, 1), row)


def collision() -> Machine:
    """Two cores send one colour into the core between them, whose router takes it from both sides."""
    row = cores(3)
    row[0].queues.append([sending(4, 0)])
    row[2].queues.append([sending(4, 0)])
    row[1].queues.append([receiving(8, 0)])
    routes = [
        Route(0, 0, 0, (Position((RAMP,), (EAST,)),)),
        Route(1, 0, 0, (Position((WEST, EAST), (RAMP,)),)),
        Route(2, 0, 0, (Position((RAMP,), (WEST,)),)),
    ]
    return Machine(fabric(3), routes, row)


def overflow() -> Machine:
    """A colour that does not wait for room, to a core that takes a word in ten cycles."""
    row = cores(2)
    row[0].queues.append([sending(30, 0)])
    row[1].queues.append([receiving(30, 0, pace=10 * 1024)])
    routes = [
        Route(0, 0, 0, (Position((RAMP,), (EAST,)),), credits=False),
        Route(1, 0, 0, (Position((WEST,), (RAMP,)),), credits=False),
    ]
    return Machine(fabric(2), routes, row)


def no_neighbour() -> Machine:
    return Machine(fabric(2), [Route(0, 0, 0, (Position((RAMP,), (EAST,)),))], cores(2))


def no_route() -> Machine:
    row = [Core(0, 0, [[sending(1, 7)]], 1, 64)]
    return Machine(fabric(1), [], row)


FAULTS: list[Callable[[], Machine]] = [deadlock, starved, collision, overflow]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_it_is_found(fault: Callable[[], Machine]) -> None:
    with pytest.raises(SimulationError) as caught:
        fault().run()
    golden.check(f"../../simulation/fabric/golden/{fault.__name__}", f"{caught.value}\n")


@pytest.mark.parametrize("fault", [no_neighbour, no_route], ids=lambda fault: fault.__name__)
def test_it_is_refused(fault: Callable[[], Machine]) -> None:
    with pytest.raises(SimulationError) as caught:
        fault()
    golden.check(f"../../simulation/fabric/golden/{fault.__name__}", f"{caught.value}\n")


def test_with_back_pressure_nothing_overflows() -> None:
    row = cores(2)
    row[0].queues.append([sending(30, 0)])
    row[1].queues.append([receiving(30, 0, pace=10 * 1024)])
    assert Machine(fabric(2), eastwards(2, 0, 1), row).run() == 1 + 4 + 30 * 10


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda: fabric(1, queue_words=1), "a queue needs room for two wavelets"),
        (lambda: fabric(1, queue_words=40_000), "hold 30,000 wavelets at most"),
        (lambda: fabric(0), "a fabric has cores and banks"),
        (lambda: Route(0, 0, 0, ()), "a colour has 1 to 4 positions, not 0"),
        (lambda: Route(0, 0, 0, (Position((WEST,), (EAST,)),), (1,)), "a sequence names positions"),
        (lambda: Transfer(0, sends=0, reads=Access(0)), "a transfer moves a word or more"),
        (lambda: Transfer(1, receives=0, reads=Access(0)), "says how to combine"),
        (lambda: Access(2), "from a whole word"),
    ],
)
def test_parts_that_cannot_be(bad: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bad()
