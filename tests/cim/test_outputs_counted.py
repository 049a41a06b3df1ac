"""When an input is done: when the slowest of its outputs is whole, however far the others are."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.cim.models import machine, make
from wsc.backends.cim.program import HOST
from wsc.backends.cim.simulate.pipeline import Flow, Pipeline
from wsc.backends.cim.simulate.prepare import Prepared, prepare
from wsc.simulation.events import Call


class ThreeOutputs(nn.Module):
    """Outputs that come early and late, of one chunk and of several."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3)
        self.more = nn.Conv2d(8, 8, 3)
        self.head = nn.Linear(8 * 6 * 6, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first = torch.relu(self.body(x))
        second = torch.relu(self.more(first))
        return first, second, self.head(second.flatten(1))


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    torch.manual_seed(0)
    made = make(ThreeOutputs(), (torch.randn(1, 3, 10, 10),), machine("isaac"))
    return prepare(made.program, made.machine)


class Watched(Pipeline):
    """Looks at all outputs at every arrival; `whole[k]` is when all had k + 1 inputs whole."""

    def __init__(self, prepared: Prepared, inputs: int) -> None:
        super().__init__(prepared, lambda times: len(times) >= inputs, inputs=inputs)
        self.whole: list[int] = []

    def _arrive(self, flow: Flow) -> None:
        super()._arrive(flow)
        if min(sink.arrived // sink.chunks for sink in self.sinks) > len(self.whole):
            self.whole.append(int(self.env.now))
        assert self.times == self.whole


@pytest.mark.parametrize("inputs", [1, 6])
def test_inputs_are_done_when_all_outputs_are_there(prepared: Prepared, inputs: int) -> None:
    pipeline = Watched(prepared, inputs)
    assert {sink.chunks > 1 for sink in pipeline.sinks} == {True, False}
    assert pipeline.run() == pipeline.whole
    assert len(pipeline.whole) == inputs
    assert all(sink.arrived == inputs * sink.chunks for sink in pipeline.sinks)


@settings(deadline=None)
@given(
    chunks=st.tuples(*[st.integers(1, 3)] * 3),
    arrivals=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=40),
)
def test_outputs_may_come_in_any_order(
    prepared: Prepared, chunks: tuple[int, ...], arrivals: list[tuple[int, int]]
) -> None:
    """Any of them whole inputs ahead; arrivals are (output, cycles since the one before)."""
    sizes = iter(chunks)
    streams = tuple(
        replace(costs, stream=replace(costs.stream, source_chunks=next(sizes)))
        if costs.stream.target == HOST
        else costs
        for costs in prepared.streams
    )
    pipeline = Watched(replace(prepared, streams=streams), len(arrivals) + 1)
    now = 0
    for output, later in arrivals:
        now += later
        Call(pipeline.env, now, lambda _, sink=pipeline.sinks[output]: pipeline._arrive(sink))  # type: ignore[misc]
    pipeline.env.run()
    assert pipeline.times == pipeline.whole
    complete = min(sum(o == i for o, _ in arrivals) // n for i, n in enumerate(chunks))
    assert len(pipeline.times) == complete
