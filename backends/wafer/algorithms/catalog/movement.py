"""Reduces, copies and relayouts of the catalog."""

from __future__ import annotations

import numpy as np

from wsc.backends.wafer.algorithms.block import Block
from wsc.backends.wafer.algorithms.catalog.asked import Arrays, Entry, Sizes, combining, grid
from wsc.backends.wafer.algorithms.choose import choose_reduce
from wsc.backends.wafer.algorithms.combine import combine
from wsc.backends.wafer.algorithms.lines import broadcast_program, reduce_program
from wsc.backends.wafer.algorithms.relayout import relayout
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Cut, Layout, Mesh, MeshAxis
from wsc.compiler.ops.base import Array


def _reduce(sizes: Sizes, machine: Wafer) -> Program:
    words, parts = sizes.size("n"), sizes.size("columns")
    name, group = sizes.reduce, sizes.group
    if name is None:
        choice = choose_reduce(words, parts, machine)
        name, group = choice.algorithm, choice.group
    return reduce_program(name, words, parts, machine, group)


def _all_reduce(sizes: Sizes, machine: Wafer) -> Program:
    block = Block(Mesh((MeshAxis("p", sizes.size("columns"), "x"),)))
    type = TensorType(sizes.dtype, (1, sizes.size("n")))
    x = block.input("x", type, Layout(((), ()), partial=("p",)))
    block.output(combine(block, x, "p", combining(sizes, machine), name="y"), "y")
    return block.program("all-reduce", machine)


def _relayout(sizes: Sizes, machine: Wafer) -> Program:
    block = Block(grid(sizes))
    try:
        source, target = (Layout.parse(text or "") for text in (sizes.source, sizes.target))
    except ValueError as error:
        raise AlgorithmError(f"--from and --to are layouts such as [i:16,j:16]: {error}") from error
    x = block.input("x", TensorType(sizes.dtype, sizes.shape or ()), source)
    y = relayout(block, x, target, machine, name="y")
    if y is x:
        raise AlgorithmError(f"layouts {source} and {target} are the same: there is nothing to move")
    block.output(y, "y")
    return block.program("relayout", machine)


def _relaid(sizes: Sizes, given: Arrays) -> dict[str, Array]:
    source, target = Layout.parse(sizes.source or ""), Layout.parse(sizes.target or "")
    mesh = grid(sizes)
    addends = int(np.prod([mesh[a].parts for a in set(source.partial) - set(target.partial)]))
    return {"y": given["x"] * addends}


def _all_to_all(sizes: Sizes, machine: Wafer) -> Program:
    columns = sizes.size("columns")
    m, n = sizes.size("m"), sizes.size("n")
    block = Block(grid(sizes))
    source = Layout(((Cut("j", -(-m // columns)),), ()))
    x = block.input("x", TensorType(sizes.dtype, (m, n)), source)
    target = Layout(((), (Cut("j", -(-n // columns)),)))
    block.output(relayout(block, x, target, machine, name="y"), "y")
    return block.program("all-to-all", machine)


ENTRIES = (
    Entry(
        "reduce",
        "n words of every core of a line summed on the first",
        ("n",),
        ("reduce", "group"),
        _reduce,
        lambda sizes, given: {"y": given["x"].sum(0, keepdims=True)},
        line=True,
    ),
    Entry(
        "all-reduce",
        "n words of every core of a line summed on all",
        ("n",),
        ("reduce", "group", "root"),
        _all_reduce,
        lambda sizes, given: {"y": given["x"] * sizes.size("columns")},
        line=True,
    ),
    Entry(
        "broadcast",
        "n words of the first core of a line copied to all",
        ("n",),
        (),
        lambda sizes, machine: broadcast_program(sizes.size("n"), sizes.size("columns"), machine),
        lambda sizes, given: {"y": np.repeat(given["x"], sizes.size("columns"), 0)},
        line=True,
    ),
    Entry(
        "all-to-all",
        "an m x n tensor cut along m, then along n",
        ("m", "n"),
        (),
        _all_to_all,
        lambda sizes, given: {"y": given["x"]},
    ),
    Entry(
        "relayout",
        "a tensor from one layout to another, by the movements of fewest modelled cycles",
        ("shape", "source", "target"),
        (),
        _relayout,
        _relaid,
    ),
)
