"""What a person should know of a plan."""

from __future__ import annotations

from math import ceil

from wsc.backends.cim.balance import balance_at, units_for
from wsc.backends.cim.plan import Plan, mean_cycles
from wsc.backends.cim.rewriting import Shape, array_cycles, lane_cycles, shapes_of
from wsc.backends.cim.sizing import write_cycles
from wsc.compiler.ops import Attention, Contract

EVEN = 1.2  # the slowest stage over the mean, up to which a pipeline counts as balanced


def plan_facts(plan: Plan) -> tuple[tuple[str, str], ...]:
    """(name, value): arrays and cells used, balance and what limits it, what is on lanes and in written arrays."""
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
    if any(s.product and s.product.rewritten for s in plan.sizings):
        facts.append(("written for every input", _written(plan)))
    if max(plan.mapping.rounds) or max(plan.mapping.passes) > 1:
        facts.append(("reloading", _reloading(plan)))
    return tuple(facts)


def _cells(plan: Plan) -> float:
    used = have = 0
    for sizing, option in zip(plan.sizings, plan.options, strict=True):
        if sizing.product:
            p = sizing.product
            used += option.copies * p.weight_type.elements
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
        said += f"; {_balance_bound(plan)}"
    return said


def _balance_bound(plan: Plan) -> str:
    """What no choice of copies beats within the units there are, and how many units an even pipeline would take."""
    units = plan.chips * plan.machine.units_per_chip
    said = f"with {units:,} units no choice of copies makes it faster than {plan.slowest_bound:,} cycles"
    menus = [sizing.options for sizing in plan.sizings if sizing.product]
    best = balance_at(menus, plan.slowest_bound)
    if best is None or best.ratio <= EVEN:
        return said
    least = ceil(best.limit / EVEN)
    fast = sum(menu[0].cycles < least for menu in menus)
    said += (
        f", {best.ratio:.2f} times the mean at best (stages below {least:,} cycles with a single copy: "
        f"{fast} of {len(menus)})"
    )
    enough = units_for(menus, EVEN)
    return f"{said}; {EVEN} times the mean takes {enough.units:,} units" if enough else said


def _digital(plan: Plan) -> str:
    """The share of the multiply-adds on lanes, and what the products of two activations there would take in arrays."""
    graph, machine = plan.graph, plan.machine
    macs = graph.work().macs
    on_arrays = sum(s.product.macs for s in plan.sizings if s.product)
    said = f"{(1 - on_arrays / macs if macs else 0.0):.1%} of the multiply-adds"
    dynamic = [
        s.draft
        for s in plan.sizings
        if s.product is None and isinstance(s.draft.head.op, Attention | Contract)
    ]
    shapes = [shape for draft in dynamic for shape in shapes_of(graph, draft.head)]
    if not shapes:
        return said
    lanes = sum(lane_cycles(shape, machine, plan.chips) for shape in shapes)
    said += f"; {len(shapes)} products of two activations take {lanes:,.0f} cycles on the lanes of all tiles"
    if not machine.write.at_run_time:
        return f"{said}: cells here do not bear a write for every input"
    bits, units = machine.array.weight_bits, plan.chips * machine.units_per_chip
    arrays = sum(array_cycles(shape, machine, max(8, bits), units) for shape in shapes)
    return f"{said}, in arrays written for them {arrays:,.0f}"


def _written(plan: Plan) -> str:
    """The share of the multiply-adds in arrays that are written for every input, and what that takes."""
    machine, found = plan.machine, [s for s in plan.sizings if s.product and s.product.rewritten]
    products = [s.product for s in found if s.product]
    share = sum(p.macs for p in products) / (plan.graph.work().macs or 1)
    shapes = [Shape(p.groups, p.rows, p.columns, p.positions) for p in products]
    lanes = sum(lane_cycles(shape, machine, plan.chips) for shape in shapes)
    options = [o for s, o in zip(plan.sizings, plan.options, strict=True) if s in found]
    arrays = sum(option.cycles for option in options)
    writes = sum(write_cycles(p, machine) for p in products)
    return (
        f"{share:.1%} of the multiply-adds: {len(products)} products of two activations take {arrays:,.0f} cycles, "
        f"{writes:,.0f} of them writes, and would take {lanes:,.0f} on the lanes of all tiles; cells that bear "
        f"{machine.write.endurance_writes:.0e} writes last as many inputs"
    )


def _reloading(plan: Plan) -> str:
    machine = plan.machine
    rounds, passes = max(plan.mapping.rounds) + 1, max(plan.mapping.passes)
    fills = rounds + sum(p - 1 for p in plan.mapping.passes)
    inputs = machine.write.endurance_writes / fills
    return (
        f"the weights fill the arrays {fills} times an input ({rounds} rounds, up to {passes} passes of a stage); "
        f"cells that bear {machine.write.endurance_writes:.0e} writes last {inputs:.1e} inputs"
    )
