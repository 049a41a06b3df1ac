"""What goes along one dimension: windows that slide over it, and states that are passed from place to place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

from wsc.backends.wafer.cutting import overlap
from wsc.backends.wafer.instructions import Halo, Positions, Shift
from wsc.backends.wafer.sequential.draft import Conflict, Draft, Value, lines
from wsc.backends.wafer.sequential.products import Letters
from wsc.compiler.ir.types import DType
from wsc.compiler.layout import Cut
from wsc.compiler.ops import Contract, Recurrence, Reduce, Slice, Window


def convolution(
    draft: Draft,
    op: Contract,
    x: Value,
    weight: Value,
    of: Sequence[Mapping[int, str]],
    out: Sequence[tuple[str, int]],
) -> Value:
    """A product under windows: each core has what its windows see, from its neighbours too where they slide on.

    `of[i][atom]` is the letter of an atom of operand i, `out` those of the result. Raises Conflict where a window
    reaches farther than the next core, or slides over a dimension that several axes or atoms walk.
    """
    name, windows = Letters(), []
    slid = {window[0] for window in op.windows}
    for letter, tap, stride, dilation, lo, hi in op.windows:
        walked = [a for a, found in of[0].items() if found == letter]
        taps = [a for a, found in of[1].items() if found == tap]
        if len(walked) != 1 or len(taps) != 1 or [found for found, _ in out].count(letter) != 1:
            raise Conflict("a window slides over what several dimensions walk, or none")
        window = Window(draft.extent(taps[0]), stride, dilation, lo, hi)
        if draft.axes(walked[0]):
            x, lo, hi = _with_neighbours(draft, x, walked[0], window), 0, 0
        windows.append((name(letter, -1), name(tap, taps[0]), stride, dilation, lo, hi))

    def told(letter: str, atom: int) -> str:
        return name(letter, -1 if letter in slid else atom)

    left, right = ("".join(told(of[i][a], a) for a in value.atoms) for i, value in enumerate((x, weight)))
    result = "".join(told(letter, atom) for letter, atom in out)
    kept = {letter for letter, _ in out}
    summed = [a for a, letter in of[0].items() if letter not in kept]
    local = Contract(f"{left},{right}->{result}", tuple(windows))
    partial = draft.add(local, [x, weight], x.dtype, tuple(a for _, a in out))
    return draft.all_reduce(partial, [axis for atom in summed for axis in draft.axes(atom)])


def _with_neighbours(draft: Draft, x: Value, atom: int, window: Window) -> Value:
    """A tile with the elements before and after it that its windows see."""
    at, (lo, hi) = x.slots.index(atom), overlap(window)
    cuts = x.buffer.layout.cuts
    if len(cuts[at]) != 1 or max(lo, hi) > cuts[at][0].tile:
        raise Conflict("a window reaches farther than the next core")
    if not lo and not hi:
        return x
    (cut,) = cuts[at]
    wide = replace(x.buffer.layout, cuts=(*cuts[:at], (Cut(cut.axis, cut.tile, lo, hi),), *cuts[at + 1 :]))
    return draft.add(Halo(at, cut.axis, lo, hi), [x], x.dtype, x.slots, wide)


def recurrence(draft: Draft, factors: Value, added: Value, initial: Value | None, along: int) -> Value:
    """`y[t] = a[t] * y[t - 1] + b[t]`: on each core by itself, or, where the places are cut, in two passes.

    A tile takes a state y to A y + B, with A the product of its factors and B what it ends with from nothing. These
    maps are put together over the cores (Blelloch, "Prefix sums and their applications", 1990; in the steps of Hillis
    and Steele, CACM 1986), and each core starts again from the state that the ones before it leave.
    """
    at = added.slots.index(along)
    factors = draft.aligned(factors, added.slots)
    operands = [factors, added]
    if initial is not None:
        operands.append(draft.aligned(initial, tuple(None if a == along else a for a in added.slots)))
    if not draft.axes(along):
        return draft.add(Recurrence(at), operands, added.dtype, added.slots)
    if initial is not None or factors.slots[at] is None:
        raise Conflict("a state from before goes to the first core only")
    alone = draft.add(Recurrence(at), operands, added.dtype, added.slots)
    state = _state_before(draft, factors, alone, along)
    return draft.add(Recurrence(at), [factors, added, state], added.dtype, added.slots)


def _state_before(draft: Draft, factors: Value, alone: Value, along: int) -> Value:
    """The state that the cores before each one leave to it; zero for the first."""
    part, at = draft.part(along), alone.slots.index(along)
    (line,) = lines(draft.axes(along))
    parts = prod(draft.mesh[a].parts for a in draft.axes(along))
    tile = alone.buffer.tile_type.shape[at]

    def by_part(value: Value) -> tuple[int | None, ...]:
        return tuple(part if a == along else a for a in value.slots)

    whole = draft.add(Reduce("prod", (at,), keep=True), [factors], factors.dtype, by_part(factors))
    left = draft.add(Slice(at, tile - 1, tile), [alone], alone.dtype, by_part(alone))
    number = draft.add(Positions(), [], DType.I32, [part])

    def from_before(value: Value, far: int, nothing: float) -> Value:
        moved = draft.add(Shift(line, -far), [value], value.dtype, value.slots)
        there = draft.elementwise("ge", [number], (None, float(far)))
        return draft.elementwise("select", [there, moved], (None, None, nothing))

    far = 1
    while far < parts:
        more = draft.elementwise("mul", [from_before(left, far, 0.0), whole])
        left = draft.elementwise("add", [more, left])
        whole = draft.elementwise("mul", [from_before(whole, far, 1.0), whole])
        far *= 2
    return draft.aligned(from_before(left, 1, 0.0), by_part(alone))
