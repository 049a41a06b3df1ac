"""Simulation of programs: order, overlap, messages, deadlock, memory; folded and unfolded alike."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gpu_cluster.programs import MIB, SMALL, cluster, product, program, reduced, streamed
from wsc.backends.gpu_cluster.clusters import read_cluster
from wsc.backends.gpu_cluster.instructions import (
    Alloc,
    Call,
    Communicate,
    Instruction,
    Recv,
    Repeat,
    Send,
    Wait,
)
from wsc.backends.gpu_cluster.program import Block, Program
from wsc.backends.gpu_cluster.simulate import run
from wsc.backends.gpu_cluster.simulate.fold import Folding, fold
from wsc.backends.gpu_cluster.simulate.run import simulate_program
from wsc.backends.gpu_cluster.transformer.shape import Parallelism
from wsc.backends.gpu_cluster.transformer.training import training_program
from wsc.compiler.errors import SimulationError

MESH = {"stage": 2, "tensor": 4}
FEW_LAYERS = replace(SMALL, layers=4)


def seconds(*bodies: tuple[Instruction, ...], blocks: tuple[Block, ...] = ()) -> float:
    return simulate_program(program(MESH, *bodies, blocks=blocks), cluster()).seconds


def test_kernels_follow_each_other() -> None:
    one = seconds((product(),))
    assert seconds((product(), product(), product())) == pytest.approx(3 * one)
    assert seconds((Repeat(3, (product(),)),)) == pytest.approx(3 * one)


def test_a_collective_on_the_kernels_stream_holds_them_up() -> None:
    kernel, collective = seconds((product(),)), seconds((reduced(64, "tensor"),))
    assert seconds((reduced(64, "tensor"), product())) == pytest.approx(kernel + collective)


def test_a_collective_on_its_own_stream_hides() -> None:
    kernels, collective = seconds((product(),) * 4), seconds((reduced(64, "tensor"),))
    hidden = seconds((reduced(64, "tensor", stream="sums"), *(product(),) * 4))
    assert kernels < hidden < kernels + collective  # longer than kernels alone: it takes SMs from them


def test_waiting_for_an_event_ends_the_hiding() -> None:
    hidden = reduced(64, "tensor", stream="sums", event="summed")
    exposed = seconds((hidden, Wait(("summed",)), product()))
    assert exposed == pytest.approx(seconds((product(),)) + seconds((reduced(64, "tensor"),)))


def test_a_block_takes_what_it_is_made_of() -> None:
    body = (product(), reduced(8, "tensor"), streamed(32))
    blocks = (Block("one", body), Block("two", (Call("one"), Call("one"))))
    assert seconds((Call("two", 2),), blocks=blocks) == pytest.approx(4 * seconds(body))


def test_a_message_comes_after_it_is_sent() -> None:
    message = Send("x", "stage", 1, 64 * MIB, stream="out", event="made", after=())
    first = (product(), replace(message, stream="compute"))
    second = (Recv("x", "stage", -1, 64 * MIB), product())
    sent = seconds(first, ())
    assert seconds(first, second) == pytest.approx(sent + seconds((product(),)))


def test_messages_of_two_channels_share_the_port() -> None:
    sends = tuple(Send(name, "stage", 1, 256 * MIB, stream=name) for name in "xy")
    receives = tuple(Recv(name, "stage", -1, 256 * MIB) for name in "xy")
    alone, both = seconds(sends[:1], receives[:1]), seconds(sends, receives)
    assert both == pytest.approx(2 * alone, rel=0.01)


def test_ranks_that_wait_for_ever_are_named() -> None:
    wait = (Recv("x", "stage", 1, 8),)
    with pytest.raises(
        SimulationError, match=r"2 kinds of ranks wait for ever; rank 0 for recv\(channel='x'"
    ):
        seconds(wait, wait)
    with pytest.raises(SimulationError, match=r"2 kinds of ranks wait for ever"):
        seconds((*wait, product()), (product(), *wait))


def test_ranks_that_meet_in_different_collectives_are_told() -> None:
    with pytest.raises(SimulationError, match="ranks meet in different collectives"):
        seconds((reduced(8, "stage"),), (reduced(9, "stage"),))


def test_memory_holds_to_the_byte() -> None:
    have = cluster().gpu.hbm_bytes
    seconds((Alloc("all", have),))
    with pytest.raises(SimulationError, match=f"holds {have + 1:,} bytes, and a GPU of 'h100x8' {have:,}"):
        seconds((Alloc("all", have), Alloc("more", 1)))


def test_a_program_for_more_gpus_is_refused() -> None:
    with pytest.raises(SimulationError, match="it has 16 ranks, and 'h100x8' has 8 GPUs"):
        simulate_program(program({"stage": 16}, ()), cluster())


def test_what_is_done_by_all_alike_is_simulated_once() -> None:
    body = (product(), reduced(8, "tensor"))
    folded = fold(program({"replica": 1280, "tensor": 8}, body), cluster("h100x10240"), {})
    assert len(folded.members) == 1


def test_a_straggler_is_told_from_those_that_wait_for_it_and_from_the_rest() -> None:
    body = (product(), reduced(8, "tensor"))
    whole = program({"replica": 16, "tensor": 8}, body)
    folded = fold(whole, cluster("h100x128"), {9: 1.5})
    assert [len(m) for m in folded.members] == [120, 7, 1]
    even = simulate_program(whole, cluster("h100x128"))
    slow = simulate_program(whole, cluster("h100x128"), {9: 1.5})
    assert slow.seconds > even.seconds
    by_size = {rank.ranks: rank for rank in slow.ranks}
    assert by_size[1].kernel_seconds == pytest.approx(1.5 * by_size[7].kernel_seconds)
    assert by_size[1].idle_seconds < by_size[7].idle_seconds


def test_the_stragglers_of_a_cluster_file_slow_a_run_down(tmp_path: Path) -> None:
    file = tmp_path / "slow.toml"
    file.write_text('target = "gpu_cluster"\ngpu = "h100"\ngpus = 8\n[stragglers]\n3 = 1.5\n7 = 3.0\n')
    whole = program({"tensor": 4}, (product(), reduced(8, "tensor")))  # takes no GPU 7
    found = simulate_program(whole, read_cluster(file))
    assert found == simulate_program(whole, cluster(), {3: 1.5})
    assert found.seconds > simulate_program(whole, cluster()).seconds


def test_stragglers_are_ranks_of_the_program() -> None:
    with pytest.raises(SimulationError, match="stragglers are ranks from 0 to 7"):
        simulate_program(program(MESH, ()), cluster(), {8: 2.0})


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    pipeline=st.sampled_from([1, 2]),
    tensor=st.sampled_from([1, 2]),
    data=st.sampled_from([1, 2]),
    shard=st.sampled_from([0, 1]),
    schedule=st.sampled_from(["gpipe", "1f1b", "zero-bubble"]),
    slow=st.dictionaries(st.integers(0, 0), st.floats(1.1, 2.0), max_size=1),
)
def test_folding_changes_little(
    pipeline: int, tensor: int, data: int, shard: int, schedule: str, slow: dict[int, float]
) -> None:
    """Nothing but that a block is one activity, whose kernels and collectives are not told apart in time."""
    plan = Parallelism(
        data=data, tensor=tensor, pipeline=pipeline, shard=shard, global_batch=4 * data, schedule=schedule
    )  # type: ignore[arg-type]
    written = training_program(FEW_LAYERS, plan, cluster(f"h100x{plan.ranks}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "fold", unfolded)
        every = simulate_program(written, cluster(f"h100x{plan.ranks}"), slow)
    folded = simulate_program(written, cluster(f"h100x{plan.ranks}"), slow)
    assert len(every.ranks) == written.ranks >= len(folded.ranks)
    assert folded.seconds == pytest.approx(every.seconds, rel=0.01)


def unfolded(written: Program, on: object, slow: object) -> Folding:
    return Folding(written, on, np.arange(written.ranks))  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["nic_bytes_per_second", "nvlink_bytes_per_second"])
def test_more_bandwidth_is_never_slower(key: str) -> None:
    on = cluster("h100x16")
    body = (product(), Communicate("all_reduce", 64 * MIB, ("stage", "tensor"), "sum"), reduced(8, "tensor"))
    written = program({"stage": 4, "tensor": 4}, body)
    if key.startswith("nic"):
        faster = on.model_copy(
            update={"system": on.system.model_copy(update={key: 2 * getattr(on.system, key)})}
        )
    else:
        faster = on.model_copy(update={"gpu": on.gpu.model_copy(update={key: 2 * getattr(on.gpu, key)})})
    assert simulate_program(written, faster).seconds <= simulate_program(written, on).seconds
