"""A hop, a ramp, a multicast and a reduce of two cores in both simulators: not done at t - 1, done at t."""

import pytest

from tests.wafer.simulate.cycle.programs import arrays, moving
from tests.wafer.simulate.programs import chain, wafer
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.simulate.cycle import simulate_cycles
from wsc.compiler.errors import SimulationError

START = 30  # a task


def spread(parts: int, words: int) -> Program:
    return moving(
        f"a={parts}x", ["multicast(axes=('a',))"], [f"f32[{words}]"] * 2, ["[.] at a", "[.]"], size=4
    )


def summed(parts: int, words: int) -> Program:
    return moving(
        f"a={parts}x",
        ["reduce_to(axis='a', fn='sum')"],
        [f"f32[{words}]"] * 2,
        ["[.] partial a", "[.] at a"],
        size=4,
    )


# what: program, figures of the machine, cycles by hand
EDGES: dict[str, tuple[Program, dict[str, int], int]] = {
    "one word over one hop, two ramps": (spread(2, 1), {}, START + 1 + 1 + 4),
    "three hops": (spread(4, 1), {}, START + 1 + 3 + 4),
    "a hop of two cycles": (spread(2, 1), {"hop_cycles": 2}, START + 1 + 2 + 4),
    "a ramp of three cycles": (spread(2, 1), {"ramp_cycles": 3}, START + 1 + 1 + 6),
    "a multicast of eight words to four cores": (spread(4, 8), {}, START + 8 + 3 + 4),
    "a reduce of two cores": (summed(2, 8), {}, START + 8 + 2 * 2 + 2),
    "a reduce of four cores": (summed(4, 8), {}, START + 8 + 3 * (2 * 2 + 2)),
    "in over a hop, 48 cycles of work, out over four": (
        chain("relu", words=1),
        {},
        1 + 1 + 4 + 48 + 1 + 4 + 4,
    ),
}


@pytest.mark.parametrize("what", EDGES)
def test_the_fast_simulator(what: str) -> None:
    program, figures, cycles = EDGES[what]
    assert simulate(program, wafer(**figures)).latency_cycles == cycles


@pytest.mark.parametrize("what", EDGES)
def test_the_cycle_level_simulator(what: str) -> None:
    program, figures, cycles = EDGES[what]
    assert run(program, wafer(**figures), cycles + 1) == cycles
    with pytest.raises(SimulationError, match=f"^not done at cycle {cycles}$"):
        run(program, wafer(**figures), cycles)


def run(program: Program, machine: Wafer, most: int) -> int:
    return simulate_cycles(program, machine, *arrays(program), most_cycles=most).latency
