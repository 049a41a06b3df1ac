"""Llama 3 (Grattafiori et al., 2024) for serving: a prompt at once, or one more token with the keys and values kept.

`phase` "prefill" takes `seq` tokens (the whole context by default) and fills the caches; with `chunk` it takes so many
tokens of the prompt at a time, at the positions that it is given; "decode" takes one token at its position, which is
the last of the context in the example. The caches are arguments that the module changes in place. Other decoders of
this kind by `shape`: llama2-13b, codellama-34b, qwen2-72b, llama3-70b. All are on the meta device in half precision,
but "tiny", which has weights and can be run.

    wsc compile samples/llama3_8b.py --phase decode --context 4096
    wsc compile samples/llama3_8b.py --phase prefill --context 4096
    wsc compile samples/llama3_8b.py -D shape=llama3-70b --phase decode
    wsc compile samples/llama3_8b.py -D shape=tiny --phase decode --context 16 -t wafer-8x8
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
    base: float = 500000.0  # of the rotary angles
    bias: bool = False  # on queries, keys and values


SHAPES = {
    "tiny": Shape(layers=3, dim=32, hidden=48, heads=4, kv_heads=2, vocab=64),
    "llama3-8b": Shape(layers=32, dim=4096, hidden=14336, heads=32, kv_heads=8, vocab=128256),
    "llama2-13b": Shape(layers=40, dim=5120, hidden=13824, heads=40, kv_heads=40, vocab=32000, base=1e4),
    "codellama-34b": Shape(layers=48, dim=8192, hidden=22016, heads=64, kv_heads=8, vocab=32000, base=1e6),
    "qwen2-72b": Shape(80, 8192, 29568, heads=64, kv_heads=8, vocab=152064, base=1e6, bias=True),
    "llama3-70b": Shape(layers=80, dim=8192, hidden=28672, heads=64, kv_heads=8, vocab=128256),
}


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.head = shape.dim // shape.heads
        self.wq = nn.Linear(shape.dim, shape.heads * self.head, bias=shape.bias)
        self.wk = nn.Linear(shape.dim, shape.kv_heads * self.head, bias=shape.bias)
        self.wv = nn.Linear(shape.dim, shape.kv_heads * self.head, bias=shape.bias)
        self.wo = nn.Linear(shape.heads * self.head, shape.dim, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, position: Tensor | None, *kept: Tensor) -> Tensor:
        batch, seq, _ = x.shape
        q, k, v = (w(x).view(batch, seq, -1, self.head).transpose(1, 2) for w in (self.wq, self.wk, self.wv))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        keys, values = kept
        if position is None:
            keys[:, :, :seq], values[:, :, :seq] = k, v
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        else:
            keys.index_copy_(2, position, k)
            values.index_copy_(2, position, v)
            seen = torch.arange(keys.shape[2], device=position.device) <= position[:, None]
            mixed = F.scaled_dot_product_attention(q, keys, values, attn_mask=seen, enable_gqa=True)
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

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, position: Tensor | None, *kept: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin, position, *kept)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Llama(nn.Module):
    """Logits of the last token, for tokens[batch, seq], caches[batch, kv_heads, context, head] and a position[seq].

    Without positions, the tokens are those from the start of the context.
    """

    def __init__(self, shape: Shape, context: int) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(shape.vocab, shape.dim)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.dim, eps=1e-5)
        self.output = nn.Linear(shape.dim, shape.vocab, bias=False)
        cos, sin = rotary_tables(context, shape.dim // shape.heads, shape.base)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, tokens: Tensor, caches: list[Tensor], position: Tensor | None = None) -> Tensor:
        x = self.embeddings(tokens)
        cos, sin = (t[: tokens.shape[1]] if position is None else t[position] for t in (self.cos, self.sin))
        for layer, keys, values in zip(self.layers, caches[::2], caches[1::2], strict=True):
            x = layer(x, cos, sin, position, keys, values)
        return self.output(self.norm(x[:, -1:]))


def rotary_tables(context: int, head: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosine and sine of position times frequency, [context, head / 2]."""
    frequencies = base ** (-torch.arange(0, head, 2) / head)
    angles = torch.outer(torch.arange(context), frequencies)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Each pair (element i of the first half of a head, of the second) turned by its position's angle."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def chosen(shape: str, layers: int) -> Shape:
    return replace(SHAPES[shape], layers=layers) if layers else SHAPES[shape]


def model(shape: str = "llama3-8b", context: int = 4096, layers: int = 0) -> nn.Module:
    if shape == "tiny":
        return Llama(chosen(shape, layers), context)
    with torch.device("meta"):
        return Llama(chosen(shape, layers), context).half()


def example_inputs(
    shape: str = "llama3-8b",
    phase: str = "decode",
    context: int = 4096,
    batch: int = 1,
    seq: int = 0,
    layers: int = 0,
    chunk: int = 0,
) -> tuple[object, ...]:
    """Tokens, caches and, in decode or by chunks, positions: the last ones of the context."""
    if phase not in ("prefill", "decode"):
        raise ValueError(f"phase is 'prefill' or 'decode', not '{phase}'")
    seq = 1 if phase == "decode" else chunk or seq or context
    if not 1 <= seq <= context or batch < 1:
        raise ValueError(f"batch {batch} and seq {seq} are 1 or more, and seq is at most context {context}")
    size, small = chosen(shape, layers), shape == "tiny"
    tokens = torch.randint(size.vocab, (batch, seq))
    kind = {"dtype": torch.float32 if small else torch.float16, "device": "cpu" if small else "meta"}
    kept = (batch, size.kv_heads, context, size.dim // size.heads)
    caches = [
        torch.randn(kept).to(**kind) if small else torch.empty(kept, **kind) for _ in range(2 * size.layers)
    ]
    given = (tokens if small else tokens.to("meta"), caches)
    if phase == "prefill" and not chunk:
        return given
    return (*given, torch.arange(context - seq, context, device=tokens.device if small else "meta"))
