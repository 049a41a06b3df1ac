"""What happens when: every chunk once, in order, on free arrays; and sums that wait for what only steps read."""

from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from tests.cim.models import Made, bottleneck, machine, make, mlp
from wsc.backends.cim.simulate import simulate
from wsc.backends.registry import select
from wsc.simulation.timeline import Timeline

INPUTS = 2


@pytest.fixture(scope="module")
def residual() -> Made:
    return make(*bottleneck(), machine("isaac"))


@pytest.fixture(scope="module")
def told(residual: Made) -> Timeline:
    found = select("isaac").target.timeline(residual.program, residual.machine, INPUTS)
    assert found is not None
    return found


def test_every_chunk_of_every_stage_is_there_once(residual: Made, told: Timeline) -> None:
    products = {track.name: track.spans for track in told.tracks if track.name.endswith(": product")}
    stages = [stage for stage in residual.program.stages if stage.product]
    assert set(products) == {f"{stage.name}: product" for stage in stages}
    for stage in stages:
        spans = products[f"{stage.name}: product"]
        chunks = Counter(span.arguments["chunk"] for span in spans)
        assert chunks == dict.fromkeys(range(stage.chunks), INPUTS)
    streams = {
        track.name.split(":")[0]: len(track.spans) for track in told.tracks if track.group == "streams"
    }
    assert streams == {s.name: INPUTS * s.source_chunks for s in residual.program.streams}


def test_lanes_and_buses_do_one_thing_at_a_time(told: Timeline) -> None:
    for track in told.tracks:
        if track.name.endswith((": lanes", ": load")):
            for one, after in zip(track.spans, track.spans[1:], strict=False):
                assert one.end <= after.start


def test_the_first_input_ends_when_the_simulation_says(residual: Made) -> None:
    found = select("isaac").target.timeline(residual.program, residual.machine, 1)
    assert found is not None
    last = max(span.end for track in found.tracks for span in track.spans)
    assert last == simulate(residual.program, residual.machine).latency_cycles


class Sum(nn.Module):
    """Two products that know nothing of each other, and their sum."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(64, 64), nn.Linear(64, 64)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return self.a(x) + self.b(h)


def test_a_product_does_not_wait_for_what_is_added_to_it() -> None:
    torch.manual_seed(0)
    both = make(Sum(), (torch.randn(1, 64), torch.randn(1, 64)), machine("isaac"))
    found = select("isaac").target.timeline(both.program, both.machine, 1)
    assert found is not None
    a, b = sorted(
        (track.spans[0] for track in found.tracks if track.name.endswith(": product")), key=lambda s: s.start
    )
    assert b.start < a.end  # side by side
    (lanes,) = (t.spans[0] for t in found.tracks if t.name == "b: lanes")
    stream = next(t.spans[0] for t in found.tracks if t.name.endswith("a to b"))
    assert lanes.start == max(stream.end, b.end)  # at once when both are there, and not before
    one = make(*mlp(64, 64, batch=1), machine("isaac"))
    alone = simulate(one.program, one.machine).latency_cycles
    assert simulate(both.program, both.machine).latency_cycles < 1.5 * alone
