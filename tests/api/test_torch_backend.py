"""torch.compile with wsc as backend: numbers, the report, graph breaks, gradients, what is refused."""

import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn

import wsc
from wsc.torch_backend import backend

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")
SMALL = {"target": "wafer-8x8"}


class Net(nn.Module):
    def __init__(self, speaks: bool = False) -> None:
        super().__init__()
        self.first, self.second, self.speaks = nn.Linear(4, 8), nn.Linear(8, 3), speaks

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x).relu()
        if self.speaks:
            torch._dynamo.graph_break()
        return self.second(x) + 1


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    torch.manual_seed(0)
    torch._dynamo.reset()
    wsc.reset_report()
    yield
    torch._dynamo.reset()


def compiled(module: nn.Module, **options: object) -> nn.Module:
    return torch.compile(module, backend=backend, options={**SMALL, **options})  # type: ignore[return-value]


def test_the_program_gives_torchs_numbers() -> None:
    module, x = Net(), torch.randn(2, 4)
    with torch.no_grad():
        torch.testing.assert_close(compiled(module)(x), module(x), rtol=1e-4, atol=1e-5)
    (graph,) = wsc.last_report().graphs
    assert graph.runs == "program"
    assert graph.executable.cycles.latency > 0
    assert [node.name for node in graph.executable.graph.inputs] == ["inputs_0"]
    assert wsc.last_report().breaks == ()


def test_complex_arguments_and_results_stay_complex() -> None:
    class Turn(nn.Module):
        def forward(self, x: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
            return torch.view_as_complex(x) * turns

    x, turns = torch.randn(3, 2), torch.polar(torch.ones(3), torch.randn(3))
    with torch.no_grad():
        torch.testing.assert_close(compiled(Turn())(x, turns), Turn()(x, turns), rtol=1e-4, atol=1e-5)


def test_a_graph_break_is_told_with_its_place() -> None:
    module, x = Net(speaks=True), torch.randn(2, 4)
    with torch.no_grad():
        torch.testing.assert_close(compiled(module)(x), module(x), rtol=1e-4, atol=1e-5)
    report = wsc.last_report()
    assert len(report.graphs) == 2
    (broken,) = report.breaks
    assert Path(broken.location.file).name == "test_torch_backend.py"
    line = Path(__file__).read_text(encoding="utf-8").splitlines()[broken.location.line - 1]
    assert "graph_break()" in line
    assert "graph break at" in str(report)


def test_eager_execution_and_gradients() -> None:
    module, x = Net(), torch.randn(2, 4)
    with torch.no_grad():
        assert torch.equal(compiled(module, execute="eager")(x), module(x))
    assert wsc.last_report().graphs[-1].runs == "eager"
    torch._dynamo.reset()
    compiled(module)(x).sum().backward()
    assert module.first.weight.grad is not None
    assert wsc.last_report().graphs[-1].runs == "eager"


REFUSED = {
    "an option": ({"machine": "x"}, "has no option 'machine'"),
    "a way": ({"execute": "x"}, "not 'x'"),
    "a kind of value": ({"target": 3}, "'target' is a name or a path, not 3"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_options_that_there_are_not(what: str) -> None:
    options, message = REFUSED[what]
    with pytest.raises(Exception, match=message), torch.no_grad():
        compiled(Net(), **options)(torch.randn(2, 4))


def test_dynamic_shapes_are_refused_with_a_remedy() -> None:
    module = torch.compile(Net(), backend=backend, options=SMALL, dynamic=True)
    with pytest.raises(Exception, match="compile with dynamic=False"), torch.no_grad():
        module(torch.randn(2, 4))


def test_the_entry_point_names_the_backend() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    module, _, name = project["project"]["entry-points"]["torch_dynamo_backends"]["wsc"].partition(":")
    assert getattr(import_module(module), name) is backend
