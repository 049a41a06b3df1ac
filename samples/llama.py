"""A Llama-style decoder (Touvron et al., 2023; Grattafiori et al., 2024) written out, small by default.

Shows RMSNorm, rotary positions, grouped-query attention and SwiGLU. `-D shape=8b` gives the shape of Llama 3 8B with
weights on the meta device, in bfloat16: the program is compiled and simulated, but not run.

    wsc compile samples/llama.py
    wsc compile samples/llama.py -D shape=8b -D seq=128
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    layers: int
    dim: int
    hidden: int
    heads: int
    kv_heads: int
    vocab: int


SHAPES = {
    "small": Shape(layers=2, dim=512, hidden=1536, heads=8, kv_heads=2, vocab=4096),
    "8b": Shape(layers=32, dim=4096, hidden=14336, heads=32, kv_heads=8, vocab=128256),
}


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.head = shape.dim // shape.heads
        self.wq = nn.Linear(shape.dim, shape.heads * self.head, bias=False)
        self.wk = nn.Linear(shape.dim, shape.kv_heads * self.head, bias=False)
        self.wv = nn.Linear(shape.dim, shape.kv_heads * self.head, bias=False)
        self.wo = nn.Linear(shape.heads * self.head, shape.dim, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, seq, _ = x.shape
        q, k, v = (w(x).view(batch, seq, -1, self.head).transpose(1, 2) for w in (self.wq, self.wk, self.wv))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.wo(mixed.transpose(1, 2).reshape(batch, seq, -1))


class FeedForward(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.w1 = nn.Linear(shape.dim, shape.hidden, bias=False)
        self.w2 = nn.Linear(shape.hidden, shape.dim, bias=False)
        self.w3 = nn.Linear(shape.dim, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(shape.dim, eps=1e-5)
        self.attention = Attention(shape)
        self.feed_forward_norm = nn.RMSNorm(shape.dim, eps=1e-5)
        self.feed_forward = FeedForward(shape)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Llama(nn.Module):
    def __init__(self, shape: Shape, seq: int, logits: str) -> None:
        super().__init__()
        self.logits = logits
        self.embeddings = nn.Embedding(shape.vocab, shape.dim)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.dim, eps=1e-5)
        self.output = nn.Linear(shape.dim, shape.vocab, bias=False)
        cos, sin = rotary_tables(seq, shape.dim // shape.heads)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embeddings(tokens)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        if self.logits == "last":
            x = x[:, -1:]
        return self.output(self.norm(x))


def rotary_tables(seq: int, head: int, base: float = 500000.0) -> tuple[Tensor, Tensor]:
    """Cosine and sine of position times frequency, [seq, head], each frequency in both halves of a head."""
    frequencies = base ** (-torch.arange(0, head, 2) / head)
    angles = torch.outer(torch.arange(seq), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Each pair (element i of the first half of a head, of the second) turned by its position's angle."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


def model(
    shape: str = "small",
    seq: int = 128,
    layers: int = 0,
    dim: int = 0,
    hidden: int = 0,
    heads: int = 0,
    kv_heads: int = 0,
    vocab: int = 0,
    logits: str = "last",
) -> nn.Module:
    """A named shape, with whatever is not zero in place of its own figure."""
    given = {
        "layers": layers,
        "dim": dim,
        "hidden": hidden,
        "heads": heads,
        "kv_heads": kv_heads,
        "vocab": vocab,
    }
    chosen = replace(SHAPES[shape], **{key: value for key, value in given.items() if value})
    if shape == "small":
        return Llama(chosen, seq, logits)
    with torch.device("meta"):
        return Llama(chosen, seq, logits).bfloat16()


def example_inputs(
    seq: int = 128, batch: int = 1, shape: str = "small", vocab: int = 0
) -> tuple[Tensor, ...]:
    tokens = torch.randint(vocab or SHAPES[shape].vocab, (batch, seq))
    return (tokens if shape == "small" else tokens.to("meta"),)
