"""Models quantised by torch's own tools run as they are: on crossbars, and equal to what torch computes."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed
from torch import Tensor, nn

import wsc
from tests.cim.models import machine
from tests.compiler.graphs import model
from wsc.backends.cim.encoding import drive
from wsc.backends.cim.program import Program
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ir.verify import verify
from wsc.compiler.ops import IntegerContract
from wsc.compiler.passes.stored_integers import stored_integers
from wsc.frontend.capture import capture

OPS = torch.ops.quantized_decomposed
U8 = (0, 255, torch.uint8)
I8 = (-128, 127, torch.int8)


class Hand(nn.Module):
    """Two convolutions and a linear layer with integers as PT2E writes them: per channel, zero points, padding."""

    def __init__(self, zero_point: int, kind: tuple[int, int, torch.dtype]) -> None:
        super().__init__()
        self.zero_point, self.kind = zero_point, kind
        for name, shape in (("a", (8, 3, 3, 3)), ("b", (8, 4, 3, 3)), ("c", (5, 128))):
            self.register_buffer(f"{name}_q", torch.randint(-127, 128, shape, dtype=torch.int8))
            self.register_buffer(f"{name}_s", torch.rand(shape[0]) * 1e-3 + 1e-4)
            self.register_buffer(f"{name}_z", torch.zeros(shape[0], dtype=torch.int64))
        self.bias = nn.Parameter(torch.randn(8))

    def weight(self, name: str) -> Tensor:
        q, s, z = (getattr(self, f"{name}_{part}") for part in "qsz")
        return OPS.dequantize_per_channel(q, s, z, 0, *I8)

    def grid(self, x: Tensor, scale: float) -> Tensor:
        args = (scale, self.zero_point, *self.kind)
        return OPS.dequantize_per_tensor(OPS.quantize_per_tensor(x, *args), *args)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.conv2d(self.grid(x, 0.03), self.weight("a"), self.bias, 2, 1)
        x = self.grid(torch.relu(x), 0.02)
        x = torch.relu(nn.functional.conv2d(x, self.weight("b"), None, 2, 1, groups=2) + x[:, :, ::2, ::2])
        x = self.grid(x, 0.02)
        return nn.functional.linear(x.flatten(1), self.weight("c"))


def products(program: Program) -> list[tuple[int, str, int]]:
    found = [stage.product for stage in program.stages if stage.product]
    return [(p.input_bits, p.input_encoding, p.weight_bits) for p in found]


@pytest.mark.parametrize("target", ["isaac", "hermes", "neurram"])
@pytest.mark.parametrize(("zero_point", "kind"), [(0, U8), (37, U8), (-5, I8)])
def test_what_the_tools_write_computes_what_torch_computes(
    target: str, zero_point: int, kind: tuple[int, int, torch.dtype]
) -> None:
    torch.manual_seed(0)
    module = Hand(zero_point, kind)
    x = torch.randn(2, 3, 16, 16)
    exe = wsc.compile(module, (x,), target=target)
    encoding = "unsigned" if kind is U8 else machine(target).array.input_encoding
    assert products(exe.program) == [(8, encoding, 8)] * 3
    for image in (x, torch.randn(2, 3, 16, 16)):
        with torch.no_grad():
            torch.testing.assert_close(exe(image), module(image), rtol=0, atol=1e-5)


def test_what_is_in_floats_besides_is_quantised_as_asked() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(Hand(0, U8), nn.Linear(5, 3))
    exe = wsc.compile(module, (torch.randn(1, 3, 16, 16),), target="isaac", dtype="int16")
    assert products(exe.program) == [(8, "unsigned", 8)] * 3 + [(16, "twos_complement", 16)]


def converted(module: nn.Module, inputs: tuple[Tensor, ...], quantizer: Any) -> nn.Module:
    """A module through torchao's PT2E, calibrated on its inputs."""
    tool = pytest.importorskip("torchao.quantization.pt2e.quantize_pt2e")
    exported = torch.export.export(module.eval(), inputs).module()
    prepared = tool.prepare_pt2e(exported, quantizer)
    prepared(*inputs)
    return tool.convert_pt2e(prepared)  # type: ignore[no-any-return]


class Pooled(nn.Module):
    """A pool between what integers stand for and the next grid, as the tools leave it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("w_q", torch.randint(-127, 128, (8, 3, 3, 3), dtype=torch.int8))

    def forward(self, x: Tensor) -> Tensor:
        args = (0.03, 0, *U8)
        x = OPS.dequantize_per_tensor(OPS.quantize_per_tensor(x, *args), *args)
        weight = OPS.dequantize_per_tensor(self.w_q, 0.01, 0, *I8)
        x = OPS.quantize_per_tensor(torch.relu(nn.functional.conv2d(x, weight, None, 1, 1)), *args)
        return nn.functional.max_pool2d(OPS.dequantize_per_tensor(x, *args), 2)


def test_a_stage_may_begin_by_reading_what_integers_stand_for() -> None:
    torch.manual_seed(0)
    module, x = Pooled(), torch.randn(1, 3, 8, 8)
    exe = wsc.compile(module, (x,), target="isaac")
    assert products(exe.program) == [(8, "unsigned", 8)]
    torch.testing.assert_close(exe(x), module(x), rtol=0, atol=1e-6)


class Convolutions(nn.Module):
    """A batch norm, which the tools fold, a residual sum, a pool."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm = nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8)
        self.b, self.pool = nn.Conv2d(8, 8, 3, 1, 1, groups=2), nn.MaxPool2d(2)
        self.c = nn.Linear(8 * 4 * 4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.a(x)))
        return self.c(self.pool(torch.relu(self.b(x) + x)).flatten(1))


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(24, 32), nn.GELU(), nn.Linear(32, 8))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "shape", "count"), [(Convolutions, (1, 3, 16, 16), 3), (perceptron, (4, 24), 2)]
)
@pytest.mark.filterwarnings("ignore")  # torchao's own
def test_torchao(build: Callable[[], nn.Module], shape: tuple[int, ...], count: int) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind = pytest.importorskip("torchao.quantization.pt2e.quantizer.x86_inductor_quantizer")
        quantizer = kind.X86InductorQuantizer()
        quantizer.set_global(kind.get_default_x86_inductor_quantization_config())
        module = converted(build(), (torch.randn(shape),), quantizer)
    exe = wsc.compile(module, (torch.randn(shape),), target="isaac", name="quantised")
    assert products(exe.program) == [(8, "unsigned", 8)] * count
    for _ in range(5):
        x = torch.randn(shape)
        with torch.no_grad():
            torch.testing.assert_close(exe(x), module(x), rtol=0, atol=1e-5)


LINEAR = (
    "%x = input(index=0) : i8[4,6]",
    "%w = parameter(key='w') : i8[5,6]",
    "%s = parameter(key='s') : f32[5,1]",
    "%xf = cast(dtype='f32') %x : f32[4,6]",
    "%xz = elementwise(fn='sub', scalars=(None, 3.0)) %xf : f32[4,6]",
    "%xs = elementwise(fn='mul', scalars=(None, 0.5)) %xz : f32[4,6]",
    "%wf = cast(dtype='f32') %w : f32[5,6]",
    "%ws = elementwise(fn='mul', scalars=(None, None)) %wf %s : f32[5,6]",
    "%y = contract(equation='ak,nk->an') %xs %ws : f32[4,5]",
    "return %y",
)


def linear() -> Model:
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.integers(-128, 128, (5, 6)).astype(np.int8),
        "s": rng.random((5, 1)).astype(np.float32),
    }
    return Model(model(*LINEAR).graph, weights)


def kinds(found: Model) -> set[str]:
    return {node.op.kind for node in found.graph}


def test_the_numbers_of_a_graph_stay_and_its_weight_is_the_one_that_was_stored() -> None:
    before = linear()
    after = stored_integers(before)
    verify(after.graph)
    assert "contract" not in kinds(after)
    assert after.weights["w"] is before.weights["w"]
    x = np.random.default_rng(1).integers(-128, 128, (4, 6)).astype(np.int8)
    (wanted,), (found,) = (interpret(m.graph, (x,), m.weights) for m in (before, after))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_steps_along_what_is_summed_are_no_integers() -> None:
    lines = [line.replace("f32[5,1]", "f32[1,6]") for line in LINEAR]
    found = model(*lines)
    weights = {"w": np.ones((5, 6), np.int8), "s": np.arange(1, 7, dtype=np.float32).reshape(1, 6)}
    before = Model(found.graph, weights)
    assert stored_integers(before) is before


def test_without_bytes_it_is_left() -> None:
    before = Model(linear().graph, {})
    assert stored_integers(before) is before


def test_inputs_without_a_sign_are_driven_and_contracted() -> None:
    values = np.array([[0, 1, 127, 128, 255]])
    digits = drive(values, 8, 2, "unsigned")
    assert digits.factors == (1, 4, 16, 64)
    assert (np.tensordot(digits.factors, digits.values, 1) == values).all()
    op = IntegerContract("ak,nk->an")
    x, w = np.full((1, 4), 255, np.uint8), np.full((1, 4), -128, np.int8)
    assert op.reference([x, w]).tolist() == [[4 * 255 * -128]]
    types = [TensorType(DType.I8, (1, 4)), TensorType(DType.U8, (1, 4))]
    with pytest.raises(ValueError, match="right operand of contract_int has a sign"):
        op.infer(types)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("config", ["Int8WeightOnlyConfig", "Int8DynamicActivationInt8WeightConfig"])
def test_layers_that_torchao_has_quantised_in_place(config: str) -> None:
    """Their weights are tensors of several parts, integers and steps, which export takes apart."""
    torchao = pytest.importorskip("torchao.quantization")
    module = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)).eval()
    torchao.quantize_(module, getattr(torchao, config)())
    x = torch.randn(4, 64)
    captured = capture(module, (x,), "m")
    assert DType.I8 in {node.type.dtype for node in captured.model.graph}
    (found,) = interpret(captured.model.graph, captured.example_inputs or (), captured.model.weights)
    np.testing.assert_allclose(found, module(x).detach().numpy(), rtol=1e-4, atol=1e-5)
