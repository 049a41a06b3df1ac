"""Programs of training: loss, gradients and steps equal torch's, with activations saved or computed again."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.frontend.test_training import SAMPLE_OPTIONS, trained
from wsc.commands.run import relative_error
from wsc.compiler.errors import ModelError, UserError
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.verify import verify
from wsc.compiler.memory import Memory, memory_of
from wsc.compiler.passes.pipeline import DEFAULT, run_pipeline
from wsc.compiler.passes.precision import Precision
from wsc.compiler.passes.recompute import AGAIN, recompute
from wsc.frontend.model_file import load
from wsc.frontend.training import WithLoss, capture_training
from wsc.frontend.training_step import Recipe, TrainingProgram, training_programs

RECIPES = {
    "adamw": Recipe(),
    "adamw of two": Recipe(accumulate=2),
    "sgd of two": Recipe("sgd", 2),
    "gradients": Recipe("none"),
    "computed again": Recipe("none", recompute=True),
    "adamw computed again": Recipe(recompute=True),
}


def errors(program: TrainingProgram, inputs: tuple[np.ndarray, ...]) -> list[float]:
    model = run_pipeline(program.model, program.passes)
    verify(model.graph)
    ours, theirs = interpret(model.graph, inputs, model.weights), program.reference(inputs)
    return [relative_error(a, b) for a, b in zip(ours, theirs, strict=True)]


@pytest.mark.parametrize("name", SAMPLE_OPTIONS)
def test_every_program_of_training_gives_torchs_numbers(name: str) -> None:
    found = trained(name)
    for recipe in RECIPES.values():
        programs = training_programs(found, recipe)
        assert len(programs) == 1 + (recipe.accumulate > 1)
        for program in programs:
            assert program.example_inputs is not None
            assert max(errors(program, program.example_inputs)) <= 1e-4


def test_a_step_goes_on_from_any_state() -> None:
    found = trained("mlp")
    (program,) = training_programs(found, Recipe())
    inputs = program.example_inputs
    assert inputs is not None
    for _ in range(2):
        after = program.reference(inputs)
        state = program.model.graph.state
        changed = {pair.input: after[pair.output] for pair in state}
        inputs = tuple(changed.get(place, array) for place, array in enumerate(inputs))
    assert inputs[2] == 2.0  # steps
    assert max(errors(program, inputs)) <= 1e-4


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(8, 32), nn.Linear(32, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.tanh(self.down(torch.tanh(self.up(x))))


class Deep(nn.Module):
    def __init__(self, layers: int = 6) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(Block() for _ in range(layers)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layers(x)
        return result


def deep() -> TrainingProgram:
    module = WithLoss(Deep(), F.mse_loss)
    inputs = (torch.randn(64, 8),), torch.randn(64, 8)
    return training_programs(capture_training(module, inputs, "m"), Recipe("none", recompute=True))[0]


def test_computing_again_saves_memory_and_costs_work() -> None:
    program = deep()
    kept, again = (run_pipeline(program.model, passes) for passes in (DEFAULT, program.passes))
    before, after = memory_of(kept.graph), memory_of(again.graph)
    assert (
        before.saved == 6 * 64 * (32 + 8 + 8) * 4
    )  # both results of tanh, and the layer's input or the loss's
    assert after.saved <= 6 * 64 * 8 * 4
    assert after.values < before.values
    extra = [node for node in again.graph if node.name.startswith(AGAIN)]
    assert again.graph.work().macs - kept.graph.work().macs == 6 * 64 * 8 * 32 * 2
    assert {node.name.removeprefix(AGAIN) for node in extra} <= {node.name for node in kept.graph}
    assert max(errors(program, program.example_inputs or ())) <= 1e-4


def test_computing_again_twice_is_once() -> None:
    once = run_pipeline(deep().model, deep().passes)
    assert recompute(once) is once
    inference = run_pipeline(deep().model)
    assert recompute(recompute(inference)) == recompute(inference)


def test_memory_by_hand(graph_of) -> None:
    graph = graph_of(
        "%x = input(index=0) : f32[4]",
        "%s = input(index=1) : f32[4]",
        "%w = parameter(key='w') : f32[4]",
        "%a = elementwise(fn='mul', scalars=(None, None)) %x %w : f32[4]",
        "%v = reshape(shape=(2,2), batch=0) %a : f32[2,2]",
        "%b = elementwise(fn='exp') %v : f32[2,2]",
        "%n = elementwise(fn='add', scalars=(None, None)) %s %a : f32[4]",
        "%backward.c = elementwise(fn='neg') %b : f32[2,2]",
        "return %backward.c %n",
        "state input=1 output=1",
    )
    # a and its view until n is made, b until c: three values never live at once, and n takes the place of s.
    assert memory_of(graph) == Memory(weights=16, state=16, values=32, saved=16)


@pytest.fixture
def graph_of():
    from tests.compiler.graphs import graph

    return graph


def test_parameters_in_another_precision_keep_wide_moments() -> None:
    (program,) = training_programs(trained("mlp"), Recipe(), Precision.of("bf16"))
    types = {node.name: node.type.dtype.value for node in program.model.graph.inputs}
    assert program.rounded
    assert types["module.layers.0.weight"] == "bf16"
    assert types["adamw.module.layers.0.weight.moment1"] == "f32"


def test_what_is_refused() -> None:
    with pytest.raises(UserError, match="no optimizer 'adam': there are adamw, sgd, none"):
        Recipe("adam")
    with pytest.raises(UserError, match="with --optimizer none there is no step"):
        Recipe("none", 2)
    with pytest.raises(UserError, match="Weights in int8 cannot be trained"):
        training_programs(trained("mlp"), Recipe(), Precision.of("int8"))


def test_a_file_says_its_loss(tmp_path) -> None:
    lines = (
        "import torch",
        "def model(): return torch.nn.Linear(4, 3)",
        "def example_inputs(rows=2): return (torch.ones(rows, 4),)",
        "def targets(rows=2): return (torch.zeros(rows, dtype=torch.int64),)",
        "def loss(scores, labels): return torch.nn.functional.cross_entropy(scores, labels)",
    )
    (tmp_path / "m.py").write_text("\n".join(lines))
    source = load(str(tmp_path / "m.py"), {"rows": "5"})
    found = capture_training(*source.trainable(), source.name)
    assert [str(node.type) for node in found.model.graph.inputs] == ["f32[5,4]", "i64[5]"]
    (tmp_path / "m.py").write_text("\n".join([*lines[:3], "def targets(): return 1", lines[4]]))
    with pytest.raises(ModelError, match=r"targets\(\) must return a tuple of what loss\(\) takes, not int"):
        load(str(tmp_path / "m.py"), {}).trainable()


class Judge(nn.Module):
    def __init__(self, reduction: str, weight: list[float] | None) -> None:
        super().__init__()
        self.inner, self.reduction = nn.Linear(4, 3), reduction
        self.register_buffer("weight", None if weight is None else torch.tensor(weight))

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        scores = self.inner(x)
        return F.cross_entropy(scores, labels, self.weight, reduction=self.reduction, ignore_index=2)


@pytest.mark.parametrize(("reduction", "weight"), [*product(("mean", "sum"), (None, [0.5, 1.0, 2.0]))])
def test_cross_entropy_needs_no_gather(reduction: str, weight: list[float] | None) -> None:
    inputs = (torch.randn(5, 4), torch.tensor([0, 1, 2, 1, 0]))
    found = capture_training(Judge(reduction, weight), inputs, "m")
    assert not {node.op.kind for node in found.model.graph} & {"gather", "update"}
    (program,) = training_programs(found, Recipe("none"))
    assert max(errors(program, program.example_inputs or ())) <= 1e-4
