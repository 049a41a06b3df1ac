"""Attention: keys cut over the cores with the queries whole, or keys that go round a ring of cores that hold queries."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from wsc.backends.wafer.instructions import MultiplyAdd, Positions, Shift
from wsc.backends.wafer.program import Instruction
from wsc.backends.wafer.sequential.draft import ROWS, Conflict, Draft, Value, lines
from wsc.backends.wafer.sequential.products import RING, product
from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Contract, Elementwise, Reduce

_LOWEST = {DType.F16: -65504.0}  # of the finite numbers
_LEAST = 1e-4  # less than any sum of powers, the largest of which is 1


class Heads:
    """The atoms of an attention: shared by all, of queries, of keys, of what is multiplied, of what is mixed."""

    def __init__(self, q: Sequence[tuple[int, ...]], k: Sequence[tuple[int, ...]], v: Sequence[tuple[int, ...]]) -> None:
        self.batch = tuple(a for atoms in q[:-2] for a in atoms)
        self.rows, self.keys = q[-2], k[-2]
        self.inner, self.mixed = q[-1], v[-1]


def attention(
    draft: Draft, heads: Heads, q: Value, k: Value, v: Value, mask: Value | None, scale: float, causal: bool
) -> Value:
    """softmax(scale q k^T, masked) v, by whichever way the cuts of queries and keys allow; raises Conflict."""
    over = {a for atom in heads.rows for a in draft.axes(atom)}
    keys = {a for atom in heads.keys for a in draft.axes(atom)}
    q = draft.elementwise("mul", [q], (None, scale))
    if over & keys:
        if mask is not None or not over == keys <= set(ROWS):
            raise Conflict("queries and keys are cut over the same cores")
        return _ring(draft, heads, q, k, v, causal)
    if causal:
        mask = draft.elementwise("le", [_positions(draft, heads.keys), _positions(draft, heads.rows)])
    return _whole(draft, heads, q, k, v, mask)


def _whole(draft: Draft, heads: Heads, q: Value, k: Value, v: Value, mask: Value | None) -> Value:
    """Scores where keys lie; the softmax and the weighted sum are combined over the cores that hold keys."""
    slots = (*heads.batch, *heads.rows, *heads.keys)
    summed = [a for atom in heads.inner for a in draft.axes(atom)]
    scores = product(draft, q, k, _equation(q, k, slots), slots, tuple(summed))
    across = [a for atom in heads.keys for a in draft.axes(atom)]
    if mask is not None:
        scores = _masked(draft, mask, scores, float("-inf"))
    peak = reduced(draft, scores, heads.keys, "max")
    if mask is not None:  # a query that keeps no key: its peak is minus infinity and its total zero, its result zero
        peak = draft.elementwise("max", [peak], (None, _LOWEST.get(q.dtype, -3e38)))
    powers = draft.elementwise("exp", [draft.elementwise("sub", [scores, peak])])
    total = reduced(draft, powers, heads.keys, "sum")
    if mask is not None:
        total = draft.elementwise("max", [total], (None, _LEAST))
    slots = (*heads.batch, *heads.rows, *heads.mixed)
    mixed = product(draft, powers, v, _equation(powers, v, slots), slots, tuple(across))
    return draft.elementwise("div", [mixed, total])


def reduced(draft: Draft, value: Value, atoms: Sequence[int], fn: str) -> Value:
    """A reduction over some atoms, known on every core that holds the rest."""
    dims = tuple(d for d, a in enumerate(value.slots) if a in atoms)
    slots = tuple(a for a in value.slots if a not in atoms)
    axes = [a for atom in atoms for a in draft.axes(atom)]
    return draft.all_reduce(draft.add(Reduce(fn, dims), [value], value.dtype, slots), axes, fn)


def _equation(left: Value, right: Value, slots: Sequence[int]) -> str:
    names: dict[int, str] = {}
    for atom in (*left.atoms, *right.atoms):
        names.setdefault(atom, chr(ord("a") + len(names)))
    sides = ("".join(names[a] for a in found) for found in (left.atoms, right.atoms, slots))
    return "{},{}->{}".format(*sides)


def _masked(draft: Draft, mask: Value, scores: Value, lowest: float) -> Value:
    if mask.dtype is DType.BOOL:
        return draft.elementwise("select", [mask, scores], (None, None, lowest))
    return draft.elementwise("add", [scores, mask])


def _positions(draft: Draft, atoms: Sequence[int]) -> Value:
    """The place of every query or key, in a buffer of one dimension."""
    if len(atoms) != 1:
        raise Conflict("queries or keys are walked by several dimensions, or there is one")
    return draft.add(Positions(), [], DType.I32, atoms)


def _ring(draft: Draft, heads: Heads, q: Value, k: Value, v: Value, causal: bool) -> Value:
    """Keys and values go round; every core mixes what it has with a running maximum and sum of its queries.

    The running softmax is that of Milakov and Gimelshein 2018 (arXiv 1805.02867).
    """
    places = _positions(draft, heads.keys)
    moved = [_copy(draft, x) for x in (k, v, places)]
    limit = _positions(draft, heads.rows)
    lowest = _LOWEST.get(q.dtype, -3e38)
    nothing = draft.elementwise("mul", [reduced_here(draft, q, heads.inner)], (None, 0.0))
    peak = draft.elementwise("add", [nothing], (None, lowest))
    total = draft.elementwise("copy", [nothing])
    slots = (*heads.batch, *heads.rows, *heads.mixed)
    made = Value(draft.buffer("mixed", draft.type(q.dtype, slots), draft.layout(slots)), slots)
    draft.open()
    _block(draft, heads, (q, *moved[:2]), (moved[2], limit if causal else None), (peak, total, made), lowest)
    (line,) = lines(draft.axes(heads.keys[0]))
    for value in moved:
        draft.again(Shift(line, 1, RING), [value], value)
    steps = prod(draft.mesh[a].parts for a in draft.axes(heads.keys[0]))
    draft.loop(steps, [q, *moved, limit, peak, total], made)
    return draft.elementwise("div", [made, total])


def reduced_here(draft: Draft, value: Value, atoms: Sequence[int]) -> Value:
    """A maximum over what a core holds, of the shape that a running maximum has."""
    dims = tuple(d for d, a in enumerate(value.slots) if a in atoms)
    return draft.add(Reduce("max", dims), [value], value.dtype, tuple(a for a in value.slots if a not in atoms))


def _block(
    draft: Draft,
    heads: Heads,
    operands: tuple[Value, Value, Value],
    places: tuple[Value, Value | None],
    running: tuple[Value, Value, Value],
    lowest: float,
) -> None:
    """One block of keys and values against the queries: the body of the ring's loop."""
    (q, k, v), (peak, total, made), (key_places, limit) = operands, running, places
    slots = (*heads.batch, *heads.rows, *heads.keys) if heads.rows != heads.keys else _twice(heads)
    # where queries and keys are one dimension of the graph, a block's keys are walked by a dimension of their own
    scores = _scores(draft, heads, q, k, slots)
    last = draft.dims.extent[heads.keys[0]] - 1
    allowed = _allowed(draft, key_places, limit, last, slots, scores)
    scores = _on_block(draft, Elementwise("select", (None, None, lowest)), [allowed, scores], scores)
    block_peak = _reduced_block(draft, scores, peak, "max")
    higher = draft.elementwise("max", [peak, block_peak])
    kept = draft.elementwise("exp", [draft.elementwise("sub", [peak, higher])])
    beside = _column(draft, higher)
    powers = _on_block(draft, Elementwise("sub", (None, None)), [scores, beside], scores)
    powers = _on_block(draft, Elementwise("exp"), [powers], scores)
    draft.again(Elementwise("mul", (None, None)), [total, kept], total)
    draft.again(Elementwise("add", (None, None)), [total, _reduced_block(draft, powers, peak, "sum")], total)
    draft.again(Elementwise("copy"), [higher], peak)
    scaled = draft.aligned(kept, made.slots)
    draft.again(Elementwise("mul", (None, None)), [made, scaled], made)
    draft.emit(Instruction(MultiplyAdd(_mix(powers, v, made)), (powers.buffer.name, v.buffer.name), made.buffer.name))
