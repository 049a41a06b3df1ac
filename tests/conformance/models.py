"""Small models, one for each way in which a graph can be shaped; every target must take all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.frontend.part_models import Gated, Rotary, by_half
from wsc.compiler.ir.model import Model
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.frontend.capture import capture


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        batch, seq, dim = x.shape
        parts = self.qkv(self.norm(x)).split(dim, dim=-1)
        q, k, v = (part.view(batch, seq, self.heads, -1).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        result: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, seq, dim))
        return result


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.inner(F.gelu(x)))


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(12, 16)
        self.value = nn.Linear(16, 1)
        self.choice = nn.Linear(16, 5)

    def forward(self, x: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.tanh(self.body(x)) * scale
        return self.value(y), self.choice(y).softmax(dim=-1)


def mlp() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return nn.Sequential(nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 10)), (torch.randn(4, 24),)


def conv() -> tuple[nn.Module, tuple[Tensor, ...]]:
    layers = (nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(8 * 4 * 4, 6)), (torch.randn(1, 3, 8, 8),)


def attention() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return Attention(dim=16, heads=2), (torch.randn(1, 8, 16),)


def embedding() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return nn.Sequential(nn.Embedding(50, 16), nn.Linear(16, 8)), (torch.randint(50, (1, 8)),)


def residual() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return Residual(), (torch.randn(4, 16),)


def two_heads() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return TwoHeads(), (torch.randn(4, 12), torch.randn(4, 1))


def gated() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return Gated(F.silu), (torch.randn(4, 8),)


def rotary() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return Rotary(by_half), (torch.randn(1, 6, 16),)


def lstm() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return nn.LSTMCell(8, 12), (torch.randn(2, 8),)


def gru() -> tuple[nn.Module, tuple[Tensor, ...]]:
    return nn.GRUCell(8, 12), (torch.randn(2, 8),)


MODELS: dict[str, Callable[[], tuple[nn.Module, tuple[Tensor, ...]]]] = {
    make.__name__: make
    for make in (mlp, conv, attention, embedding, residual, two_heads, gated, rotary, lstm, gru)
}


@dataclass(frozen=True)
class Captured:
    """A model as a target gets it, and inputs for it."""

    model: Model
    inputs: tuple[Array, ...]


def captured(name: str, double: bool = False) -> Captured:
    """A model of MODELS after the passes; `double` makes all of its floats 64 bits wide."""
    torch.manual_seed(0)
    module, inputs = MODELS[name]()
    if double:
        module, inputs = module.double(), tuple(x.double() if x.is_floating_point() else x for x in inputs)
    found = capture(module, inputs, name)
    assert found.example_inputs is not None
    return Captured(run_pipeline(found.model), found.example_inputs)
