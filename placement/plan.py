"""A plan: the boxes and port tuples that a search has found, and what they cost by the problem's prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsc.placement.candidates import Catalogue
from wsc.placement.problem import Problem
from wsc.placement.regions import Box
from wsc.placement.result import Placed
from wsc.placement.row import Row
from wsc.placement.scene import Prices

_DEAR = 32  # a thirty-second


@dataclass(frozen=True)
class Plan:
    """A box for each block and the port tuple of its shape, all of shapes within `limit` ticks; `row` where it is
    the best row of a chain, which needs no polish."""

    limit: int
    boxes: list[Box]
    ports: list[tuple[int, ...] | None]
    row: Row | None = None


def cost_of(problem: Problem, plan: Plan) -> int:
    """What a plan costs, as far as its limit, wire and adapters tell."""
    prices = Prices.of(problem)
    odd = adapters_of(problem, [it or () for it in plan.ports]) if plan.ports else 0
    return (
        plan.limit * prices.tick + half_hops_of(problem, plan.boxes) * prices.half_hop + odd * prices.adapter
    )


def are_adapters_dear(problem: Problem, cost: int) -> bool:
    """Whether an adapter for each net would cost a good part of what a placement does."""
    return Prices.of(problem).adapter * len(problem.nets) * _DEAR >= cost


def exact_cost_of(problem: Problem, menus: Catalogue, plan: Plan) -> int:
    """What a plan costs; its slowest shape may be faster than its limit."""
    slowest = max(it.time for it in placed_of(menus, plan))
    return cost_of(problem, plan) - (plan.limit - slowest) * Prices.of(problem).tick


def placed_of(menus: Catalogue, plan: Plan) -> list[Placed]:
    """The boxes with the shapes in them."""
    placed: list[Placed] = []
    for block, box in enumerate(plan.boxes):
        shape = menus.menu(block).pick(box.width, box.height, plan.limit, plan.ports[block])
        sides = (shape.width, shape.height, shape.time, shape.payload, shape.memory, shape.ports)
        placed.append(Placed(box.x, box.y, *sides))
    return placed


def adapters_of(problem: Problem, ports: Sequence[tuple[int, ...]]) -> int:
    """The port entries that differ over all nets."""
    pairs = ((ports[net.source], ports[net.target]) for net in problem.nets)
    return sum(a != b for first, second in pairs for a, b in zip(first, second, strict=False))


def half_hops_of(problem: Problem, boxes: Sequence[Box | Placed]) -> int:
    """The length of all nets in half hops."""
    x = [2 * box.x + box.width for box in boxes]
    y = [2 * box.y + box.height for box in boxes]
    return sum(
        net.weight * (abs(x[net.source] - x[net.target]) + abs(y[net.source] - y[net.target]))
        for net in problem.nets
    )
