"""Written PyTorch code against the single-process model and against the program: losses, gradients, collectives."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.compiler.golden import check
from tests.gpu_cluster.programs import TINY, cluster
from wsc.backends.gpu_cluster.census import take_census
from wsc.backends.gpu_cluster.emit.torch_training import schedule_csv, write_torch_training
from wsc.backends.gpu_cluster.kernels import Precision
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.backends.gpu_cluster.transformer.training import training_program
from wsc.compiler.errors import UserError

DRIVER = Path(__file__).with_name("torch_driver.py")
GOLDEN = Path(__file__).parent / "golden"
SECONDS = 240  # hard limit of a launch: ranks that wait for each other never end


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
}
ON_EIGHT = {"everything": plan(pipeline=2, data=2, tensor=2, shard=1, global_batch=8)}


def launched(plans: dict[str, Parallelism], folder: Path) -> None:
    """Run each plan's code on as many processes as it has ranks; fails after a hard limit."""
    folders = []
    for name, one in plans.items():
        write_torch_training(TINY, one, folder / name)
        folders.append(str(folder / name))
    ranks = next(iter(plans.values())).ranks
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    run([*command, str(DRIVER), *folders])
    run([sys.executable, "run_torch.py", "--reference", "--report", "reference.json"], cwd=folders[0])


def run(command: list[str], cwd: str | None = None) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def on_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    launched(ON_TWO, folder)
    return folder


def reports(folder: Path, one: Parallelism) -> list[dict[str, Any]]:
    return [json.loads((folder / f"out.{rank}.json").read_text()) for rank in range(one.ranks)]


def reference(folder: Path) -> dict[str, Any]:
    """The step in one process. The batch is the same for all plans of four sequences; others have their own."""
    run([sys.executable, "run_torch.py", "--reference", "--report", "reference.json"], cwd=str(folder))
    found: dict[str, Any] = json.loads((folder / "reference.0.json").read_text())
    return found


def judge(folder: Path, one: Parallelism, expected: dict[str, Any]) -> None:
    """Losses and gradients as without spreading; collectives as in the program, in number and in bytes."""
    found = reports(folder, one)
    losses = [report["losses"] for report in found]
    told = [loss for replica in losses for loss in replica]
    copies = one.tensor  # every rank of a tensor group tells the loss
    assert sum(told) / len(told) == pytest.approx(sum(expected["losses"]) / len(expected["losses"]), rel=1e-5)
    assert len(told) == copies * one.data * one.microbatches
    gradients = {name: sums for report in found for name, sums in report["gradients"].items()}
    assert gradients.keys() == expected["gradients"].keys()
    for name, (total, norm) in expected["gradients"].items():
        assert gradients[name][1] == pytest.approx(norm, rel=1e-4), name
        assert gradients[name][0] == pytest.approx(total, abs=1e-4 * norm + 1e-7), name
    for rank, report in enumerate(found):
        stage = rank // (one.data * one.tensor)
        assert counted(report) == programmed(one, stage)
        judge_oracle(report)


def counted(report: dict[str, Any]) -> Counter[tuple[str, str, int]]:
    """Collectives and messages that the code made."""
    names = {"data": "replica"}
    found = report["collectives"]
    return Counter({(kind, names.get(axis, axis), bytes): count for kind, axis, bytes, count in found})


def programmed(one: Parallelism, stage: int) -> Counter[tuple[str, str, int]]:
    """Collectives of the program; but for the gradient's norm, which the written code does not take."""
    program = training_program(TINY, one, cluster())
    census = take_census(program, program.classes[stage].body)
    found: Counter[tuple[str, str, int]] = Counter()
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
            for k in ("reduce_scatter", "all_reduce", "all_gather", "send")
            if k.replace("_", "") in name.replace("_", "")
        )
        theirs[kind] += count
    del own["send"]  # it does not count messages
    assert +own == theirs


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_TWO)
def test_two_ranks(on_two: Path, name: str) -> None:
    judge(on_two / name, ON_TWO[name], reference(on_two / name))


@pytest.mark.slow
def test_eight_ranks_with_everything(tmp_path: Path) -> None:
    launched(ON_EIGHT, tmp_path)
    judge(tmp_path / "everything", ON_EIGHT["everything"], reference(tmp_path / "everything"))


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 10239])
def test_10240_ranks_with_the_fake_process_group(tmp_path: Path, rank: int) -> None:
    """One process plays one rank of a mesh of data 1,280 x tensor 8; no other rank is there."""
    one = plan(data=1280, tensor=8, global_batch=1280)
    shape = TransformerShape(
        "wide", 2, 128, 256, 8, 8, 1024, 16, gated=True, bias=False, rotary=True, tied=False
    )
    write_torch_training(shape, one, tmp_path)
    run([sys.executable, "run_torch.py", "--fake", str(rank), "--report", "fake.json"], cwd=str(tmp_path))
    report = json.loads((tmp_path / f"fake.{rank}.json").read_text())
    program = training_program(shape, one, cluster("h100x10240"))
    census = take_census(program, program.classes[0].body)
    expected: Counter[tuple[str, str, int]] = Counter()
    for (kind, axes, bytes), count in census.collectives.items():
        if bytes > 4:
            expected[kind, "+".join(axes), bytes] += count
    assert counted(report) == expected
    assert report["shapes"]["layers.0.attention.wq.weight"] == [16, 128]  # 128 rows over 8


def test_the_schedule_is_as_the_runtime_reads_it() -> None:
    check(str(GOLDEN / "schedule.csv"), schedule_csv(ON_TWO["interleaved"]))


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        write_torch_training(TINY, plan(context=2, global_batch=2, recompute="full"), tmp_path / "out")
    assert str(caught.value) == (
        "The PyTorch code of 'tiny' cannot be written: no context = 2, no recompute = 'full' there yet."
    )
    assert not (tmp_path / "out").exists()
