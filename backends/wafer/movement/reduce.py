"""Reductions along lines: every core adds what its sources in the tree send, and sends its sum on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from wsc.backends.wafer.instructions import AllReduce, ReduceInto, ReduceTo
from wsc.backends.wafer.movement.parts import (
    OPERAND,
    RESULT,
    Expansion,
    Leg,
    Region,
    Span,
    copy,
    numbered,
    tile_words,
)
from wsc.backends.wafer.movement.rings import ring_all_reduce
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.trees import Phases, reduction_tree, ring_numbers, rooted_tree


def reduce_to(op: ReduceTo, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """To part 0, along the tree of the algorithm."""
    tree = reduction_tree(region.mesh[op.axis].parts, op.algorithm or "chain", op.group)
    made = Expansion(ordered=_in_phases(tree))
    for line in region.lines(op.axis):
        reduce_line(made, region, line, tree, tile_words(operand), op.fn)
    return made


def all_reduce(op: AllReduce, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """To the root along a chain or the algorithm's tree, and from there to all; trees start a task in between."""
    if op.algorithm == "ring":
        return ring_all_reduce(op, region, operand)
    parts, root = region.mesh[op.axis].parts, op.root or 0
    tree = rooted_tree(parts, op.algorithm or "chain", op.group, root)
    words = tile_words(operand)
    made = Expansion(ordered=_in_phases(tree))
    for line in region.lines(op.axis):
        reduce_line(made, region, line, tree, words, op.fn, root)
        spread_back(made, region, line, words, root, 0 if op.algorithm is None else 1)
    return made


def _in_phases(tree: Sequence[Phases]) -> bool:
    """Whether a part takes several streams, one after another: one that comes early waits for those before it."""
    return any(sum(map(len, phases)) > 1 for phases in tree)


def spread_back(
    made: Expansion, region: Region, line: Sequence[int], words: int, root: int, tasks: int
) -> None:
    """The root's result to all others of the line, when it has all of it and has started some tasks."""
    others = [core for core in line if core != line[root]]
    if not others:
        return
    legs = made.work(line[root]).legs
    message = made.send(region.places[line[root]], [region.places[core] for core in others], words)
    legs.append(Leg(words, sends=message, reads=Span(RESULT), after=len(legs) - 1, tasks=tasks))
    for core in others:
        made.work(core).legs.append(Leg(words, receives=message, writes=Span(RESULT)))


def reduce_into(op: ReduceInto, region: Region, operand: Buffer, result: Buffer) -> Expansion:
    """In run s to the part whose block it is, along chains from both ends; its root is another from run to run."""
    mesh, parts, words = region.mesh, region.mesh[op.axis].parts, tile_words(operand)
    runs = parts * op.pieces if op.skew is None else mesh[op.skew].parts
    made = Expansion(works=[{} for _ in range(runs)])
    extent = result.tile_type.shape[op.dim] // op.pieces
    whole = numbered(result.tile_type)
    for run in range(runs):
        for line in region.lines(op.axis):
            root, piece = divmod(_block(op, region, line[0], run), op.pieces)
            if root >= parts:
                continue
            taken = range(piece * extent, (piece + 1) * extent)
            writes = Span(RESULT, np.take(whole, taken, axis=op.dim).ravel())
            tree = rooted_tree(parts, "chain", None, root)
            reduce_line(made, region, line, tree, words, "sum", root, run, writes)
            made.work(line[root], run).control = True
    return made


def _block(op: ReduceInto, region: Region, core: int, run: int) -> int:
    """The block that the line of a core sums up in a run."""
    if op.skew is None:
        return run
    numbers = ring_numbers(region.mesh[op.skew].parts, op.ring)
    part = int(np.unravel_index(core, region.mesh.shape)[region.mesh.index(op.skew)])
    return int(np.argsort(numbers)[(numbers[part] + run) % len(numbers)])


def reduce_line(
    made: Expansion, region: Region, line: Sequence[int], tree: Sequence[Phases], words: int, fn: str,
    root: int = 0, variant: int = 0, result: Span | None = None,
) -> None:  # fmt: skip
    """Messages and work of one line, whose root has the result in the end.

    A part receives on one lane and sends on the other, since it does both at once: the two colours of the measured
    kernels (Luczynski et al., HPDC 2024), whose routers let a later phase pass when the phase before has ended there.
    """
    result = result or Span(RESULT)
    if len(line) == 1:
        made.work(line[0], variant).legs.append(copy(words, Span(OPERAND), result))
        return
    parents = {source: part for part, phases in enumerate(tree) for sources in phases for source in sources}
    lanes = _lanes(tree, root)
    sent = {
        part: made.send(region.places[line[part]], [region.places[line[parents[part]]]], words, lanes[part])
        for part in _in_order(tree, root)
        if part != root
    }
    for part, phases in enumerate(tree):
        legs = _legs(phases, sent, sent.get(part, -1), words, fn, result)
        made.work(line[part], variant).legs += legs


def _legs(
    phases: Phases, sent: dict[int, int], onward: int, words: int, fn: str, result: Span
) -> Iterator[Leg]:
    """Take the sources one after another into memory; what is there then is added to the last as it passes."""
    sources = [(source, number) for number, sources in enumerate(phases) for source in sources]
    if not sources:
        yield Leg(words, sends=onward, reads=Span(OPERAND))
    kept, phase = Span(OPERAND), 0
    for at, (source, number) in enumerate(sources):
        last = at == len(sources) - 1
        yield Leg(
            words,
            receives=sent[source],
            sends=onward if last else -1,
            reads=kept,
            writes=result if not last or onward < 0 else None,
            combine=fn,
            after=at - 1,
            tasks=number - phase,
        )
        kept, phase = result, number


def _lanes(tree: Sequence[Phases], root: int) -> list[int]:
    """The lane on which each part sends: not the one of those that send to it."""
    lanes = [0] * len(tree)
    for part in sorted(range(len(tree)), key=lambda part: abs(part - root)):
        for sources in tree[part]:
            for source in sources:
                lanes[source] = 1 - lanes[part]
    return lanes


def _in_order(tree: Sequence[Phases], part: int) -> Iterator[int]:
    """Parts as they send: a part's sources, in the order in which it takes them, before the part."""
    for sources in tree[part]:
        for source in sources:
            yield from _in_order(tree, source)
    yield part
