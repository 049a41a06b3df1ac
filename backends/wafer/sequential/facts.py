"""What a sequential plan says about itself, for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wsc.backends.wafer.sequential.context import longest_context
from wsc.backends.wafer.sequential.placed import PlacedSegment
from wsc.backends.wafer.sequential.plan import SequentialPlan


def sequential_facts(plan: SequentialPlan) -> tuple[tuple[str, str], ...]:
    """(name, value): the schedule and why, layers and regions, memory, the longest context."""
    room = plan.machine.core.sram_bytes
    fullest = max(plan.segments, key=lambda s: s.laid.bytes)
    facts = [
        ("schedule", f"{plan.schedule} ({plan.why})" if plan.why else plan.schedule),
        ("layers", f"{plan.rolled.count} as one repeat" if plan.rolled.body else "none repeat"),
        ("regions", "; ".join(_regions(plan.segments))),
        ("fullest core", f"{fullest.laid.bytes:,} of {room:,} B, {fullest.laid.code:,} B of it code"),
    ]
    if plan.wafers > 1:
        facts.insert(1, ("wafers", str(plan.wafers)))
    if longest := longest_context_of(plan):
        facts.append(("longest context", f"{longest:,} positions fit the same way of cutting"))
    return tuple(facts)


def _regions(placed: Sequence[PlacedSegment]) -> Iterator[str]:
    """Regions with their sizes; those of layers that are alike together, and on how many wafers they are."""
    groups: dict[tuple[str, int, int], list[PlacedSegment]] = {}
    for one in placed:
        name = ".".join("*" if part.isdigit() else part for part in one.laid.segment.name.split("."))
        groups.setdefault((name, one.width, one.height), []).append(one)
    for (name, width, height), alike in groups.items():
        number, wafers = f"{len(alike)} x " if len(alike) > 1 else "", len({one.wafer for one in alike})
        where = f" on wafer {alike[0].wafer}" if alike[0].wafer and wafers == 1 else ""
        where = f" on {wafers} wafers" if wafers > 1 else where
        yield f"{number}{name} {width} x {height}{where}"


def longest_context_of(plan: SequentialPlan) -> int:
    """Positions of state that would fit every region, were the rest as it is; 0 without state."""
    limits = [longest_context(placed.laid, plan.machine.core.sram_bytes) for placed in plan.segments]
    return min((limit for limit in limits if limit), default=0)
