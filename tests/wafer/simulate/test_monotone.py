"""A better machine is never slower.

With one chunk an input and kernels in a row this holds exactly. With several chunks, where a core chooses what to do
next, what becomes ready earlier may get in the way of what matters more (Graham's anomalies of list scheduling, 1969):
there, the interval stays within the load of the busiest resource or no more than a tenth above what it was.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wafer.simulate.programs import chain, wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate import latency_lower_bound, lower_bound, simulate

BETTER = {
    "link_bytes_per_cycle": 8,
    "f32_mac_cycles": 1.0,
    "f32_vector_ops_per_cycle": 2.0,
    "edge_bytes_per_second": 300e9,
    "ramp_cycles": 1,
    "vector_startup_cycles": 3,
    "task_startup_cycles": 10,
}
kernels = st.lists(
    st.sampled_from(["", "relu", "gelu", "mac", "mac relu", "relu mac gelu"]), min_size=1, max_size=4
)


def programs(chunks: st.SearchStrategy[int]) -> st.SearchStrategy[Program]:
    return st.builds(
        lambda ops, words, chunks, capacity: chain(*ops, words=words, chunks=chunks, capacity=capacity),
        kernels,
        st.integers(1, 40),
        chunks,
        st.integers(1, 4),
    )


@settings(max_examples=60)
@given(programs(st.just(1)), st.sampled_from(sorted(BETTER)))
def test_a_better_machine_is_never_slower(program: Program, figure: str) -> None:
    before, after = simulate(program, wafer()), simulate(program, wafer(**{figure: BETTER[figure]}))
    assert after.latency_cycles <= before.latency_cycles
    assert after.interval_cycles <= before.interval_cycles


@settings(max_examples=60)
@given(programs(st.integers(2, 5)), st.sampled_from(sorted(BETTER)))
def test_a_better_machine_is_not_much_slower_in_chunks(program: Program, figure: str) -> None:
    before, after = simulate(program, wafer()), simulate(program, wafer(**{figure: BETTER[figure]}))
    assert after.latency_cycles <= 1.1 * before.latency_cycles
    assert after.interval_cycles <= 1.1 * before.interval_cycles


@settings(max_examples=40)
@given(programs(st.integers(1, 5)))
def test_nothing_beats_the_bounds(program: Program) -> None:
    trace = simulate(program, wafer())
    assert trace.interval_cycles >= lower_bound(program, wafer())
    assert trace.latency_cycles >= latency_lower_bound(program, wafer())
    assert all(k.idle_cycles >= 0 for k in trace.kernels)
