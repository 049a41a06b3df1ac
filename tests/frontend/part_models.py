"""Modules that hold what `compiler/parts` finds, in the ways in which models spell it, without their names."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Rotation = Callable[[Tensor, Tensor, Tensor], Tensor]


def by_half(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """As Llama: the second half, negated, before the first."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


def by_pairs(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """As GPT-J: neighbours."""
    turned = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)
    return x * cos + turned * sin


def by_parts(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """As many written by hand: both halves computed."""
    first, second = x.chunk(2, dim=-1)
    half = x.shape[-1] // 2
    cos, sin = cos[..., :half], sin[..., :half]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def by_complex(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """As the first Llama: pairs as complex numbers."""
    half = x.shape[-1] // 2
    turn = torch.complex(cos[..., :half].contiguous(), sin[..., :half].contiguous())
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], half, 2))
    return torch.view_as_real(pairs * turn).flatten(-2)


class Rotary(nn.Module):
    """A product, heads, and some of each head's places turned by the position."""

    def __init__(self, turn: Rotation, turned: int = 8) -> None:
        super().__init__()
        self.turn, self.turned = turn, turned
        self.inner = nn.Linear(16, 16, bias=False)
        angles = torch.arange(6)[:, None] * torch.rand(turned // 2)
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        heads = self.inner(x).view(1, 6, 2, 8).transpose(1, 2)
        turned = self.turn(heads[..., : self.turned], self.cos, self.sin)
        return torch.cat((turned, heads[..., self.turned :]), dim=-1) if self.turned < 8 else turned


class Gated(nn.Module):
    """act(x @ g) * (x @ u) @ d, with both matrices apart or as one."""

    def __init__(self, act: Callable[[Tensor], Tensor], fused: bool = False, bias: bool = False) -> None:
        super().__init__()
        self.act, self.fused = act, fused
        self.gate = nn.Linear(8, 24 if fused else 12, bias=bias)
        self.up = None if fused else nn.Linear(8, 12, bias=bias)
        self.down = nn.Linear(12, 8, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.up is None:
            gate, up = self.gate(x).chunk(2, dim=-1)
        else:
            gate, up = self.gate(x), self.up(x)
        result: Tensor = self.down(self.act(gate) * up)
        return result


def quick_gelu(x: Tensor) -> Tensor:
    """An activation of several operations."""
    return x * torch.sigmoid(1.702 * x)


class Last(nn.Module):
    """A recurrent network's last hidden state."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.network(x)[0]
        return hidden[-1]


class Plain(nn.Module):
    """Looks like what is gated, and is not: a GELU written out is x times something of x."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(8, 12), nn.Linear(12, 8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.up(x)
        result: Tensor = self.down(0.5 * y * (1 + torch.tanh(0.8 * (y + 0.04 * y * y * y))))
        return result


# name: the module, its input's shape, and how often each kind is found
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], dict[str, int]]] = {
    "rotary by halves": (lambda: Rotary(by_half), (1, 6, 16), {"rotary": 1}),
    "rotary of a part": (lambda: Rotary(by_half, 4), (1, 6, 16), {"rotary": 1}),
    "rotary by pairs": (lambda: Rotary(by_pairs), (1, 6, 16), {"rotary": 1}),
    "rotary by parts": (lambda: Rotary(by_parts), (1, 6, 16), {"rotary": 1}),
    "rotary by complex numbers": (lambda: Rotary(by_complex), (1, 6, 16), {"rotary": 1}),
    "gated": (lambda: Gated(F.silu), (2, 4, 8), {"gated_mlp": 1}),
    "gated with one matrix": (lambda: Gated(F.gelu, fused=True), (4, 8), {"gated_mlp": 1}),
    "gated with biases": (lambda: Gated(quick_gelu, fused=True, bias=True), (4, 8), {"gated_mlp": 1}),
    "not gated": (Plain, (4, 8), {}),
    "lstm of torch": (lambda: Last(nn.LSTM(8, 12, 2)), (3, 2, 8), {"lstm_cell": 6}),
    "gru of torch": (lambda: Last(nn.GRU(8, 12, 2)), (3, 2, 8), {"gru_cell": 6}),
    "lstm cell": (lambda: nn.LSTMCell(8, 12), (2, 8), {"lstm_cell": 1}),
    "gru cell": (lambda: nn.GRUCell(8, 12), (2, 8), {"gru_cell": 1}),
}
