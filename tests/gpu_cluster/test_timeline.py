"""The timeline of a run: it ends with the run, streams do one thing at a time, stages follow each other."""

from itertools import pairwise

from tests.conformance.models import captured
from tests.gpu_cluster.programs import TINY, cluster, product, program, reduced
from wsc.backends.gpu_cluster.emit.program import emit
from wsc.backends.gpu_cluster.kernels import Precision
from wsc.backends.gpu_cluster.plan.graph_plan import MeshSize, make_plan
from wsc.backends.gpu_cluster.simulate.run import simulate_program
from wsc.backends.gpu_cluster.simulate.timeline import timeline
from wsc.backends.gpu_cluster.target import TARGET
from wsc.backends.gpu_cluster.transformer.shape import Parallelism
from wsc.backends.gpu_cluster.transformer.training import training_program
from wsc.simulation.timeline import Timeline


def ends(found: Timeline) -> int:
    return max(span.end for track in found.tracks for span in track.spans)


def test_it_ends_with_the_first_output_and_later_with_more_inputs() -> None:
    h100s = cluster("h100x2")
    made = emit(make_plan(captured("mlp").model.graph, h100s, MeshSize(1, 2, 1)))
    one, three = (TARGET.timeline(made, h100s, inputs) for inputs in (1, 3))
    assert ends(one) == TARGET.simulate(made, h100s).latency_cycles
    assert ends(one) < ends(three) < 3 * ends(one)  # stages work side by side
    assert three.spans == 3 * one.spans


def test_a_stream_does_one_thing_at_a_time() -> None:
    plan = Parallelism(pipeline=2, data=2, tensor=2, global_batch=4, precision=Precision.FP32)
    h100s = cluster()
    made = training_program(TINY, plan, h100s)
    found = timeline(made, h100s, 1)
    assert len({track.group for track in found.tracks}) == 2
    for track in found.tracks:
        assert all(before.end <= after.start for before, after in pairwise(track.spans)), track.name
    assert abs(ends(found) - simulate_program(made, h100s).seconds * 1e9) < 1


def test_what_runs_beside_kernels_has_a_track_of_its_own() -> None:
    body = (product(), reduced(64, "tensor", stream="sums", event="sum"), product(label="behind"))
    found = timeline(program({"tensor": 8}, body), cluster(), 1)
    tracks = {track.name: track.spans for track in found.tracks}
    assert list(tracks) == ["compute", "sums"]
    (sum,) = tracks["sums"]
    assert (sum.kind, sum.name) == ("movement", "sum: all_reduce")
    assert tracks["compute"][0].start < sum.end
    assert sum.start < tracks["compute"][1].end  # side by side
