"""Buffers: streams share what there is, give up room where it is short, and never take more than a tile has."""

from collections import defaultdict
from dataclasses import replace
from math import ceil

import pytest
import torch
from torch import nn

from tests.cim.models import Made, bottleneck, machine, make, mlp, planned
from wsc.backends.cim.buffers import BuffersFullError, kept
from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.program import HOST, Program, Stream
from wsc.backends.cim.simulate import simulate
from wsc.backends.cim.simulate.prepare import prepare, weight_bytes
from wsc.backends.cim.streams import least_room
from wsc.compiler.errors import DoesNotFit, SimulationError


def isaac(buffer_bytes: int, chips: int = 1, side: int = 3) -> CimMachine:
    """A small ISAAC with other buffers."""
    chip = {"chips": chips, "width_tiles": side, "height_tiles": side}
    return machine("isaac", chip=chip, tile={"buffer_bytes": buffer_bytes})


@pytest.fixture(scope="module")
def roomy() -> Made:
    return make(*bottleneck(), isaac(1 << 20))


def most_taken(program: Program) -> int:
    taken: dict[int, int] = defaultdict(int)
    for stream in program.streams:
        for tile in stream.homes:
            taken[tile] += ceil(stream.capacity * stream.chunk_bytes / len(stream.homes))
    return max(taken.values())


def needed_bytes(made: Made) -> int:
    streams = made.program.streams
    rooms = zip(streams, least_room(streams), strict=True)
    return sum(room * s.chunk_bytes for s, room in rooms if s.target != HOST)


def test_streams_give_up_room_where_it_is_short(roomy: Made) -> None:
    least = needed_bytes(roomy)
    tight = planned(roomy.model, roomy.inputs, isaac(ceil(1.6 * least / 9)))
    wanted = sum(s.capacity * s.chunk_bytes for s in roomy.program.streams)
    given = sum(s.capacity * s.chunk_bytes for s in tight.program.streams)
    assert given < wanted
    for made in (roomy, tight):
        assert most_taken(made.program) <= made.machine.tile.buffer_bytes
        needs = least_room(made.program.streams)
        pairs = zip(made.program.streams, needs, strict=True)
        assert all(s.capacity >= need for s, need in pairs if s.target != HOST)
    before, after = (simulate(made.program, made.machine) for made in (roomy, tight))
    assert after.interval_cycles >= 0.99 * before.interval_cycles


def test_more_chips_are_taken_for_their_buffers(roomy: Made) -> None:
    half = isaac(ceil(0.6 * needed_bytes(roomy) / 9), chips=4)
    made = planned(roomy.model, roomy.inputs, half)
    assert made.plan.chips > 1
    assert most_taken(made.program) <= half.tile.buffer_bytes
    assert simulate(made.program, half).interval_cycles > 0


def test_buffers_that_hold_too_little_are_an_error_that_says_how_many_chips(roomy: Made) -> None:
    small = isaac(ceil(0.6 * needed_bytes(roomy) / 9))
    with pytest.raises(DoesNotFit, match=r"need [\d,]+ bytes of buffers at least.* 2 chips are needed"):
        planned(roomy.model, roomy.inputs, small)


def test_a_program_that_overflows_a_buffer_is_refused(roomy: Made) -> None:
    limit = roomy.machine.tile.buffer_bytes
    streams = list(roomy.program.streams)
    number = next(i for i, s in enumerate(streams) if s.target != HOST)
    room = limit * len(streams[number].homes) // streams[number].chunk_bytes
    streams[number] = replace(streams[number], capacity=room + 1)
    with pytest.raises(SimulationError, match=rf"buffer of tile \d+ overflows: .* and it holds {limit:,}"):
        simulate(replace(roomy.program, streams=tuple(streams)), roomy.machine)


def stream(name: str, capacity: int, target: str = "b") -> Stream:
    """Chunks of 100 bytes."""
    from wsc.compiler.ir.types import TensorType

    type = TensorType.parse("i8[8,100]")
    return Stream(name, "a", target, name, type, 8, 1, 8, 1, 8, None, capacity, ())


def test_homes_are_the_nearest_with_equal_shares() -> None:
    near = {"b": (1,), "c": (1,)}
    (one,) = kept([stream("x", 4)], [4], near, 4, 400)
    assert (one.homes, one.capacity) == ((1,), 4)
    (two,) = kept([stream("x", 6)], [6], near, 4, 400)
    assert two.homes == (1, 0)
    first, second = kept([stream("x", 8), stream("y", 8, "c")], [8, 2], near, 4, 400)
    assert first.capacity == second.capacity == 8
    (shared,) = kept([stream("x", 32)], [2], near, 4, 400)
    assert shared.capacity == 2 + ceil(0.25 * 30)
    with pytest.raises(BuffersFullError) as caught:
        kept([stream("x", 32)], [17], near, 4, 400)
    assert (caught.value.need, caught.value.have) == (1700, 1600)


def test_the_capacities_that_are_needed_are_enough(roomy: Made) -> None:
    room = least_room(roomy.program.streams)
    streams = tuple(replace(s, capacity=n) for s, n in zip(roomy.program.streams, room, strict=True))
    assert simulate(replace(roomy.program, streams=streams), roomy.machine).latency_cycles > 0


# --- reloading


def test_a_value_that_waits_for_its_round_is_kept_whole() -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64)]
    made = make(nn.Sequential(*layers), (torch.randn(48, 64),), machine("colonnade"))
    assert made.program.rounds > 1
    rounds = {stage.name: stage.round for stage in made.program.stages}
    for s in made.program.streams:
        if HOST not in (s.source, s.target) and rounds[s.source] != rounds[s.target]:
            assert s.capacity >= s.source_chunks > 1
    assert simulate(made.program, made.machine).latency_cycles > 0


def test_filling_takes_the_rows_or_the_host_whichever_is_longer() -> None:
    made = make(*mlp(64, 64, 64), machine("colonnade"))
    for host, row in ((4.0, 1.0), (1e9, 1.0), (1e9, 50.0)):
        on = machine("colonnade", chip={"host_bytes_per_cycle": host}, write={"row_cycles": row})
        prepared = prepare(made.program, on)
        for number, fill in enumerate(prepared.fills):
            members = [s for s in made.program.stages if s.product and s.round == number]
            writes = [s.passes * row * min(s.product.rows, 128) for s in members if s.product]
            sent = sum(weight_bytes(s) for s in members) / host
            assert fill == ceil(max([sent, *writes]))
    slow, fast = (
        simulate(made.program, machine("colonnade", chip={"host_bytes_per_cycle": rate}))
        for rate in (1.0, 4.0)
    )
    assert slow.latency_cycles > fast.latency_cycles + 2 * 64 * 64 * 0.7
