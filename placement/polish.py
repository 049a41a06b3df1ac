"""What the exact models make of plans: all of a small problem, and of others the corners, sides and port tuples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wsc.placement import exact
from wsc.placement.candidates import Catalogue
from wsc.placement.effort import SolveParams
from wsc.placement.plan import Plan, are_adapters_dear, cost_of
from wsc.placement.problem import Problem
from wsc.placement.scene import Prices

_HOPEFUL = 64  # polishing is not thought to save more than a sixty-fourth
_MOST_WITH_PORTS = 4  # plans: with port tuples to choose each takes seconds
_MOST_POLISHED = 200  # blocks: every pair is a constraint


def worth_polishing(problem: Problem, plans: Sequence[Plan]) -> list[Plan]:
    """The cheapest, and those that could be as cheap: polishing saves most of the adapters and a little of the rest."""
    best = min(plans, key=lambda it: cost_of(problem, it))
    known = cost_of(problem, best)
    costs = [cost_of(problem, replace(it, ports=[])) for it in plans]
    least = min(costs)
    pairs = zip(plans, costs, strict=True)
    worth = [
        it
        for it, cost in pairs
        if it is best or max((cost - known) * _HOPEFUL - known, (cost - least) * _HOPEFUL - least) <= 0
    ]
    if Prices.of(problem).adapter:
        worth = sorted(worth, key=lambda it: cost_of(problem, it))[:_MOST_WITH_PORTS]
    return worth


def is_small(problem: Problem, menus: Catalogue, params: SolveParams) -> bool:
    """Whether the exact model may take the problem as a whole."""
    few = len(problem.blocks) <= params.exact_blocks and problem.weights is None and params.exact_effort > 0
    few = few and not problem.is_bound
    limit = menus.slowest() if few else 0
    return few and sum(len(m.within(limit).width) for m in menus.menus) <= params.exact_shapes


def faster(
    problem: Problem, menus: Catalogue, bound: int, plan: Plan | None, params: SolveParams
) -> tuple[Plan | None, int]:
    """What the exact model makes of the plan, or of none, and of the lower bound on the slowest time."""
    limit = plan.limit if plan else menus.slowest()
    hint = plan.boxes if plan else None
    verdict = exact.fastest(problem, menus, bound, limit, hint, params.exact_effort)
    if verdict.boxes is not None and (plan is None or verdict.value < plan.limit):
        plan = Plan(verdict.value, verdict.boxes, [None] * len(problem.blocks))
    return plan, max(bound, verdict.bound)


def polished(problem: Problem, menus: Catalogue, plan: Plan, params: SolveParams) -> Plan:
    """The plan after an exact model has moved its boxes for a shorter wire and fewer adapters."""
    ports = plan.ports
    dear = plan.ports and are_adapters_dear(problem, cost_of(problem, plan))
    if plan.row is not None or (dear and not params.polish_ports):
        return plan
    if is_small(problem, menus, params):
        whole = exact.Window.whole(problem)
        verdict = exact.shortest(problem, menus, plan.limit, plan.boxes, whole, params.exact_effort)
    elif params.polish_effort > 0 and len(problem.blocks) <= _MOST_POLISHED and not problem.fabric.blocked:
        prices = Prices.of(problem)
        each = exact.Costs(prices.half_hop, prices.adapter)
        verdict, ports = exact.compacted(
            problem, menus, plan.limit, plan.boxes, plan.ports, each, params.polish_effort
        )
    else:
        return plan
    if verdict.boxes is None:
        return plan
    polished = replace(plan, boxes=verdict.boxes, ports=ports)
    return min(plan, polished, key=lambda it: cost_of(problem, it))
