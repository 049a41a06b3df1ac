"""Rows of tables by index, and rows put into a cache."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from wsc.backends.wafer.instructions import AllGather, Insert, Lookup, Shift
from wsc.backends.wafer.sequential.draft import Conflict, Draft, Value, lines
from wsc.backends.wafer.sequential.products import RING
from wsc.compiler.ops import Elementwise, Gather


def gather(draft: Draft, table: Value, index: Value) -> Value:
    """Rows of a table: each core gives those it holds; the table's first dimension may be cut, and the index's too."""
    rows = draft.axes(table.slots[0])
    slots = (*index.slots, *table.slots[1:])
    if not rows:
        return draft.add(Gather(), [table, index], table.dtype, slots)
    along = {a for atom in index.atoms for a in draft.axes(atom)}
    op = Lookup("*".join(rows))
    if not along & set(rows):
        return draft.all_reduce(draft.add(op, [table, index], table.dtype, slots), rows)
    if along != set(rows):
        raise Conflict("a table and its index are cut over some of the same cores")
    return _round(draft, table, index, op, slots)


def _round(draft: Draft, table: Value, index: Value, op: Lookup, slots: tuple[int | None, ...]) -> Value:
    """The index and the rows found so far go round the cores that hold the table, and end where they began.

    What goes round has full tiles everywhere: cores that have no index of their own add to the others' rows too.
    """
    (line,) = lines(op.axis.split("*"))
    full = {atom: draft.filled(atom) for atom in index.atoms}
    kept, slots = slots, tuple(a if a is None else full.get(a, a) for a in slots)
    asked = draft.add(Elementwise("copy"), [index], index.dtype, slots[: len(index.slots)])
    made = draft.buffer("rows", draft.type(table.dtype, slots), draft.layout(slots))
    result = Value(made, slots)
    draft.open()
    found = draft.add(op, [table, asked], table.dtype, slots)
    draft.again(Elementwise("add", (None, None)), [result, found], result)
    for moved in (asked, result):
        draft.again(Shift(line, 1, RING), [moved], moved)
    draft.loop(prod(draft.mesh[a].parts for a in op.axis.split("*")), [table, asked], result)
    return result if kept == slots else draft.add(Elementwise("copy"), [result], table.dtype, kept)


def insert(draft: Draft, state: Value, dim: int, index: Value, value: Value) -> Value:
    """Slices put into a state where it lies; what is cut along the state's dimension is gathered first."""
    for atom in value.atoms:
        at, axes = value.slots.index(atom), draft.axes(atom)
        if atom not in state.atoms and axes:
            value, index = (_gathered(draft, v, atom) for v in (value, index))
        elif atom in state.atoms and state.slots.index(atom) != at:
            raise Conflict("a cache and what is put into it have dimensions in different orders")
    draft.again(Insert(dim), [index, value], state)
    return state


def _gathered(draft: Draft, value: Value, atom: int) -> Value:
    dim = value.slots.index(atom)
    for line in lines(draft.axes(atom)):
        cuts = tuple(() if d == dim else c for d, c in enumerate(value.buffer.layout.cuts))
        layout = replace(value.buffer.layout, cuts=cuts)
        value = draft.add(AllGather(line, dim), [value], value.dtype, value.slots, layout)
    return value
