"""What a plan says about itself, for a person."""

from __future__ import annotations

from collections import Counter

from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.plan import Plan
from wsc.compiler.blocks import find_repeats
from wsc.placement.result import Placement

_ENOUGH = 0.6  # a share of the cores below which the plan says what stops it


def plan_facts(plan: Plan) -> tuple[tuple[str, str], ...]:
    """(name, value): kernels, repeated blocks, cores, balance of the stages, distance from the bound, memory."""
    machine, placement = plan.machine, plan.placement
    times = [p.candidate.cycles for p in plan.kernels]
    mean = sum(times) / len(times)
    used = placement.cores_used / machine.cores
    widest = max(plan.kernels, key=lambda p: p.candidate.bytes)
    facts = [
        ("kernels", f"{len(plan.kernels)} ({_classes(plan)})"),
        ("repeated blocks", _repeats(plan)),
        ("cores used", f"{placement.cores_used:,} of {machine.cores:,} ({used:.1%})"),
        ("expected slowest stage", f"{max(times):,} cycles, {max(times) / mean:.2f} x the mean stage"),
        ("least possible slowest", f"{placement.bound:,} cycles with these candidates ({placement.status})"),
        (
            "fullest core",
            f"{widest.candidate.bytes:,} of {machine.core.sram_bytes:,} B, in {widest.kernel.name}",
        ),
    ]
    if plan.undamaged is not None:
        facts.append(("defects", _cost_of_defects(machine, placement, plan.undamaged)))
    if not machine.repair.whole:
        facts.append(("spare cores", machine.repair.facts))
    if used < _ENOUGH:
        facts.append(("why not more cores", _what_stops(plan)))
    return tuple(facts)


def _cost_of_defects(machine: Wafer, placement: Placement, undamaged: Placement) -> str:
    lost, places = machine.cores - machine.usable_cores, len(machine.keep_outs)
    slower = placement.slowest / undamaged.slowest - 1
    longer = placement.wire_length / max(1, undamaged.wire_length) - 1
    return (
        f"{lost:,} cores out of use in {places:,} places; against a wafer without defects the slowest stage takes "
        f"{slower:+.1%} cycles, and wires are {longer:+.1%} long"
    )


def _classes(plan: Plan) -> str:
    counts = Counter(p.kernel.group for p in plan.kernels)
    return ", ".join(f"{n} {group}" for group, n in counts.most_common())


def _repeats(plan: Plan) -> str:
    repeats = find_repeats([p.kernel.signature for p in plan.kernels])
    distinct = len({p.kernel.signature for p in plan.kernels})
    found = ", ".join(f"{r.count} x {r.length} kernels" for r in repeats if r.count > 1)
    return f"{found or 'none'}; {distinct} distinct kernels compiled"


def _what_stops(plan: Plan) -> str:
    """The kernel that no more cores would make faster, or the shapes that do not pack."""
    slowest = max(plan.kernels, key=lambda p: p.candidate.cycles)
    name, cycles = slowest.kernel.name, slowest.candidate.cycles
    if plan.placement.bound == plan.placement.slowest:
        return (
            f"kernel {name} takes {cycles:,} cycles however it is cut, so a faster rest would only wait for it; "
            "more parallel work (a longer sequence or a larger batch) would use more cores"
        )
    return f"the candidate rectangles do not pack tighter below {cycles:,} cycles; the slowest is {name}"
