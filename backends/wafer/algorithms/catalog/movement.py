"""Reduces, copies and relayouts of the catalog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from wsc.backends.wafer.algorithms.block import Block, check_layout, cut_layout
from wsc.backends.wafer.algorithms.catalog.asked import Arrays, Entry, Sizes, combining, grid
from wsc.backends.wafer.algorithms.choose import choose_reduce
from wsc.backends.wafer.algorithms.combine import combine
from wsc.backends.wafer.algorithms.lines import broadcast_program, reduce_program
from wsc.backends.wafer.algorithms.refine import refine
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
    type = TensorType(sizes.dtype, sizes.shape or ())
    finer, source, target = _layouts(sizes, type)
    block = Block(finer)
    x = block.input("x", type, source)
    y = relayout(block, x, target, machine, name="y")
    if y is x:
        raise AlgorithmError(f"layouts {source} and {target} are the same: there is nothing to move")
    block.output(y, "y")
    return block.program("relayout", machine)


def _layouts(sizes: Sizes, type: TensorType) -> tuple[Mesh, Layout, Layout]:
    """A mesh, and both layouts in its axes."""
    first = _parsed(Mesh.parse, sizes.mesh, "--mesh is axes such as h=2x j=4x i=8y") or grid(sizes)
    second = _parsed(Mesh.parse, sizes.to_mesh, "--to-mesh is axes such as j=8x i=8y") or first
    like = "--from and --to are layouts such as [i:16,j:16]"
    source, target = (_parsed(Layout.parse, text, like) for text in (sizes.source, sizes.target))
    assert source is not None
    assert target is not None
    check_layout(first, source, type, "--from")
    check_layout(second, target, type, "--to")
    if first == second:
        return first, source, target
    finer = refine(first, second)
    return finer.mesh, finer.translate(source), finer.translate(target, second=True)


T = TypeVar("T")


def _parsed(parse: Callable[[str], T], text: str | None, like: str) -> T | None:
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise AlgorithmError(f"{like}: {error}") from error


def _relaid(sizes: Sizes, given: Arrays) -> dict[str, Array]:
    mesh, source, target = _layouts(sizes, TensorType(sizes.dtype, sizes.shape or ()))
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


def _halo(sizes: Sizes, machine: Wafer) -> Program:
    block = Block(grid(sizes))
    shape, taps = (sizes.size("m"), sizes.size("n")), sizes.size("taps")
    source = cut_layout(block.mesh, shape, ("i", "j"))
    x = block.input("x", TensorType(sizes.dtype, shape), source)
    around = ((replace(cut, lo=(taps - 1) // 2, hi=taps // 2) for cut in cuts) for cuts in source.cuts)
    target = Layout(tuple(tuple(cuts) for cuts in around))
    block.output(relayout(block, x, target, machine, name="y"), "y")
    return block.program("halo", machine)


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
        "halo",
        "tiles of an m x n tensor, each with what a window of taps x taps sees of its neighbours",
        ("m", "n", "taps"),
        (),
        _halo,
        lambda sizes, given: {"y": given["x"]},
    ),
    Entry(
        "relayout",
        "a tensor from one layout to another, by the movements of fewest modelled cycles",
        ("shape", "source", "target"),
        ("mesh", "to_mesh"),
        _relayout,
        _relaid,
    ),
)
