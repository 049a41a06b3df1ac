"""What a person should know of a plan: what was chosen, what it is far from, and what the runners-up would lose."""

from __future__ import annotations

from wsc.backends.gpu_cluster.plan.graph_plan import Candidate, GraphPlan, room
from wsc.compiler.quantities import format_bytes

RUNNERS_UP = 3


def plan_facts(plan: GraphPlan) -> tuple[tuple[str, str], ...]:
    """(name, value) in reading order."""
    mesh, chosen = plan.mesh, plan.estimate
    shares = plan.spread.options.values()
    cut = sum(option.result >= 0 for option in shares)
    there = format_bytes(room(plan.cluster))
    facts = [
        ("mesh", f"{mesh.replicas} replicas of {mesh.stages} stages of {mesh.tensor} GPUs"),
        (
            "memory of a GPU",
            f"{format_bytes(chosen.memory_bytes)} of {there} there is room for",
        ),
        ("estimated latency", _us(chosen.latency)),
        ("results cut over a tensor group", f"{cut} of {len(plan.spread.options)}"),
    ]
    if not plan.others:
        facts.append(("runners-up", "none: it is the only mesh that fits, or was asked for"))
    for number, other in enumerate(plan.others[:RUNNERS_UP], start=1):
        facts.append((f"runner-up {number}", _against(other, chosen)))
    return tuple(facts)


def _against(other: Candidate, chosen: Candidate) -> str:
    latency = _change(other.latency, chosen.latency)
    return f"{other.mesh}: {latency} latency, {_change(other.interval, chosen.interval)} time between inputs"


def _change(theirs: float, ours: float) -> str:
    change = theirs / ours - 1 if ours else 0.0
    return f"{abs(change):.0%} {'more' if change >= 0 else 'less'}"


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} us"
