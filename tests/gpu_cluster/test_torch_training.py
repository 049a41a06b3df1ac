"""Written PyTorch code against the single-process model and against the program: losses, gradients, collectives."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.compiler.golden import check
from tests.gpu_cluster.programs import TINY, cluster
from wsc.backends.gpu_cluster.census import take_census
from wsc.backends.gpu_cluster.emit.torch_training import schedule_csv, write_torch_training
from wsc.backends.gpu_cluster.kernels import Precision
from wsc.backends.gpu_cluster.program import Program
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.backends.gpu_cluster.transformer.training import training_program
from wsc.compiler.errors import UserError

MOE = replace(TINY, name="tiny-moe", experts=4, top_k=2)
DRIVER = Path(__file__).with_name("torch_driver.py")
GOLDEN = Path(__file__).parent / "golden"
SECONDS = 480  # hard limit of a launch, ranks and reference: ranks that wait for each other never end


def plan(**sizes: Any) -> Parallelism:
    return Parallelism(precision=Precision.FP32, regather=False, **sizes)


ON_TWO = {
    "tensor": plan(tensor=2, global_batch=2),
    "tensor_without_sequence": plan(tensor=2, sequence=False, global_batch=2),
    "replicas": plan(data=2, global_batch=4),
    "optimizer_sharded": plan(data=2, shard=1, global_batch=4),
    "gradients_sharded": plan(data=2, shard=2, global_batch=4),
    "fully_sharded": plan(data=2, shard=3, global_batch=4),
    "gpipe": plan(pipeline=2, schedule="gpipe", global_batch=4),
    "one_f_one_b": plan(pipeline=2, global_batch=4),
    "interleaved": plan(pipeline=2, virtual=2, schedule="interleaved", global_batch=4),
    "zero_bubble": plan(pipeline=2, schedule="zero-bubble", global_batch=4),
    "context": plan(context=2, global_batch=2),
    "context_fully_sharded": plan(context=2, shard=3, global_batch=2),
    "experts": plan(data=2, expert=2, global_batch=4),
    "experts_optimizer_sharded": plan(data=2, expert=2, shard=1, global_batch=4),
    "experts_fully_sharded": plan(data=2, shard=3, global_batch=4),
    "recomputed_tensor": plan(tensor=2, recompute="full", global_batch=2),
    "recomputed_fully_sharded": plan(data=2, shard=3, recompute="full", global_batch=4),
    "recomputed_interleaved": plan(
        pipeline=2, virtual=2, schedule="interleaved", recompute="full", global_batch=4
    ),
    "recomputed_experts_fully_sharded": plan(data=2, shard=3, recompute="full", global_batch=4),
    "recomputed_context": plan(context=2, recompute="full", global_batch=2),
    "recomputed_experts": plan(data=2, expert=2, shard=1, recompute="full", global_batch=4),
    "tied_tensor": plan(tensor=2, global_batch=2),
    "tied_replicas": plan(data=2, global_batch=4),
    "tied_pipeline": plan(pipeline=2, global_batch=4),
    "dropout_tensor": plan(tensor=2, global_batch=2),
    "dropout_without_sequence": plan(tensor=2, sequence=False, global_batch=2),
    "dropout_replicas": plan(data=2, shard=2, micro_batch=2, global_batch=8),
    "dropout_context": plan(context=2, global_batch=2),
    "dropout_recomputed_pipeline": plan(pipeline=2, recompute="full", global_batch=4),
}
ON_FOUR = {
    "experts_cut": plan(data=2, expert=2, tensor=2, global_batch=4),
    "experts_cut_without_sequence": plan(data=2, expert=2, tensor=2, sequence=False, global_batch=4),
    "experts_cut_gradients_sharded": plan(data=2, expert=2, tensor=2, shard=2, global_batch=4),
    "experts_cut_fully_sharded": plan(data=2, tensor=2, shard=3, global_batch=4),
    "recomputed_experts_cut": plan(data=2, expert=2, tensor=2, shard=1, recompute="full", global_batch=4),
}
ON_EIGHT = {
    "everything": plan(pipeline=2, data=2, tensor=2, shard=1, global_batch=8),
    "context_and_tensor": plan(data=2, context=2, tensor=2, shard=3, global_batch=4),
    "context_and_experts": plan(pipeline=2, data=2, expert=2, context=2, shard=1, global_batch=4),
    "experts_and_replicas": plan(pipeline=2, data=4, expert=2, shard=1, global_batch=8),
    "experts_and_everything": plan(pipeline=2, data=2, expert=2, tensor=2, shard=1, global_batch=4),
    "recomputed_everything": plan(pipeline=2, data=2, tensor=2, shard=1, recompute="full", global_batch=8),
    "tied_shares": plan(pipeline=2, data=4, shard=1, global_batch=8),
    "tied_everything": plan(pipeline=2, data=2, tensor=2, shard=1, global_batch=8),
    "tied_dropout_recomputed": plan(pipeline=2, data=2, tensor=2, recompute="full", global_batch=8),
}


def shape_of(name: str) -> TransformerShape:
    shape = MOE if "experts" in name else TINY
    return replace(shape, tied="tied" in name, dropout="dropout" in name)


def launched(plans: dict[str, Parallelism], folder: Path) -> None:
    """Run each plan's code on as many processes as it has ranks, and in one; fails after a hard limit."""
    for name, one in plans.items():
        write_torch_training(shape_of(name), one, folder / name)
    ranks = next(iter(plans.values())).ranks
    folders = ",".join(str(folder / name) for name in plans)
    drive(f"{ranks}::{folders}", f"0:--reference:{folders}")


def drive(*groups: str) -> None:
    """Run written code in the processes of one launch (torch_driver.py)."""
    run([sys.executable, str(DRIVER), str(SECONDS), *groups])


def run(command: list[str], cwd: str | None = None) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=SECONDS + 30, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that is filled by whichever of pytest-xdist's processes comes first; the others wait for it."""
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / name
    with FileLock(base / f"{name}.lock"):
        if not (folder / "done").exists():
            make(folder)
            (folder / "done").touch()
    return folder


@pytest.fixture(scope="module")
def on_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "two", partial(launched, ON_TWO))


def reports(folder: Path, one: Parallelism) -> list[dict[str, Any]]:
    return [json.loads((folder / f"out.{rank}.json").read_text()) for rank in range(one.ranks)]


def reference(folder: Path) -> dict[str, Any]:
    """What the step in one process told."""
    found: dict[str, Any] = json.loads((folder / "reference.0.json").read_text())
    return found


def judge(folder: Path, one: Parallelism, found: list[dict[str, Any]] | None = None) -> None:
    """Losses and gradients as without spreading; collectives as in the program, in number and in bytes.

    `found` is a report for each rank, or a single one for all where one process played them.
    """
    found, expected = found or reports(folder, one), reference(folder)
    losses = [report["losses"] for report in found]
    told = [loss for replica in losses for loss in replica]
    copies = one.tensor  # every rank of a tensor group tells the loss
    assert sum(told) / len(told) == pytest.approx(sum(expected["losses"]) / len(expected["losses"]), rel=1e-5)
    assert len(told) == copies * one.context * one.data * one.microbatches
    gradients = {name: sums for report in found for name, sums in report["gradients"].items()}
    assert gradients.keys() == expected["gradients"].keys()
    for name, (total, norm) in expected["gradients"].items():
        assert gradients[name][1] == pytest.approx(norm, rel=1e-4), name
        assert gradients[name][0] == pytest.approx(total, abs=1e-4 * norm + 1e-7), name
    program = training_program(shape_of(folder.name), one, cluster())
    of_stage = len(found) // one.pipeline
    for stage in range(one.pipeline):
        own = found[stage * of_stage : (stage + 1) * of_stage]
        judge_collectives([counted(report) for report in own], programmed(program, stage), folder.name, one)
        for report in own:
            judge_oracle(report)


Seen = Counter[tuple[str, str, int]]  # by kind, axis and bytes


def counted(report: dict[str, Any]) -> Seen:
    """Collectives and messages that the code made."""
    return Counter({(kind, axis, bytes): count for kind, axis, bytes, count in report["collectives"]})


def judge_collectives(ranks: list[Seen], expected: Seen, name: str, one: Parallelism) -> None:
    """All as in the program; of rows that go to experts and back, as the tokens choose, what no choice changes."""
    rows = Counter({key: count for key, count in expected.items() if key in rows_moved(shape_of(name), one)})
    fixed = expected - rows
    moved = [seen - fixed for seen in ranks]
    for seen, left in zip(ranks, moved, strict=True):
        assert not fixed - seen
        assert by_group(left) == by_group(rows)
    for (kind, axis), share in total_bytes([rows] * len(ranks)).items():
        carried = total_bytes(moved)[kind, axis]
        padded = (
            axis == "tensor" and one.sequence
        )  # each rank of the group has as many as the one with the most
        assert carried == share or (padded and carried > share)
    for place, left in enumerate(moved if one.sequence and one.expert > 1 else []):
        group = moved[place - place % one.tensor :][: one.tensor]
        arrived = {
            bytes for other in group for _, axis, bytes in other if axis == "expert"
        }  # they go back so
        assert {bytes for _, axis, bytes in left if axis == "tensor"} <= {one.tensor * n for n in arrived}


def rows_moved(shape: TransformerShape, one: Parallelism) -> set[tuple[str, str, int]]:
    """What carries rows to experts and back, or to a tensor group that cuts them, if all experts get as many."""
    every = one.element * one.micro_batch * shape.sequence // one.context * shape.top_k * shape.hidden
    own = ("all_to_all", "expert", every // (one.tensor if one.sequence else 1))
    kinds = ("all_gather", "reduce_scatter") if one.sequence else ("all_reduce",)
    return {own, *((kind, "tensor", every) for kind in kinds)}


def by_group(collectives: Seen) -> Counter[tuple[str, str]]:
    """How many of each kind over each axis."""
    found: Counter[tuple[str, str]] = Counter()
    for (kind, axis, _), count in collectives.items():
        found[kind, axis] += count
    return found


def total_bytes(ranks: Iterable[Seen]) -> Counter[tuple[str, str]]:
    """Bytes of each kind over each axis that all ranks send together."""
    found: Counter[tuple[str, str]] = Counter()
    for one in ranks:
        for (kind, axis, bytes), count in one.items():
            found[kind, axis] += bytes * count
    return found


def programmed(program: Program, stage: int) -> Seen:
    """Collectives of the program; but for the gradient's norm, which the written code does not take."""
    census = take_census(program, program.classes[stage].body)
    found: Seen = Counter()
    for (kind, axes, bytes), count in census.collectives.items():
        if bytes > 4:
            found[kind, "+".join(axes), bytes] += count
    for (axis, _, bytes), count in census.sends.items():
        found["send", axis, bytes] += count
    return found


def judge_oracle(report: dict[str, Any]) -> None:
    """CommDebugMode counts as many collectives as the code's own log."""
    own: Counter[str] = Counter()
    for kind, _, _, count in report["collectives"]:
        own[kind] += count
    theirs: Counter[str] = Counter()
    for name, count in report["oracle"].items():
        kind = next(
            k
            for k in ("reduce_scatter", "all_reduce", "all_gather", "all_to_all", "send")
            if k.replace("_", "") in name.replace("_", "")
        )
        theirs[kind] += count
    del own["send"]  # it does not count messages
    assert +own == theirs


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_TWO)
def test_two_ranks(on_two: Path, name: str) -> None:
    judge(on_two / name, ON_TWO[name])


@pytest.fixture(scope="module")
def on_four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "four", partial(launched, ON_FOUR))


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_FOUR)
def test_four_ranks(on_four: Path, name: str) -> None:
    judge(on_four / name, ON_FOUR[name])


@pytest.fixture(scope="module")
def on_eight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "eight", partial(launched, ON_EIGHT))


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_EIGHT)
def test_eight_ranks(on_eight: Path, name: str) -> None:
    judge(on_eight / name, ON_EIGHT[name])


IN_ONE_PROCESS = {
    "tensor_without_sequence": plan(tensor=2, sequence=False, global_batch=2),
    "context": plan(context=2, global_batch=2),
    "all_of_them": plan(data=2, context=2, tensor=2, global_batch=4),
}


@pytest.fixture(scope="module")
def in_one_process(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "one", played)


def played(folder: Path) -> None:
    """Run each plan's code in one process that plays all ranks, and once with nothing spread."""
    for name, one in IN_ONE_PROCESS.items():
        write_torch_training(TINY, one, folder / name)
    drive(f"0:--reference,--local:{','.join(str(folder / name) for name in IN_ONE_PROCESS)}")


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_ONE_PROCESS)
def test_all_ranks_in_one_process(in_one_process: Path, name: str) -> None:
    told = json.loads((in_one_process / name / "local.0.json").read_text())
    judge(in_one_process / name, IN_ONE_PROCESS[name], [told])


WIDE = TransformerShape("wide", 2, 128, 256, 8, 8, 1024, 16, gated=True, bias=False, rotary=True, tied=False)
OF_10240 = {
    "replicas_and_tensor_groups": (WIDE, plan(data=1280, tensor=8, global_batch=1280)),
    "contexts_experts_and_replicas": (
        replace(WIDE, experts=8, top_k=2),
        plan(data=5120, expert=8, context=2, global_batch=5120),
    ),
    "experts_cut_by_tensor_groups": (
        replace(WIDE, experts=8, top_k=2, sequence=64),  # the fake group's exchanges want a row for each rank
        plan(data=1280, expert=2, tensor=8, global_batch=1280),
    ),
}


FAKED = (0, 10239)


@pytest.fixture(scope="module")
def of_10240(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "fake", faked)


def faked(folder: Path) -> None:
    """Run single ranks of each plan, a process each: DTensor remembers the groups of a mesh, and whose rank it was."""
    for name, (shape, one) in OF_10240.items():
        write_torch_training(shape, one, folder / name)
    drive(*(f"0:--fake={rank}:{folder / name}" for rank in FAKED for name in OF_10240))


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_10240)
@pytest.mark.parametrize("rank", FAKED)
def test_10240_ranks_with_the_fake_process_group(of_10240: Path, rank: int, name: str) -> None:
    """One process plays one rank of the mesh, and no other rank is there."""
    shape, one = OF_10240[name]
    report = json.loads((of_10240 / name / f"fake.{rank}.json").read_text())
    assert counted(report) == programmed(training_program(shape, one, cluster("h100x10240")), 0)
    judge_oracle(report)
    rows = shape.heads * shape.head_dim // one.tensor
    assert report["shapes"]["layers.0.attention.wq.weight"] == [rows, shape.hidden]
    assert any("experts" in name for name in report["shapes"]) == bool(shape.experts)


def test_the_schedule_is_as_the_runtime_reads_it() -> None:
    check(str(GOLDEN / "schedule.csv"), schedule_csv(ON_TWO["interleaved"]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"overlap_products": True}, "no products in parts (overlap_products) there yet"),
        (
            {"fused_attention": False},
            "no dropout of attention's probabilities (fused_attention = False) there yet",
        ),
    ],
)
def test_what_would_be_another_step_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    one = plan(tensor=2, global_batch=2, **change)
    with pytest.raises(UserError, match=re.escape(said)):
        write_torch_training(replace(TINY, dropout=True), one, tmp_path / "out")


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    one = plan(tensor=2, shard=1, schedule="zero-bubble", recompute="full", global_batch=2)
    with pytest.raises(UserError) as caught:
        write_torch_training(replace(MOE, tied=True), one, tmp_path / "out")
    check(str(GOLDEN / "emit_refused.txt"), f"{caught.value}\n")
    assert not (tmp_path / "out").exists()
