"""Judges a placement from the problem alone. Shares no code with the solver."""

from __future__ import annotations

from fractions import Fraction

from wsc.placement.problem import Group, Problem, Shape
from wsc.placement.result import Placed, Placement


def check(problem: Problem, placement: Placement) -> list[str]:
    """What is wrong with the placement, a line each; nothing where it is a lawful answer to the problem.

    Rectangles must be candidate shapes of their blocks, lie on the fabric, and cover no core twice and no blocked
    one; pins and groups must be kept; the slowest time, the wire length, the adapters, the total and the cores used
    must be what the rectangles make them. Whether the bounds are right cannot be told from here.
    """
    if len(placement.placed) != len(problem.blocks):
        return [f"{len(placement.placed)} rectangles for {len(problem.blocks)} blocks"]
    return [
        *_not_candidates(problem, placement),
        *_outside(problem, placement),
        *_blocked(problem, placement),
        *_elsewhere(problem, placement),
        *_overlaps(problem, placement),
        *_figures(problem, placement),
    ]


def _not_candidates(problem: Problem, placement: Placement) -> list[str]:
    wrong = []
    for block, at in zip(problem.blocks, placement.placed, strict=True):
        shape = Shape(at.width, at.height, at.time, at.payload, at.memory, at.ports)
        offered = shape in block.shapes if isinstance(block.shapes, tuple) else block.shapes.offers(shape)
        if not offered:
            wrong.append(f"{block.name}: {shape} is none of its shapes")
    return wrong


def _elsewhere(problem: Problem, placement: Placement) -> list[str]:
    """Blocks that are not where a pin or a group wants them."""
    wrong = [
        f"{block.name}: lies at ({at.x}, {at.y}), not where it is pinned, {block.pin}"
        for block, at in zip(problem.blocks, placement.placed, strict=True)
        if block.pin is not None and block.pin != (at.x, at.y)
    ]
    for group in problem.groups:
        if group.box is None:
            wrong += _intruders(problem, placement, group)
            continue
        left, below, width, height = group.box
        for index in group.blocks:
            at = placement.placed[index]
            across = left <= at.x and at.x + at.width <= left + width
            if not (across and below <= at.y and at.y + at.height <= below + height):
                wrong.append(f"{problem.blocks[index].name}: reaches outside the box of group {group.name!r}")
    return wrong


def _intruders(problem: Problem, placement: Placement, group: Group) -> list[str]:
    """Blocks from outside a group without a box that meet the least rectangle around the group."""
    own = [placement.placed[index] for index in group.blocks]
    left, right = min(at.x for at in own), max(at.x + at.width for at in own)
    below, above = min(at.y for at in own), max(at.y + at.height for at in own)
    return [
        f"{block.name}: lies in the rectangle around group {group.name!r}"
        for index, (block, at) in enumerate(zip(problem.blocks, placement.placed, strict=True))
        if index not in group.blocks
        and (at.x < right and left < at.x + at.width and at.y < above and below < at.y + at.height)
    ]


def _outside(problem: Problem, placement: Placement) -> list[str]:
    fabric = problem.fabric
    return [
        f"{block.name}: reaches outside the {fabric.width} x {fabric.height} fabric"
        for block, at in zip(problem.blocks, placement.placed, strict=True)
        if at.x + at.width > fabric.width or at.y + at.height > fabric.height
    ]


def _blocked(problem: Problem, placement: Placement) -> list[str]:
    blocked: dict[int, list[int]] = {}
    for x, y in problem.fabric.blocked:
        blocked.setdefault(x, []).append(y)
    return [
        f"{block.name}: covers the blocked cell {(x, y)}"
        for block, at in zip(problem.blocks, placement.placed, strict=True)
        for x in range(at.x, at.x + at.width)
        for y in blocked.get(x, ())
        if at.y <= y < at.y + at.height
    ]


def _overlaps(problem: Problem, placement: Placement) -> list[str]:
    """Every pair of rectangles that share a core; two intervals of integers meet unless one ends first."""
    order = sorted(range(len(placement.placed)), key=lambda index: placement.placed[index].x)
    wrong = []
    for rank, first in enumerate(order):
        a = placement.placed[first]
        for second in order[rank + 1 :]:
            b = placement.placed[second]
            if b.x >= a.x + a.width:
                break
            if a.y < b.y + b.height and b.y < a.y + a.height:
                wrong.append(f"{problem.blocks[first].name} and {problem.blocks[second].name} overlap")
    return wrong


def _figures(problem: Problem, placement: Placement) -> list[str]:
    placed = placement.placed
    length = Fraction(0)
    adapters = 0
    for net in problem.nets:
        source, target = placed[net.source], placed[net.target]
        (ax, ay), (bx, by) = _centre(source), _centre(target)
        length += net.weight * (abs(ax - bx) + abs(ay - by))
        adapters += sum(1 for a, b in zip(source.ports, target.ports, strict=False) if a != b)
    slowest = max(at.time for at in placed)
    figures: list[tuple[str, object, object]] = [
        ("slowest time", placement.slowest, slowest),
        ("twice the wire length", placement.half_hops, 2 * length),
        ("number of adapters", placement.adapters, adapters),
        ("cores used", placement.cores_used, sum(at.width * at.height for at in placed)),
    ]
    if problem.weights is not None:
        cost = problem.weights.time * Fraction(slowest, problem.ticks_per_cycle)
        cost += problem.weights.wire * length + problem.weights.adapter * adapters
        figures.append(("total", placement.total, cost))
    return [f"{name} is {real}, not {told}" for name, told, real in figures if told != real]


def _centre(at: Placed) -> tuple[Fraction, Fraction]:
    return at.x + Fraction(at.width, 2), at.y + Fraction(at.height, 2)
