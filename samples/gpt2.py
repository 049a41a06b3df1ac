"""GPT-2 (Radford et al., 2019) written out, the 124M shape by default, with random weights.

Shows a transformer's prefill: the whole prompt at once, and as in generation the head reads the last position only
(`-D logits=all` for every position). The head's weight is the token embedding's.

    wsc compile samples/gpt2.py
    wsc compile samples/gpt2.py -D seq=32 -D layers=2 -D dim=64 -D heads=2 -D vocab=512
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(dim, 3 * dim)
        self.c_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        batch, seq, dim = x.shape
        parts = self.c_attn(x).split(dim, dim=-1)
        q, k, v = (part.view(batch, seq, self.heads, -1).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(mixed.transpose(1, 2).reshape(batch, seq, dim))


class MLP(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(dim, 4 * dim)
        self.c_proj = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, heads)
        self.ln_2 = nn.LayerNorm(dim)
        self.mlp = MLP(dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT2(nn.Module):
    def __init__(self, seq: int, layers: int, dim: int, heads: int, vocab: int, logits: str) -> None:
        super().__init__()
        self.logits = logits
        self.wte = nn.Embedding(vocab, dim)
        self.wpe = nn.Embedding(max(seq, 1024), dim)
        self.h = nn.ModuleList(Block(dim, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(dim)
        self.lm_head = nn.Linear(dim, vocab, bias=False)
        self.lm_head.weight = self.wte.weight
        for embedding in (self.wte, self.wpe):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.wte(tokens) + self.wpe(positions)
        for block in self.h:
            x = block(x)
        if self.logits == "last":
            x = x[:, -1:]
        return self.lm_head(self.ln_f(x))


def model(
    seq: int = 128,
    layers: int = 12,
    dim: int = 768,
    heads: int = 12,
    vocab: int = 50257,
    logits: str = "last",
) -> nn.Module:
    return GPT2(seq, layers, dim, heads, vocab, logits)


def example_inputs(seq: int = 128, batch: int = 1, vocab: int = 50257) -> tuple[Tensor, ...]:
    return (torch.randint(vocab, (batch, seq)),)
