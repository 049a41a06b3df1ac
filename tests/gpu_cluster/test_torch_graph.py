"""Written PyTorch code of captured graphs: outputs as expected, collectives as in the program."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.compiler.graphs import model
from tests.conformance.models import captured
from tests.gpu_cluster.programs import cluster
from tests.gpu_cluster.test_torch_training import drive, made_once
from wsc.arrays import write_arrays
from wsc.backends.gpu_cluster.census import take_census
from wsc.backends.gpu_cluster.emit.program import emit
from wsc.backends.gpu_cluster.emit.torch_graph import write_torch_graph
from wsc.backends.gpu_cluster.plan.graph_plan import MeshSize, make_plan
from wsc.backends.gpu_cluster.program import Program
from wsc.compiler.errors import UserError
from wsc.compiler.ir.interpret import interpret

MODELS = ("mlp", "conv", "attention", "embedding", "residual", "two_heads")
MESHES = {"tensor": MeshSize(1, 1, 2), "stages": MeshSize(1, 2, 1)}


def written(name: str, mesh: MeshSize, build: Path) -> None:
    """A build folder's arrays, and the code of a model's program in it."""
    found = captured(name)
    program = emit(make_plan(found.model.graph, cluster("h100x2"), mesh))
    build.mkdir(parents=True)
    write_arrays(build / "weights.npz", found.model.weights)
    expected = interpret(found.model.graph, found.inputs, found.model.weights)
    examples = {f"input{i}": a for i, a in enumerate(found.inputs)}
    write_arrays(build / "examples.npz", examples | {f"expected{i}": a for i, a in enumerate(expected)})
    write_torch_graph(program, build / "torch")


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model on every mesh, run in one launch of two ranks."""
    return made_once(tmp_path_factory, "graphs", run_all)


def run_all(folder: Path) -> None:
    for name in MODELS:
        for mesh, size in MESHES.items():
            written(name, size, folder / name / mesh)
    drive(f"2::{','.join(str(folder / name / mesh / 'torch') for name in MODELS for mesh in MESHES)}")


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("mesh", MESHES)
def test_two_ranks(launched: Path, name: str, mesh: str) -> None:
    folder = launched / name / mesh / "torch"
    program = emit(make_plan(captured(name).model.graph, cluster("h100x2"), MESHES[mesh]))
    reports = [json.loads((folder / f"out.{rank}.json").read_text()) for rank in range(2)]
    apart = [value for report in reports for value in report["differences"].values()]
    assert apart
    assert max(apart) < 1e-5
    for rank, report in enumerate(reports):
        assert counted(report) == programmed(program, rank if mesh == "stages" else 0)


def counted(report: dict[str, Any]) -> Counter[tuple[str, str, int]]:
    return Counter({(kind, axis, bytes): count for kind, axis, bytes, count in report["collectives"]})


def programmed(program: Program, stage: int) -> Counter[tuple[str, str, int]]:
    census = take_census(program, program.classes[stage].body)
    found: Counter[tuple[str, str, int]] = Counter()
    for (kind, axes, bytes), count in census.collectives.items():
        found[kind, "+".join(axes), bytes] += count
    for (axis, _, bytes), count in census.sends.items():
        found["send", axis, bytes] += count
    return found


def test_some_model_is_really_spread() -> None:
    program = emit(make_plan(captured("attention").model.graph, cluster("h100x2"), MESHES["tensor"]))
    assert any(b.layout.axes for b in program.classes[0].buffers)


def test_an_op_without_code_is_refused(tmp_path: Path) -> None:
    found = model("%x = input(index=0) : f32[4]", "%y = scan(fn='sum', dim=0) %x : f32[4]", "return %y")
    program = emit(make_plan(found.graph, cluster("h100x2"), MeshSize(2, 1, 1)))
    with pytest.raises(UserError, match="The PyTorch code of 'test' cannot be written: no scan there yet"):
        write_torch_graph(program, tmp_path)
