"""The Python API, on the wafer and on the null target."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import wsc
from wsc.compiler.errors import BuildError, InputMismatch, ModelError, UnknownTarget, UserError
from wsc.simulation.floorplan import Floorplan
from wsc.simulation.trace import Trace

MACHINES = ("wafer-8x8", "null")


class Sum(nn.Module):
    """Two inputs, two outputs, one of them nested."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(8, 4), nn.Linear(6, 4)

    def forward(self, x: Tensor, y: Tensor, scale: float = 1.0) -> dict[str, object]:
        total = self.left(x) + scale * self.right(y)
        return {"total": total, "more": [torch.relu(total)]}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module", params=MACHINES)
def linear(request: pytest.FixtureRequest) -> tuple[nn.Module, wsc.Executable]:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    return module, wsc.compile(module, torch.randn(2, 8), target=request.param, name="small")


def close(found: object, expected: Tensor) -> bool:
    return bool(torch.allclose(torch.as_tensor(found), expected, rtol=1e-4, atol=1e-5))


def test_what_is_there() -> None:
    assert {"compile", "load", "Executable", "WscError"} < set(dir(wsc))
    with pytest.raises(AttributeError, match="module 'wsc' has no attribute 'compil'"):
        wsc.compil  # noqa: B018


def test_tensors_give_a_tensor(linear: tuple[nn.Module, wsc.Executable]) -> None:
    module, exe = linear
    x = torch.randn(2, 8)
    found = exe(x)
    assert isinstance(found, Tensor)
    assert close(found, module(x))


def test_arrays_give_an_array(linear: tuple[nn.Module, wsc.Executable]) -> None:
    module, exe = linear
    x = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
    found = exe(x)
    assert isinstance(found, np.ndarray)
    assert close(found, module(torch.from_numpy(x)))


def test_tensors_of_any_kind(linear: tuple[nn.Module, wsc.Executable]) -> None:
    module, exe = linear
    strided = torch.randn(8, 2).T
    for x in (
        strided,
        torch.randn(2, 8, requires_grad=True),
        nn.Parameter(torch.randn(2, 8)),
        torch.randn(1, 8).expand(2, 8),
    ):
        assert close(exe(x), module(x))
    assert close(exe(strided.numpy()), module(strided))


def test_what_is_known_of_it(linear: tuple[nn.Module, wsc.Executable]) -> None:
    _, exe = linear
    assert exe.name == exe.graph.name == "small"
    assert isinstance(exe.trace, Trace)
    assert (exe.cycles.latency, exe.cycles.interval) == (exe.trace.latency_cycles, exe.trace.interval_cycles)
    assert 0 < exe.cycles.interval <= exe.cycles.latency
    assert isinstance(exe.placement, Floorplan)
    assert exe.placement is exe.placement
    assert type(exe.program).__module__.startswith(f"wsc.backends.{exe.build.selection.target.name}.")
    assert repr(exe) == f"<wsc.Executable 'small' on {exe.build.selection.machine.name}: {exe.cycles}>"


def test_pictures(linear: tuple[nn.Module, wsc.Executable], tmp_path: Path) -> None:
    _, exe = linear
    exe.inspect("placement").save(tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match="There is no layer 'heat' to draw"):
        exe.inspect("heat")


@pytest.mark.parametrize(
    ("inputs", "named", "said"),
    [
        ((), {}, r"takes 1 inputs, not 0|takes 1 inputs, 0 were given"),
        ((torch.ones(2, 8), torch.ones(1)), {}, r"takes 1 inputs"),
        ((torch.ones(2, 9),), {}, r"must be f32\[2,8\], float32\[2, 9\] was given"),
        ((torch.ones(2, 8).double(),), {}, r"must be f32\[2,8\], float64\[2, 8\] was given"),
        (([[1.0]],), {}, r"takes tensors or numpy arrays, list was given"),
        ((torch.ones(2, 8, device="meta"),), {}, r"takes tensors with data"),
        (
            (torch.ones(2, 8),),
            {"input": torch.ones(2, 8)},
            r"takes input; 'input' is not among them, or given twice",
        ),
        ((), {"x": torch.ones(2, 8)}, r"takes input; 'x' is not among them"),
    ],
)
def test_what_does_not_fit(
    linear: tuple[nn.Module, wsc.Executable], inputs: tuple[object, ...], named: dict[str, object], said: str
) -> None:
    with pytest.raises(InputMismatch, match=said):
        linear[1](*inputs, **named)


@pytest.mark.parametrize("machine", MACHINES)
def test_several_inputs_and_outputs(machine: str) -> None:
    module, x, y = Sum(), torch.randn(2, 8), torch.randn(2, 6)
    exe = wsc.compile(module, (x, y), target=machine)
    expected = (module(x, y)["total"], module(x, y)["more"][0])
    for found in (exe(x, y), exe(x, y=y), exe(y=y, x=x), exe(x, y.numpy())):
        assert isinstance(found, tuple)
        assert all(isinstance(a, Tensor) and close(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("machine", MACHINES)
def test_inputs_by_name(machine: str) -> None:
    module, x, y = Sum(), torch.randn(2, 8), torch.randn(2, 6)
    exe = wsc.compile(module, {"y": y, "scale": 3.0, "x": x}, target=machine)
    assert [node.name for node in exe.graph.inputs] == ["x", "y"]  # in the order of forward
    total, _ = exe(y=y, x=x)
    assert close(total, module(x, y, 3.0)["total"])


def test_a_graph_module() -> None:
    module, x = torch.fx.symbolic_trace(nn.Sequential(nn.Linear(4, 4), nn.ReLU())), torch.randn(2, 4)
    exe = wsc.compile(module, [x], target="null")
    assert exe.name == type(module).__name__
    assert close(exe(x), module(x))


def test_bfloat16(tmp_path: Path) -> None:
    module, x = nn.Linear(8, 8).bfloat16(), torch.randn(2, 8).bfloat16()
    exe = wsc.load(wsc.compile(module, x, target="wafer-8x8").save(tmp_path / "b"))
    found = exe(x)
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.float(), module(x).float(), atol=0.05)


def test_stages_are_told() -> None:
    told: list[str] = []
    wsc.compile(nn.Linear(4, 4), torch.ones(1, 4), target="wafer-8x8", stage=told.append)
    stages = [stage for stage in told if ":" not in stage]
    assert stages == [
        "capturing the model",
        "simplifying the graph",
        "sizing and placing kernels",
        "emitting the program",
        "simulating",
        "asking PyTorch for its answer",
    ]


def test_weights_are_shared_with_the_module() -> None:
    module = nn.Linear(64, 64, bias=False)
    exe = wsc.compile(module, torch.ones(1, 64), target="null")
    (weight,) = exe.build.weights.values()
    assert np.shares_memory(weight, module.weight.detach().numpy())


def test_a_target_that_is_not_there() -> None:
    with pytest.raises(UnknownTarget, match="Did you mean 'wse2'"):
        wsc.compile(nn.Linear(4, 4), torch.ones(1, 4), target="wse-2")


def test_without_weights() -> None:
    with torch.device("meta"):
        module = nn.Linear(4, 4)
    exe = wsc.compile(module, torch.ones(1, 4, device="meta"), target="null")
    assert exe.cycles.latency > 0
    with pytest.raises(ModelError, match="was compiled with weights on the meta device"):
        exe(torch.ones(1, 4))


def test_saved_and_loaded(linear: tuple[nn.Module, wsc.Executable], tmp_path: Path) -> None:
    _, exe = linear
    again = wsc.load(exe.save(tmp_path / "one"))
    for what in ("name", "graph", "program", "trace", "cycles"):
        assert getattr(again, what) == getattr(exe, what)
    assert again.build.selection == exe.build.selection
    assert again.build.facts == exe.build.facts
    assert again.placement.regions == exe.placement.regions
    for ours, theirs in ((exe.build.inputs, again.build.inputs), (exe.build.expected, again.build.expected)):
        assert ours is not None
        assert theirs is not None
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    assert dict(again.build.weights).keys() == exe.build.weights.keys()
    for key, array in exe.build.weights.items():
        np.testing.assert_array_equal(array, again.build.weights[key])
    x = torch.randn(2, 8)
    assert torch.equal(again(x), exe(x))
    again.save(tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_build_can_be_saved_over_itself(linear: tuple[nn.Module, wsc.Executable], tmp_path: Path) -> None:
    _, exe = linear
    wsc.load(exe.save(tmp_path / "b")).save(tmp_path / "b")
    x = torch.randn(2, 8)
    assert torch.equal(wsc.load(tmp_path / "b")(x), exe(x))


def test_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="There is no build folder"):
        wsc.load(tmp_path / "nowhere")
