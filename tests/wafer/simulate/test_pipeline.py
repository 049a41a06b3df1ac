"""Kernels one after another: intervals, buffers that are too small, links that are shared."""

from dataclasses import replace
from math import ceil

import pytest

from tests.wafer.simulate.programs import chain, kernel, program, stream, wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate import latency_lower_bound, lower_bound, simulate
from wsc.compiler.errors import SimulationError

SLOW = "relu relu relu"


def with_capacity(whole: Program, capacity: int, *names: str) -> Program:
    """The program with room for so many chunks at the end of the streams of these names."""
    changed = (replace(s, capacity=capacity) if s.name in names else s for s in whole.streams)
    return replace(whole, streams=tuple(changed))


def test_the_slowest_kernel_sets_the_interval() -> None:
    trace = simulate(chain("relu", SLOW, "relu"), wafer())
    busy = [k.busy_cycles for k in trace.kernels]
    assert busy == [8 + 55 + 8, 8 + 3 * 55 + 8, 8 + 55 + 8]
    assert trace.interval_cycles == busy[1]
    assert trace.bounded_by == "kernel 'k1': busy 181 of 181 cycles"


def test_alone_an_input_takes_the_sum() -> None:
    trace = simulate(chain("relu", SLOW, "relu"), wafer())
    compute = sum(step.latency_cycles for k in trace.kernels for step in k.steps if step.kind == "compute")
    assert trace.latency_cycles == compute + sum(s.latency_cycles for s in trace.streams)


def test_compute_movement_and_idle_make_the_interval() -> None:
    trace = simulate(chain("relu", SLOW, "relu"), wafer())
    assert {k.compute_cycles + k.movement_cycles + k.idle_cycles for k in trace.kernels} == {181}


def test_chunks_overlap() -> None:
    whole, chunked = (
        simulate(chain(SLOW, SLOW, words=w, chunks=c), wafer()) for w, c in ((1024, 1), (256, 4))
    )
    assert chunked.latency_cycles < 0.8 * whole.latency_cycles


def test_room_for_one_chunk_makes_kernels_wait_for_each_other() -> None:
    """A transfer of 8 words takes 500 cycles over the hop; its slot is free 55 cycles after it is there."""
    far = wafer(hop_cycles=500)
    one, two, four = (
        simulate(with_capacity(chain("relu", "relu", capacity=16), c, "s1"), far) for c in (1, 2, 16)
    )
    assert one.interval_cycles == 8 + 500 + 4 + 55
    assert two.interval_cycles == ceil(one.interval_cycles / 2)
    assert four.interval_cycles == max(k.busy_cycles for k in four.kernels) == 8 + 55 + 8


def test_back_pressure_is_named() -> None:
    slow_links = wafer(hop_cycles=100)
    trace = simulate(with_capacity(chain("relu", "relu"), 1, "s1"), slow_links)
    assert "back-pressure: stream s1 from 'k0' waits" in trace.bounded_by
    assert "room at 'k1' (capacity 1)" in trace.bounded_by


def residual(skip: int) -> Program:
    """a sends four chunks to b, which needs them all before it goes on, and around it to c."""
    a = kernel("a", "0,0", "-", """
        buffer %x f32[4] [.] stream x2 @0
        buffer %y f32[4] [.] local x2 @0
        %x = recv(stream='s0')
        %y = elementwise(fn='relu', scalars=(None,)) %x
        send(stream='s1') %y
        send(stream='skip') %y""", chunks=4)  # fmt: skip
    b = kernel("b", "1,0", "-", """
        buffer %x f32[16] [.] stream x1 @0
        buffer %y f32[16] [.] local @0
        %x = recv(stream='s1')
        %y = elementwise(fn='relu', scalars=(None,)) %x
        send(stream='s2') %y""")  # fmt: skip
    c = kernel("c", "2,0", "-", """
        buffer %x f32[4] [.] stream x2 @0
        buffer %r f32[4] [.] stream x4 @0
        buffer %y f32[4] [.] local @0
        %x = recv(stream='s2')
        %r = recv(stream='skip')
        %y = elementwise(fn='add', scalars=(None, None)) %x %r
        send(stream='s3') %y""", chunks=4)  # fmt: skip
    return program(
        "f32[16]", a, b, c,
        stream("s0", "host %x f32[16] 1", '"a" %x f32[16] 4', "capacity 2 route xy 0,0>0,0"),
        stream("s1", '"a" %y f32[16] 4', '"b" %x f32[16] 1', "capacity 1 route xy 0,0>1,0"),
        stream("s2", '"b" %y f32[16] 1', '"c" %x f32[16] 4', "capacity 2 route xy 1,0>2,0"),
        stream("skip", '"a" %y f32[16] 4', '"c" %r f32[16] 4', f"capacity {skip} route xy 0,0>2,0"),
        stream("s3", '"c" %y f32[16] 4', "host %y f32[16] 1", "capacity 2 route xy 2,0>0,0"),
    )  # fmt: skip


def test_a_way_around_with_too_little_room_blocks_all() -> None:
    with pytest.raises(SimulationError) as caught:
        simulate(residual(1), wafer())
    assert str(caught.value) == (
        "at cycle 190 nothing can go on: kernel 'a' waits for room in stream skip to 'c' (capacity 1, 1 contents sent);"
        " kernel 'c' waits for content 0 of stream s2 from 'b';"
        " kernel 'b' waits for content 0 of stream s1 from 'a'"
    )


def test_more_room_on_the_way_around_is_faster_until_it_does_not_matter() -> None:
    intervals = [simulate(residual(skip), wafer()).interval_cycles for skip in (2, 3, 4, 8, 16)]
    assert intervals == sorted(intervals, reverse=True)
    assert intervals[0] > intervals[-1]
    assert intervals[-1] == intervals[-2]


def fork(*, apart: bool) -> Program:
    """Two kernels on row 0 fed by the host; the second's stream passes the first unless it lies on another row."""
    place = "1,1" if apart else "1,0"

    def branch(name: str, at: str, number: int) -> str:
        return kernel(name, at, "-", f"""
            buffer %x f32[64] [.] stream x4 @0
            buffer %y f32[1] [.] local x4 @0
            %x = recv(stream='in{number}')
            %y = slice(dim=0, start=0, stop=1, step=1) %x
            send(stream='out{number}') %y""")  # fmt: skip

    return program(
        "f32[64]", branch("a", "0,0", 0), branch("b", place, 1),
        stream("in0", "host %x f32[64] 1", '"a" %x f32[64] 1', "capacity 4 route xy 0,0>0,0"),
        stream("in1", "host %x f32[64] 1", '"b" %x f32[64] 1', f"capacity 4 route xy 0,0>{place}"),
        stream("out0", '"a" %y f32[1] 1', "host %y f32[1] 1", "capacity 2 route xy 0,0>0,0"),
        stream("out1", '"b" %y f32[1] 1', "host %z f32[1] 1", f"capacity 2 route xy {place}>0,0"),
        out="f32[1]",
    )  # fmt: skip


def test_streams_on_one_link_share_it() -> None:
    together, apart = (simulate(fork(apart=apart), wafer()) for apart in (False, True))
    assert apart.interval_cycles == max(k.busy_cycles for k in apart.kernels) == 64 + 48 + 1 + 48 - 48
    assert together.interval_cycles == 128
    assert together.bounded_by == "a link shared by streams in0, in1: busy 128 of 128 cycles"


def test_the_edge_bounds_what_only_passes_through() -> None:
    narrow = wafer(edge_bytes_per_second=850e6)  # one byte a cycle
    trace = simulate(chain("relu", words=64), narrow)
    assert trace.interval_cycles == 256 == lower_bound(chain("relu", words=64), narrow)
    assert trace.bounded_by == "the wafer's edge, inward, s0: busy 256 of 256 cycles"


def test_the_same_program_gives_the_same_trace() -> None:
    assert simulate(residual(5), wafer()) == simulate(residual(5), wafer())


@pytest.mark.parametrize(
    "whole", [chain("relu"), chain("", "gelu"), chain(SLOW, words=64, chunks=4), residual(6)]
)
def test_nothing_beats_the_bound(whole: Program) -> None:
    trace = simulate(whole, wafer())
    assert trace.interval_cycles >= lower_bound(whole, wafer())
    assert trace.latency_cycles >= latency_lower_bound(whole, wafer())


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    simulate(chain("relu"), wafer(), lambda what, done, most: told.append((done, most)))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][0] <= told[-1][1]


def test_a_program_too_large_for_the_machine_is_refused() -> None:
    large = replace(chain("relu"), width=5)
    with pytest.raises(SimulationError, match="'by hand' is for 5x4 cores, machine 'wafer-4x4' has 4x4"):
        simulate(large, wafer())


def test_a_stream_nobody_takes_is_refused() -> None:
    whole = chain("relu", "relu")
    deaf = replace(whole.kernels[1], body=whole.kernels[1].body[1:])
    with pytest.raises(SimulationError, match="not every stream to a kernel has exactly one recv"):
        simulate(replace(whole, kernels=(whole.kernels[0], deaf)), wafer())


def test_a_program_without_output_is_refused() -> None:
    whole = chain("relu")
    with pytest.raises(SimulationError, match="there is no output to wait for"):
        simulate(replace(whole, streams=whole.streams[:1]), wafer())
