"""What an algorithm may be asked with, and what every algorithm of the catalog offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from wsc.backends.wafer.algorithms.block import Block, cut_layout
from wsc.backends.wafer.algorithms.cache import longest
from wsc.backends.wafer.algorithms.combine import Combining
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Program
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Mesh, MeshAxis
from wsc.compiler.ops.base import Array

Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Sizes:
    """What an algorithm may be asked with; None where it is not given.

    `m`, `k`, `n` are extents, `columns` and `rows` count cores. `reduce` names a reduce or an all-reduce, with its
    `group` and `root`. `source` and `target` are layouts, `shape` that of their tensor; their axes are those of `mesh`,
    and of `to_mesh` if that counts the cores in another way.
    """

    m: int | None = None
    k: int | None = None
    n: int | None = None
    heads: int | None = None
    taps: int | None = None
    columns: int | None = None
    rows: int | None = None
    groups: int | None = None
    inner: str | None = None
    reduce: str | None = None
    group: int | None = None
    root: int | str | None = None
    plain: bool | None = None
    shape: tuple[int, ...] | None = None
    source: str | None = None
    target: str | None = None
    mesh: str | None = None
    to_mesh: str | None = None
    dtype: DType = DType.F32

    def __post_init__(self) -> None:
        for name in ("m", "k", "n", "heads", "taps", "columns", "rows", "groups"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise AlgorithmError(f"--{OPTIONS.get(name, name)} is 1 or more, not {value}")

    def size(self, name: str) -> int:
        """A size that was given, or 1."""
        value = getattr(self, name)
        return 1 if value is None else int(value)


OPTIONS = {
    "columns": "parts",
    "rows": "parts",
    "source": "from",
    "target": "to",
    "to_mesh": "to-mesh",
}  # of the command line, where others


@dataclass(frozen=True)
class Entry:
    """An algorithm: the options that it needs and those it may take, its program, and its result in numpy.

    One that works along a `line` of cores takes a single row of them. Where it holds a cache of n, `tokens` says how
    many of its slots can be filled.
    """

    name: str
    about: str
    needs: tuple[str, ...]
    takes: tuple[str, ...]
    build: Callable[[Sizes, Wafer], Program]
    reference: Callable[[Sizes, Arrays], dict[str, Array]]
    line: bool = False
    tokens: Callable[[Sizes, int], int] | None = None

    def program(self, sizes: Sizes, machine: Wafer) -> Program:
        """The program; raises AlgorithmError for options that are missing or that it does not take."""
        given = {f.name for f in fields(sizes) if getattr(sizes, f.name) is not None} - {"dtype"}
        allowed = {"columns", "rows", *self.needs, *self.takes}
        cores = () if "mesh" in given & allowed else ("columns",)
        if missing := [name for name in (*cores, *self.needs) if name not in given]:
            raise AlgorithmError(f"'{self.name}' needs {_listed(dict.fromkeys(missing))}")
        if extra := sorted(given - allowed):
            raise AlgorithmError(f"'{self.name}' takes no {_listed(extra)}")
        if self.line and sizes.size("rows") > 1:
            raise AlgorithmError(
                f"'{self.name}' works along one line of cores: --parts P, not {sizes.columns}x{sizes.rows}"
            )
        return self.build(sizes, machine)

    def longest_context(self, sizes: Sizes, machine: Wafer) -> int | None:
        """Tokens that the caches hold when they are as large as memory allows; None where there are none."""
        if self.tokens is None:
            return None
        rows = sizes.size("rows")
        slots = longest(lambda n: self.program(replace(sizes, n=n * rows), machine))
        return self.tokens(sizes, slots)


def _listed(names: Any) -> str:
    return ", ".join(f"--{OPTIONS.get(name, name)}" for name in names)


def example(program: Program, seed: int = 0) -> dict[str, Array]:
    """Arrays for a program's inputs and weights: standard normal numbers, zeros of integers."""
    random = np.random.default_rng(seed)
    held = {b.key: b.type for k in program.kernels for b in k.buffers if b.role in ("weight", "input")}
    made: dict[str, Array] = {}
    for name, type in held.items():
        drawn = random.standard_normal(type.shape) if type.dtype.is_float else np.zeros(type.shape)
        made[name] = drawn.astype(type.dtype.numpy)
    return made


def combining(sizes: Sizes, machine: Wafer) -> Combining:
    """How sums are made: by the names given, or by modelled cycles."""
    root = sizes.root if sizes.root is not None else 0
    return Combining(machine, sizes.reduce, sizes.group, root)


def grid(sizes: Sizes) -> Mesh:
    """Rows of cores (axis i) and columns (j)."""
    return Mesh((MeshAxis("i", sizes.size("rows"), "y"), MeshAxis("j", sizes.size("columns"), "x")))


def even_input(block: Block, name: str, dtype: DType, shape: tuple[int, ...], *axes: str | None) -> Buffer:
    """An input in even tiles."""
    return block.input(name, TensorType(dtype, shape), cut_layout(block.mesh, shape, axes))
