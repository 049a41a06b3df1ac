"""What a person should know of a plan."""

from __future__ import annotations

from math import ceil

from wsc.backends.cim.estimate import digital_cycles, product_interval
from wsc.backends.cim.plan import Plan, mean_cycles
from wsc.compiler.ops import Attention, Contract


def plan_facts(plan: Plan) -> tuple[tuple[str, str], ...]:
    """(name, value): arrays and cells used, balance and what limits it, the share that is digital."""
    machine = plan.machine
    have = plan.chips * machine.units_per_chip
    copied = sum(o.units for o in plan.options)
    once = sum(s.options[0].units for s in plan.sizings)
    facts = [
        ("machine", f"{plan.chips} of {machine.chip.chips} chips, {machine.tiles_per_chip} tiles each"),
        (
            "arrays",
            f"{copied:,} of {have:,} units ({copied / have:.1%}); one copy of the weights takes {once:,}",
        ),
        ("cells", f"{_cells(plan):.1%} of the cells of those units hold a weight"),
        ("precision", _precision(plan)),
        ("balance", _balance(plan)),
        ("digital share", _digital(plan)),
    ]
    if max(plan.mapping.rounds) or max(plan.mapping.passes) > 1:
        facts.append(("reloading", _reloading(plan)))
    return tuple(facts)


def _cells(plan: Plan) -> float:
    used = have = 0
    for sizing, option in zip(plan.sizings, plan.options, strict=True):
        if sizing.product:
            p = sizing.product
            used += option.copies * p.groups * p.rows * p.columns
            have += option.units * plan.machine.unit_rows * plan.machine.unit_weights(p.weight_bits)
    return used / have if have else 0.0


def _precision(plan: Plan) -> str:
    kinds = {(s.product.weight_bits, s.product.input_bits) for s in plan.sizings if s.product}
    array = plan.machine.array
    said = ", ".join(
        f"{w}-bit weights in {plan.machine.slices(w)} cells, {i}-bit inputs in {plan.machine.phases(i)} "
        "phases"
        for w, i in sorted(kinds)
    )
    return f"{said or 'nothing on crossbars'} ({array.encoding}, {array.input_encoding})"


def _balance(plan: Plan) -> str:
    cycles = [o.cycles for s, o in zip(plan.sizings, plan.options, strict=True) if s.product]
    if not cycles:
        return "no crossbar stage"
    copies = max(o.copies for o in plan.options)
    ratio = max(cycles) / mean_cycles(plan)
    said = f"slowest crossbar stage {ratio:.2f} times the mean, up to {copies:,} copies"
    if plan.slowest_bound:
        units = plan.chips * plan.machine.units_per_chip
        said += (
            f"; with {units:,} units no choice of copies makes it faster than {plan.slowest_bound:,} cycles"
        )
    return said


def _digital(plan: Plan) -> str:
    graph, machine = plan.graph, plan.machine
    macs = graph.work().macs
    on_arrays = sum(s.product.macs for s in plan.sizings if s.product)
    share = 1 - on_arrays / macs if macs else 0.0
    said = f"{share:.1%} of the multiply-adds"
    dynamic = [
        s for s in plan.sizings if s.product is None and isinstance(s.draft.head.op, Attention | Contract)
    ]
    if dynamic:
        digital = sum(digital_cycles(machine, graph, s.draft) for s in dynamic)
        said += (
            f"; {len(dynamic)} products of two activations take {digital:,.0f} tile-cycles on digital lanes, and would "
            f"take {_rewriting(plan):,.0f} in arrays written for them"
        )
    return said


def _rewriting(plan: Plan) -> float:
    """Tile-cycles of the products of two activations on arrays that are written at run time, row by row."""
    machine, total = plan.machine, 0.0
    bits = machine.array.weight_bits
    width, rows = machine.unit_weights(bits), machine.unit_rows
    for sizing in plan.sizings:
        node = sizing.draft.head
        if sizing.product is not None or not isinstance(node.op, Attention | Contract):
            continue
        macs = plan.graph.node_work(node).macs
        positions = max(1, node.type.elements // node.type.shape[-1])
        units = ceil(macs / positions / (width * rows))
        total += units * (rows * machine.write.row_cycles + positions * product_interval(machine, bits))
    return total / machine.units_per_tile


def _reloading(plan: Plan) -> str:
    machine = plan.machine
    rounds, passes = max(plan.mapping.rounds) + 1, max(plan.mapping.passes)
    fills = rounds + sum(p - 1 for p in plan.mapping.passes)
    inputs = machine.write.endurance_writes / fills
    return (
        f"the weights fill the arrays {fills} times an input ({rounds} rounds, up to {passes} passes of a stage); "
        f"cells that bear {machine.write.endurance_writes:.0e} writes last {inputs:.1e} inputs"
    )
