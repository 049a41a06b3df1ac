"""Judges a placement from the problem alone. Shares no code with the solver."""

from __future__ import annotations

from fractions import Fraction

from wsc.placement.problem import Problem
from wsc.placement.result import Placed, Placement


def check(problem: Problem, placement: Placement) -> list[str]:
    """What is wrong with the placement, a line each; nothing where it is a lawful answer to the problem.

    Rectangles must be candidate shapes of their blocks, lie on the fabric, and cover no core twice and no blocked
    one; the slowest time, the wire length and the cores used must be what the rectangles make them. Whether the
    bound is right cannot be told from here.
    """
    if len(placement.placed) != len(problem.blocks):
        return [f"{len(placement.placed)} rectangles for {len(problem.blocks)} blocks"]
    return [
        *_not_candidates(problem, placement),
        *_outside(problem, placement),
        *_blocked(problem, placement),
        *_overlaps(problem, placement),
        *_figures(problem, placement),
    ]


def _not_candidates(problem: Problem, placement: Placement) -> list[str]:
    wrong = []
    for block, at in zip(problem.blocks, placement.placed, strict=True):
        wanted = (at.width, at.height, at.time, at.payload)
        if not any((s.width, s.height, s.time, s.payload) == wanted for s in block.shapes):
            wrong.append(f"{block.name}: (width, height, time, payload) {wanted} is none of its shapes")
    return wrong


def _outside(problem: Problem, placement: Placement) -> list[str]:
    fabric = problem.fabric
    return [
        f"{block.name}: reaches outside the {fabric.width} x {fabric.height} fabric"
        for block, at in zip(problem.blocks, placement.placed, strict=True)
        if at.x + at.width > fabric.width or at.y + at.height > fabric.height
    ]


def _blocked(problem: Problem, placement: Placement) -> list[str]:
    return [
        f"{block.name}: covers the blocked cell {cell}"
        for block, at in zip(problem.blocks, placement.placed, strict=True)
        for cell in problem.fabric.blocked
        if at.x <= cell[0] < at.x + at.width and at.y <= cell[1] < at.y + at.height
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
    for net in problem.nets:
        (ax, ay), (bx, by) = _centre(placed[net.source]), _centre(placed[net.target])
        length += net.weight * (abs(ax - bx) + abs(ay - by))
    whole = length.numerator // length.denominator + (length.denominator > 1)
    figures = [
        ("slowest time", placement.slowest, max(at.time for at in placed)),
        ("wire length", placement.wire_length, whole),
        ("cores used", placement.cores_used, sum(at.width * at.height for at in placed)),
    ]
    return [f"{name} is {real}, not {told}" for name, told, real in figures if told != real]


def _centre(at: Placed) -> tuple[Fraction, Fraction]:
    return at.x + Fraction(at.width, 2), at.y + Fraction(at.height, 2)
