"""What each layer takes of the crossbars: units for one copy of its weights, beside the units of all chips."""

from __future__ import annotations

from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.sizing import size
from wsc.backends.cim.stages import cut
from wsc.compiler.fit import Fit, Need
from wsc.compiler.ir.graph import Graph


def fits(graph: Graph, machine: CimMachine) -> tuple[Fit, ...]:
    """One copy of every layer; where arrays are reloaded, layers take turns on the same units."""
    pieces = cut(graph)
    sizings = [size(pieces, draft, machine, 0) for draft in pieces.drafts if draft.is_crossbar]
    needs = tuple(Need(s.draft.head.name, s.draft.head.op.kind, s.options[0].units) for s in sizings)
    units = machine.chip.chips * machine.units_per_chip
    chips = f"{machine.chip.chips} {'chip' if machine.chip.chips == 1 else 'chips'}"
    how = f"one copy of the weights on {chips}"
    return (Fit(how, "unit", units, needs, shared=machine.chip.reload),)
