"""Norms, softmax, convolution and attention of the catalog."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wsc.backends.wafer.algorithms.attention import attention, decode_attention
from wsc.backends.wafer.algorithms.block import Block
from wsc.backends.wafer.algorithms.cache import Cache, append, filled
from wsc.backends.wafer.algorithms.catalog.asked import Arrays, Entry, Sizes, combining, even_input, grid
from wsc.backends.wafer.algorithms.convolution import convolution, image_layout
from wsc.backends.wafer.algorithms.gemm import Gemm
from wsc.backends.wafer.algorithms.rowwise import norm, softmax
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Layout, Mesh, MeshAxis
from wsc.compiler.ops import Attention, Contract
from wsc.compiler.ops.base import Array

_REDUCE = ("reduce", "group", "root")


def _rows(name: str) -> Callable[[Sizes, Wafer], Program]:
    def build(sizes: Sizes, machine: Wafer) -> Program:
        block, how = Block(grid(sizes)), combining(sizes, machine)
        x = even_input(block, "x", sizes.dtype, (sizes.size("m"), sizes.size("n")), "i", "j")
        made = softmax(block, x, how) if name == "softmax" else norm(block, x, how, form=name)
        block.output(made, "y")
        return block.program(name, machine)

    return build


def _rows_reference(name: str) -> Callable[[Sizes, Arrays], dict[str, Array]]:
    def reference(sizes: Sizes, given: Arrays) -> dict[str, Array]:
        x = given["x"]
        if name == "softmax":
            powers = np.exp(x - x.max(-1, keepdims=True))
            return {"y": powers / powers.sum(-1, keepdims=True)}
        x = x - x.mean(-1, keepdims=True) if name == "layer" else x
        return {"y": x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)}

    return reference


def _convolution(sizes: Sizes, machine: Wafer) -> Program:
    block, side = Block(grid(sizes)), sizes.size("taps")
    height, width, channels = sizes.size("m"), sizes.size("n"), sizes.size("k")
    lying = image_layout(height, width, sizes.size("rows"), sizes.size("columns"))
    x = block.input("x", TensorType(sizes.dtype, (channels, height, width)), lying)
    shape = (channels, channels, side, side)
    weights = block.weight("w", TensorType(sizes.dtype, shape), Layout(((),) * 4))
    block.output(convolution(block, x, weights, machine), "y")
    return block.program("convolution", machine)


def _convolved(sizes: Sizes, given: Arrays) -> dict[str, Array]:
    taps = sizes.size("taps")
    lo, hi = (taps - 1) // 2, taps // 2
    op = Contract("chw,ocrs->ohw", (("h", "r", 1, 1, lo, hi), ("w", "s", 1, 1, lo, hi)))
    return {"y": op.reference([given["x"], given["w"]])}


def _head_grid(sizes: Sizes) -> Mesh:
    groups, columns = sizes.size("groups"), sizes.size("columns")
    if columns % groups:
        raise AlgorithmError(f"{columns} columns of cores do not make --groups {groups}")
    rows = MeshAxis("i", sizes.size("rows"), "y")
    return Mesh((MeshAxis("h", groups, "x"), MeshAxis("j", columns // groups, "x"), rows))


def _attention(sizes: Sizes, machine: Wafer) -> Program:
    """m queries, n keys, k elements a head."""
    block = Block(_head_grid(sizes))
    heads, m, k, n = (sizes.size(name) for name in ("heads", "m", "k", "n"))
    shapes = {"q": (heads, m, k), "k": (heads, n, k), "v": (heads, n, k)}
    q, keys, values = (even_input(block, a, sizes.dtype, shape, "h", "i", "j") for a, shape in shapes.items())
    how, scores = combining(sizes, machine), Gemm(sizes.inner or "summa-t")
    made = attention(block, q, keys, values, how, scale=k**-0.5, scores=scores)
    block.output(made, "o")
    return block.program("attention", machine)


def _attended(sizes: Sizes, given: Arrays) -> dict[str, Array]:
    op = Attention(sizes.size("k") ** -0.5)
    return {"o": op.reference([given["q"], given["k"], given["v"]])}


def _append(sizes: Sizes, machine: Wafer) -> Program:
    """One token's row put into a cache with room for n."""
    block = Block(_head_grid(sizes))
    heads, k, rows = sizes.size("heads"), sizes.size("k"), sizes.size("rows")
    slots = -(-sizes.size("n") // rows) * rows
    held = Cache("i", 1, balanced=not sizes.plain)
    old = even_input(block, "cache", sizes.dtype, (heads, slots, k), "h", "i", "j")
    new = even_input(block, "new", sizes.dtype, (heads, 1, k), "h", None, "j")
    length = block.input("length", TensorType(DType.I32, (1,)), Layout(((),)))
    block.output(append(block, old, new, length, held), "cache")
    return block.program("cache-append", machine)


def _appended(sizes: Sizes, given: Arrays) -> dict[str, Array]:
    """From an empty cache: the first slot of the first row of cores."""
    return {"cache": np.concatenate([given["new"], given["cache"][:, 1:]], 1)}


def _decode(sizes: Sizes, machine: Wafer) -> Program:
    """One token's m queries a head over caches with room for n tokens, which it is appended to."""
    block = Block(_head_grid(sizes))
    heads, m, k = (sizes.size(name) for name in ("heads", "m", "k"))
    slots = -(-sizes.size("n") // sizes.size("rows")) * sizes.size("rows")
    held = Cache("i", 1, balanced=not sizes.plain)
    old_k, old_v = (even_input(block, a, sizes.dtype, (heads, slots, k), "h", "i", "j") for a in ("k", "v"))
    new_k, new_v = (
        even_input(block, a, sizes.dtype, (heads, 1, k), "h", None, "j") for a in ("new_k", "new_v")
    )
    q = even_input(block, "q", sizes.dtype, (heads, m, k), "h", None, "j")
    length = block.input("length", TensorType(DType.I32, (1,)), Layout(((),)))
    keys, values = (append(block, old, new, length, held) for old, new in ((old_k, new_k), (old_v, new_v)))
    after = block.elementwise("add", [length], (None, 1))
    kept = filled(block, keys, after, held)
    how = combining(sizes, machine)
    made = decode_attention(block, q, keys, values, how, scale=k**-0.5, kept=kept)
    for buffer, key in ((keys, "k"), (values, "v"), (made, "o")):
        block.output(buffer, key)
    return block.program("decode-attention", machine)


def _decoded(sizes: Sizes, given: Arrays) -> dict[str, Array]:
    """From empty caches: one key, and so its value, whatever the query."""
    weights = np.ones_like(given["q"][..., :1])
    return {"o": weights * given["new_v"]}


_ROWS = (
    ("softmax", "softmax", "softmax of m rows of n, cut both ways"),
    ("layer-norm", "layer", "m rows of n less their mean, over their deviation"),
    ("rms-norm", "rms", "m rows of n over the root of their mean square"),
)


def _tokens(sizes: Sizes, slots: int) -> int:
    """What a cache of so many slots a row of cores holds."""
    return slots if sizes.plain else slots * sizes.size("rows")


ENTRIES = (
    *(
        Entry(name, text, ("m", "n"), _REDUCE, _rows(form), _rows_reference(form))
        for name, form, text in _ROWS
    ),
    Entry(
        "convolution",
        "an image m x n of k channels, taps x taps, with halos",
        ("m", "n", "taps"),
        ("k",),
        _convolution,
        _convolved,
    ),
    Entry(
        "attention",
        "m queries, n keys, k elements a head; heads over --groups of columns",
        ("heads", "m", "n", "k"),
        ("groups", "inner", *_REDUCE),
        _attention,
        _attended,
    ),
    Entry(
        "cache-append",
        "a token's row of k elements a head put into a cache of n slots, in balance over the rows of cores",
        ("heads", "n", "k"),
        ("groups", "plain"),
        _append,
        _appended,
        tokens=_tokens,
    ),
    Entry(
        "decode-attention",
        "a token appended to caches of n slots, and m queries a head over them; --plain appends to one row of cores",
        ("heads", "n", "k"),
        ("m", "groups", "plain", *_REDUCE),
        _decode,
        _decoded,
        tokens=_tokens,
    ),
)
