"""Reductions along lines: every core adds what its sources in the tree send, and sends its sum on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wsc.backends.wafer.instructions import AllReduce, ReduceTo
from wsc.backends.wafer.movement.parts import (
    OPERAND,
    RESULT,
    Expansion,
    Leg,
    Region,
    Span,
    copy,
    tile_words,
)
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.trees import Phases, reduction_tree, rooted_tree
from wsc.compiler.errors import AlgorithmError


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
        raise AlgorithmError(
            "the cycle-level simulator does not carry out all_reduce on a ring: simulate at the fast level"
        )
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


def reduce_line(
    made: Expansion,
    region: Region,
    line: Sequence[int],
    tree: Sequence[Phases],
    words: int,
    fn: str,
    root: int = 0,
) -> None:
    """Messages and work of one line, whose root has the result in the end.

    A part receives on one lane and sends on the other, since it does both at once: the two colours of the measured
    kernels (Luczynski et al., HPDC 2024), whose routers let a later phase pass when the phase before has ended there.
    """
    if len(line) == 1:
        made.work(line[0]).legs.append(copy(words, Span(OPERAND), Span(RESULT)))
        return
    parents = {source: part for part, phases in enumerate(tree) for sources in phases for source in sources}
    lanes = _lanes(tree, root)
    sent = {
        part: made.send(region.places[line[part]], [region.places[line[parents[part]]]], words, lanes[part])
        for part in _in_order(tree, root)
        if part != root
    }
    for part, phases in enumerate(tree):
        made.work(line[part]).legs += _legs(phases, sent, sent.get(part, -1), words, fn)


def _legs(phases: Phases, sent: dict[int, int], onward: int, words: int, fn: str) -> Iterator[Leg]:
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
            writes=Span(RESULT) if not last or onward < 0 else None,
            combine=fn,
            after=at - 1,
            tasks=number - phase,
        )
        kept, phase = Span(RESULT), number


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
