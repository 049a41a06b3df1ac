"""A GPT as small as it gets, attention written out in products and a softmax, as in Karpathy's lecture (2023).

`-D shape=124m` gives GPT-2's size with weights on the meta device.

    wsc compile samples/nanogpt.py
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SHAPES = {"small": (2, 64, 4, 256, 32), "124m": (12, 768, 12, 50257, 1024)}  # layers, dim, heads, vocab, seq


class CausalSelfAttention(nn.Module):
    def __init__(self, dim: int, heads: int, seq: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.register_buffer("mask", torch.tril(torch.ones(seq, seq)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, seq, dim = x.shape
        parts = self.qkv(x).split(dim, dim=2)
        q, k, v = (part.view(batch, seq, self.heads, -1).transpose(1, 2) for part in parts)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        scores = scores.masked_fill(self.mask[:seq, :seq] == 0, float("-inf"))
        mixed = F.softmax(scores, dim=-1) @ v
        return self.out(mixed.transpose(1, 2).contiguous().view(batch, seq, dim))


class Block(nn.Module):
    def __init__(self, dim: int, heads: int, seq: int) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = CausalSelfAttention(dim, heads, seq)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class NanoGPT(nn.Module):
    def __init__(self, layers: int, dim: int, heads: int, vocab: int, seq: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab, dim)
        self.positions = nn.Embedding(seq, dim)
        self.blocks = nn.ModuleList(Block(dim, heads, seq) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, vocab, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, -1:]))


def model(shape: str = "small") -> nn.Module:
    with torch.device("cpu" if shape == "small" else "meta"):
        return NanoGPT(*SHAPES[shape])


def example_inputs(shape: str = "small", batch: int = 1) -> tuple[Tensor, ...]:
    *_, vocab, seq = SHAPES[shape]
    tokens = torch.randint(vocab, (batch, seq))
    return (tokens if shape == "small" else tokens.to("meta"),)
