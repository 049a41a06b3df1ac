"""Cycles of every kind of instruction, worked out by hand.

Figures of the machine: task start-up 30, vector start-up 17, f32 multiply-add 2.45 cycles, f32 operation 1 cycle, f16
multiply-add 0.25 cycles, in pieces of 16 bytes, one word a link and cycle, one cycle a hop, two of ramp; a core that
sends and receives at once takes 2.64 cycles a word.
"""

from math import ceil

import pytest

from tests.wafer.simulate.programs import chain, one_kernel, wafer
from wsc.backends.wafer.simulate import simulate

RELAY = """
buffer %x {type} {layout} stream x2 @0
buffer %y {out} {into} local x2 @0
%x = recv(stream='s0')
%y = {op} %x
"""
WEIGHTED = """
buffer %x {type} [.,.] stream x2 @0
buffer %w {weight} [.,.] weight "w" @0
buffer %y {out} [.,.] local x2 @0
%x = recv(stream='s0')
%y = {op} %x %w
"""

# name: mesh, op, type, layout, type of the result, its layout, occupancy, latency
MOVES = {
    "multicast to a neighbour: 30 + 8 words; 1 hop and two ramps more": (
        "a=2x", "multicast(axes=('a',))", "f32[8]", "[.] at a", "f32[8]", "[.]", 38, 38 + 1 + 4,
    ),
    "multicast over a 4 x 4 region: 6 hops to the far corner": (
        "b=4y a=4x", "multicast(axes=('a', 'b'))", "f32[8]", "[.] at a,b", "f32[8]", "[.]", 38, 38 + 6 + 4,
    ),
    "multicast over every other core: two lines share the links": (
        "a=2x b=2x", "multicast(axes=('a',))", "f32[16]", "[b:8] at a", "f32[16]", "[b:8]", 38, 30 + 16 + 2 + 4,
    ),
    "chain of two cores: 2 * 2 + 2 cycles to the next": (
        "a=2x", "reduce_to(axis='a', fn='sum')", "f32[8]", "[.]", "f32[8]", "[.] at a", 38, 38 + 6,
    ),
    "chain of four cores": (
        "a=4x", "reduce_to(axis='a', fn='sum')", "f32[8]", "[.]", "f32[8]", "[.] at a", 38, 38 + 3 * 6,
    ),
    "chain of every other core: a hop more, and two lines on the links": (
        "a=2x b=2x", "reduce_to(axis='a', fn='sum')", "f32[16]", "[b:8]", "f32[16]", "[b:8] at a", 38, 30 + 16 + 7,
    ),
    "chain of halves: two to a word": (
        "a=2x", "reduce_to(axis='a', fn='sum')", "f16[9]", "[.]", "f16[9]", "[.] at a", 35, 35 + 6,
    ),
    "reduce and scatter: five pieces of two, twice past two parts": (
        "a=4x", "reduce_scatter(axis='a', dim=0, fn='sum')", "f32[8]", "[.]", "f32[8]", "[a:2]", 40, 40 + 2 * 2 * 6,
    ),
    "all-reduce: a chain and a broadcast": (
        "a=4x", "all_reduce(axis='a', fn='max')", "f32[8]", "[.]", "f32[8]", "[.]", 46, 46 + 18 + 3 + 4,
    ),
    "halo: one row of three before and two after, sent while as much is received": (
        "a=2x", "halo(dim=0, axis='a', lo=1, hi=2, fill=0.0)", "f32[8,3]", "[a:4,.]", "f32[8,3]", "[a:4~1+2,.]",
        60 + 6, 60 + 16 + 1 + 4,
    ),
    "shift by one of four: to send and to receive, the first part's tile goes back three hops": (
        "a=4x", "shift(axis='a', by=1)", "f32[32]", "[a:8]", "f32[32]", "[a:8]", 60 + 8, 60 + 22 + 3 + 4,
    ),
    "shift by two of four: two tiles on each link, which is less than to send and receive one": (
        "a=4x", "shift(axis='a', by=2)", "f32[32]", "[a:8]", "f32[32]", "[a:8]", 60 + 8, 60 + 22 + 2 + 4,
    ),
    "shift by one of eight pieces: half of a tile, the first piece goes back three hops": (
        "a=4x", "shift(axis='a', by=1, dim=0, pieces=2)", "f32[32]", "[a:8]", "f32[32]", "[a:8]",
        60 + 4, 60 + 11 + 3 + 4,
    ),
    "shift onto a ring: the last two change places, and wait for none": (
        "a=3x", "shift(axis='a', by=0, ring='interleaved', enter=True)", "f32[24]", "[a:8]", "f32[24]", "[a:8]",
        60 + 8, 60 + 22 + 1 + 4,
    ),
    "all-reduce towards the third of four: 5 and 8 from one side, a task, a cycle and 8 from the other, and back": (
        "a=4x", "all_reduce(axis='a', fn='sum', algorithm='chain', root=2)", "f32[8]", "[.]", "f32[8]", "[.]",
        3 * 30 + 2 * 8 + 8, 30 + (5 + 8 + 30 + 1 + 8) + 30 + 8 + 2 + 4,
    ),
    "all-reduce on a ring: six exchanges of a quarter, of which each is added in a cycle": (
        "a=4x", "all_reduce(axis='a', fn='sum', algorithm='ring')", "f32[8]", "[.]", "f32[8]", "[.]",
        6 * (60 + 2), 6 * (60 + 6 + 2 + 4 + 1),
    ),
    "all-gather: four tiles one after another, over three hops": (
        "a=4x", "all_gather(axis='a', dim=0)", "f32[8]", "[a:2]", "f32[8]", "[.]", 30 + 6, 30 + 8 + 3 + 4,
    ),
    "keep: a quarter is copied": (
        "a=4x", "keep(axis='a', dim=0)", "f32[8]", "[.]", "f32[8]", "[a:2]", 30 + 2, 30 + 2,
    ),
    "exchange of two cores across the diagonal: a task to send, one to receive, two hops": (
        "i=2y j=2x", "exchange()", "f32[4,4]", "[i:2,j:2]", "f32[4,4]", "[j:2,i:2]", 60 + 4, 60 + 4 + 2 + 4,
    ),
    "all-to-all: three exchanges of a quarter": (
        "a=4x", "all_to_all(axis='a', split=1, join=0)", "f32[8,4]", "[a:2,.]", "f32[8,4]", "[.,a:1]",
        60 + 6, 60 + 16 + 3 + 4 + 2,  # two words wait for others of the line
    ),
}  # fmt: skip

# name: op, type, type of the weight, type of the result, cycles
COMPUTES = {
    "64 multiply-adds, 16 vectors of 4": ("contract(equation='ak,nk->an', windows=())",
        "f32[4,4]", "f32[4,4]", "f32[4,4]", ceil(30 + 64 * 2.45 + 16 * 17)),
    "in halves, 4 of the 8 in a piece": ("contract(equation='ak,nk->an', windows=())",
        "f16[4,4]", "f16[4,4]", "f16[4,4]", 30 + 16 * 8 // 4 + 16 * 6),
    "vectors along the longest dimension": ("contract(equation='ak,nk->an', windows=())",
        "f32[1,4]", "f32[16,4]", "f32[1,16]", ceil(30 + 64 * 2.45 + 4 * 17)),
    "equal operands are one vector an operation": ("elementwise(fn='div', scalars=(None, None))",
        "f32[4,4]", "f32[4,4]", "f32[4,4]", 30 + 4 * 16 + 4 * 17),
    "broadcast operands take a vector a row": ("elementwise(fn='add', scalars=(None, None))",
        "f32[4,4]", "f32[4,1]", "f32[4,4]", 30 + 16 + 4 * 17),
    "booleans from words": ("elementwise(fn='lt', scalars=(None, None))",
        "f32[4,4]", "f32[4,4]", "bool[4,4]", 30 + 16 + 17),
    "movement touches every element": ("concat(dim=0)",
        "f32[4,4]", "f32[4,4]", "f32[8,4]", 30 + 32 + 4 * 17),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVES)
def test_a_movement_takes(name: str) -> None:
    mesh, op, type, layout, out, into, occupancy, latency = MOVES[name]
    lines = RELAY.format(type=type, layout=layout, op=op, out=out, into=into)
    step = simulate(one_kernel(mesh, lines, type, out, ("x", "y")), wafer()).kernels[0].steps[1]
    assert (step.kind, step.busy_cycles, step.latency_cycles) == ("movement", occupancy, latency)


@pytest.mark.parametrize("name", COMPUTES)
def test_a_computation_takes(name: str) -> None:
    op, type, weight, out, cycles = COMPUTES[name]
    lines = WEIGHTED.format(type=type, weight=weight, op=op, out=out)
    step = simulate(one_kernel("-", lines, type, out, ("x", "y")), wafer()).kernels[0].steps[1]
    assert (step.kind, step.busy_cycles, step.latency_cycles) == ("compute", cycles, cycles)


def test_a_lookup_takes_a_row_an_index() -> None:
    lines = """
    buffer %i i32[3] [.] stream x2 @0
    buffer %table f32[8,5] [a:4,.] weight "t" @0
    buffer %j i32[3] [.] local x2 @0
    buffer %y f32[3,5] [.,.] partial a local x2 @0
    %i = recv(stream='s0')
    %j = multicast(axes=('a',)) %i
    %y = lookup(axis='a') %table %j
    """
    trace = simulate(one_kernel("a=2x", lines, "i32[3]", "f32[3,5]", ("i", "y")), wafer())
    assert trace.kernels[0].steps[2].busy_cycles == 30 + 3 * (1 + 5 + 17)


def test_one_wavelet_is_there_at_its_cycle_and_not_before() -> None:
    """In: 1 word, 1 hop, two ramps. Then 30 + 1 + 17 of work. Out: 1 word, 4 hops to the edge, two ramps."""
    trace = simulate(chain("relu", words=1), wafer())
    assert [stream.latency_cycles for stream in trace.streams] == [1 + 1 + 4, 1 + 4 + 4]
    assert trace.latency_cycles == 6 + 48 + 9


def test_a_hop_more_is_a_cycle_more() -> None:
    near, far = (simulate(chain("relu", words=1), wafer(hop_cycles=hop)) for hop in (1, 2))
    assert far.latency_cycles == near.latency_cycles + 5  # 1 hop in, 4 out


@pytest.mark.parametrize("name", MOVES)
def test_alone_in_the_machine_nothing_waits(name: str) -> None:
    """One input takes the way in, every step one after another, and the way out."""
    mesh, op, type, layout, out, into, *_ = MOVES[name]
    lines = RELAY.format(type=type, layout=layout, op=op, out=out, into=into)
    trace = simulate(one_kernel(mesh, lines, type, out, ("x", "y")), wafer())
    way = trace.streams[0].latency_cycles + trace.streams[1].latency_cycles
    assert trace.latency_cycles == way + trace.kernels[0].steps[1].latency_cycles


def test_a_stream_takes_as_long_as_its_busiest_core_or_link() -> None:
    """Four words from the host to each of two cores: eight on the first link, four at each core."""
    lines = RELAY.format(type="f32[8]", layout="[a:4]", op="permute(order=(0,))", out="f32[8]", into="[a:4]")
    trace = simulate(one_kernel("a=2x", lines, "f32[8]", "f32[8]", ("x", "y")), wafer())
    assert trace.streams[0].latency_cycles == 8 + 2 + 4
    assert trace.kernels[0].steps[0].busy_cycles == 4
    assert trace.kernels[0].steps[2].busy_cycles == 4
