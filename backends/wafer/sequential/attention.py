"""Attention: keys cut over the cores and queries whole, or keys that go round a ring of cores that hold queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from wsc.backends.wafer.instructions import MultiplyAdd, Positions, Shift
from wsc.backends.wafer.sequential.draft import ROWS, Conflict, Draft, Value, lines
from wsc.backends.wafer.sequential.products import RING, product
from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Elementwise, Reduce, Reshape

_LOWEST = {DType.F16: -65504.0}  # of the finite numbers
_LEAST = 1e-4  # less than any sum of powers, the largest of which is 1


class Heads:
    """The atoms of an attention: of queries, of keys, of what is multiplied, of what is mixed.

    `apart` walks the keys by themselves, where there is one and they are walked as the queries are.
    """

    def __init__(
        self,
        q: Sequence[tuple[int, ...]],
        k: Sequence[tuple[int, ...]],
        v: Sequence[tuple[int, ...]],
        apart: int | None = None,
    ) -> None:
        self.rows, self.keys = q[-2], k[-2]
        self.inner, self.mixed = q[-1], v[-1]
        self.apart = apart


@dataclass(frozen=True)
class Mask:
    """Which keys queries see, or what is added to their scores: `of_keys`, if not alike for all keys."""

    value: Value
    of_keys: bool


@dataclass(frozen=True)
class Seen:
    """That queries see the keys up to their own, the last `window` of these where it is not 0."""

    window: int = 0


def attention(
    draft: Draft,
    heads: Heads,
    q: Value,
    k: Value,
    v: Value,
    mask: Mask | None,
    scale: float,
    causal: Seen | None,
) -> Value:
    """softmax(scale q k^T, masked) v, by whichever way the cuts of queries and keys allow; raises Conflict."""
    over = {a for atom in heads.rows for a in draft.axes(atom)}
    keys = {a for atom in heads.keys for a in draft.axes(atom)}
    q = draft.elementwise("mul", [q], (None, scale))
    if over & keys:
        if mask is not None or not over == keys <= set(ROWS):
            raise Conflict("queries and keys are cut over the same cores")
        return _ring(draft, heads, q, k, v, causal)
    return _whole(draft, heads, q, k, v, mask, causal)


def _whole(
    draft: Draft, heads: Heads, q: Value, k: Value, v: Value, given: Mask | None, causal: Seen | None
) -> Value:
    """Scores where keys lie; the softmax and the weighted sum are combined over the cores that hold keys."""
    # where queries and keys are walked alike, both whole, keys go by a name of their own
    if heads.apart is not None and draft.axes(heads.apart):
        (all_keys,) = heads.keys
        other = {all_keys: heads.apart}
        k, v = (draft.kept(x, x.slots.index(all_keys), heads.apart) for x in (k, v))
    else:
        other = {a: draft.block(a) for a in heads.keys if a in heads.rows}
    keys = tuple(other.get(a, a) for a in heads.keys)
    mask = None if given is None else _mask_of(draft, given, other)
    if causal and keys:  # a single key is every query's
        mask = _up_to_own(draft, heads, keys, causal.window)
    lead = tuple(a for a in q.atoms if a not in heads.inner)
    slots = (*lead, *keys)
    summed = tuple(a for atom in heads.inner for a in draft.axes(atom))
    scores = product(draft, q, k, _equation(q, k, slots, other), slots, summed)
    if mask is not None:
        scores = _masked(draft, mask, scores)
    peak = reduced(draft, scores, keys, "max")
    if (
        mask is not None
    ):  # a query that keeps no key: its peak is minus infinity and its total zero, its result zero
        peak = draft.elementwise("max", [peak], (None, _LOWEST.get(q.dtype, -3e38)))
    powers = draft.elementwise("exp", [draft.elementwise("sub", [scores, peak])])
    total = reduced(draft, powers, keys, "sum")
    if mask is not None:
        total = draft.elementwise("max", [total], (None, _LEAST))
    slots = (*lead, *heads.mixed)
    across = tuple(a for atom in keys for a in draft.axes(atom))
    mixed = product(draft, powers, v, _equation(powers, v, slots, other), slots, across)
    return draft.elementwise("div", [mixed, total])


def _mask_of(draft: Draft, mask: Mask, other: Mapping[int, int]) -> Value:
    """A mask whose keys go by their own name, where they have one."""
    value = mask.value
    at = [d for d, atom in enumerate(value.slots) if atom in other]
    if not mask.of_keys or not at:
        return value
    made = other[value.slots[at[-1]] or 0]
    if draft.axes(made):
        return draft.kept(value, at[-1], made)
    return Value(value.buffer, tuple(made if d == at[-1] else a for d, a in enumerate(value.slots)))


def _up_to_own(draft: Draft, heads: Heads, keys: Sequence[int], window: int) -> Value:
    """Which keys a query sees: those up to its own place, which is 0 where there is one query."""
    shared = [a for a in keys if a == heads.apart]
    places = _positions(draft, shared or heads.keys)
    if not shared and tuple(keys) != heads.keys:
        places = draft.add(Reshape((draft.extent(keys[0]),)), [places], places.dtype, keys)
    if not heads.rows:
        return draft.elementwise("le", [places], (None, 0.0))
    return _between(draft, _positions(draft, heads.rows), places, window)


def _between(draft: Draft, own: Value, places: Value, window: int) -> Value:
    """Whether places are no later than a query's own, and among the last of a window."""
    before = draft.elementwise("ge", [own, places])
    if not window:
        return before
    since = draft.elementwise("add", [places], (None, float(window)))
    return draft.elementwise("and", [before, draft.elementwise("gt", [since, own])])


def reduced(draft: Draft, value: Value, atoms: Sequence[int], fn: str) -> Value:
    """A reduction over some atoms, known on every core that holds the rest."""
    dims = tuple(d for d, a in enumerate(value.slots) if a in atoms)
    slots = tuple(a for a in value.slots if a not in atoms)
    axes = [a for atom in atoms for a in draft.axes(atom)]
    return draft.all_reduce(draft.add(Reduce(fn, dims), [value], value.dtype, slots), axes, fn)


def _equation(left: Value, right: Value, slots: Sequence[int], other: Mapping[int, int] | None = None) -> str:
    """The product of two tiles, atoms by name; the right one's atoms may go by others."""
    names: dict[int, str] = {}
    found = (left.atoms, tuple((other or {}).get(a, a) for a in right.atoms), tuple(slots))
    for atom in (*found[0], *found[1]):
        names.setdefault(atom, chr(ord("a") + len(names)))
    lhs, rhs, out = ("".join(names[a] for a in atoms) for atoms in found)
    return f"{lhs},{rhs}->{out}"


def _masked(draft: Draft, mask: Value, scores: Value) -> Value:
    if mask.dtype is DType.BOOL:
        return draft.elementwise("select", [mask, scores], (None, None, float("-inf")))
    return draft.elementwise("add", [scores, mask])


def _positions(draft: Draft, atoms: Sequence[int]) -> Value:
    """The place of every query or key, in a buffer of one dimension."""
    if len(atoms) != 1:
        raise Conflict("queries or keys are walked by several dimensions")
    return draft.add(Positions(), [], DType.I32, atoms)


@dataclass(frozen=True)
class _Running:
    """What a core keeps of its queries while keys pass: the highest score, the sum of powers, the mixed values."""

    peak: Value
    total: Value
    mixed: Value


def _ring(draft: Draft, heads: Heads, q: Value, k: Value, v: Value, causal: Seen | None) -> Value:
    """Keys and values go round; every core mixes what it has with a running maximum and sum of its queries.

    The running softmax is that of Milakov and Gimelshein 2018 (arXiv 1805.02867).
    """
    # places as they are made: a copy would have 0 where a tile has no key, and every query sees the key at 0
    moved = [copy(draft, k), copy(draft, v), _positions(draft, heads.keys)]
    limit = _positions(draft, heads.rows) if causal else None
    running = _start(draft, heads, q)
    (line,) = lines(draft.axes(heads.keys[0]))
    steps = prod(draft.mesh[a].parts for a in draft.axes(heads.keys[0]))
    draft.open()
    _mix(draft, heads, (q, *moved), limit, running, causal.window if causal else 0)
    for value in moved:
        draft.again(Shift(line, 1, RING), [value], value)
    given = [q, *moved, running.peak, running.total, *([limit] if limit else [])]
    draft.loop(steps, given, running.mixed)
    return draft.elementwise("div", [running.mixed, running.total])


def copy(draft: Draft, value: Value) -> Value:
    """A copy that may be moved about."""
    return draft.add(Elementwise("copy"), [value], value.dtype, value.slots, value.buffer.layout)


def _start(draft: Draft, heads: Heads, q: Value) -> _Running:
    """Before any key: the lowest score, nothing summed."""
    dims = tuple(d for d, a in enumerate(q.slots) if a in heads.inner)
    slots = tuple(a for a in q.slots if a not in heads.inner)
    nothing = draft.elementwise("mul", [q], (None, 0.0))  # a sum is zero also where a core has no part of q
    total = draft.add(Reduce("sum", dims), [nothing], q.dtype, slots)
    peak = draft.elementwise("add", [total], (None, _LOWEST.get(q.dtype, -3e38)))
    slots = (*slots, *heads.mixed)
    mixed = Value(draft.buffer("mixed", draft.type(q.dtype, slots), draft.layout(slots)), slots)
    return _Running(peak, total, mixed)


def _mix(
    draft: Draft,
    heads: Heads,
    operands: Sequence[Value],
    limit: Value | None,
    running: _Running,
    window: int,
) -> None:
    """The queries against one block of keys: what was mixed before is scaled to the new highest score."""
    q, k, v, places = operands
    block = draft.block(heads.keys[0])
    one = {heads.keys[0]: block}
    slots = (*running.peak.atoms, block)
    summed = tuple(a for atom in heads.inner for a in draft.axes(atom))
    scores = product(draft, q, k, _equation(q, k, slots, one), slots, summed)
    scores = draft.elementwise(
        "select", [_seen(draft, heads, places, limit, block, window), scores], _unless_seen(q.dtype)
    )
    last = (len(slots) - 1,)
    here = draft.add(Reduce("max", last), [scores], q.dtype, slots[:-1])
    peak = draft.elementwise("max", [running.peak, here])
    kept = draft.elementwise("exp", [draft.elementwise("sub", [running.peak, peak])])
    powers = draft.elementwise("exp", [draft.elementwise("sub", [scores, peak])])
    total = draft.add(Reduce("sum", last), [powers], q.dtype, slots[:-1])
    _onto(draft, "copy", [], running.peak, peak)
    _onto(draft, "mul", [running.total], running.total, kept)
    _onto(draft, "add", [running.total], running.total, total)
    _onto(draft, "mul", [running.mixed], running.mixed, kept)
    text = _equation(powers, v, running.mixed.atoms, one)
    draft.again(MultiplyAdd(text), [powers, v], running.mixed)


def _unless_seen(dtype: DType) -> tuple[float | None, ...]:
    return (None, None, _LOWEST.get(dtype, -3e38))


def _onto(draft: Draft, fn: str, before: list[Value], result: Value, value: Value) -> None:
    """Write a buffer again: a function of what it held and of another value."""
    operands = [*before, draft.aligned(value, result.slots)]
    draft.again(Elementwise(fn, (None,) * len(operands)), operands, result)


def _seen(draft: Draft, heads: Heads, places: Value, limit: Value | None, block: int, window: int) -> Value:
    """Which keys of the block a query sees: those up to its own place, or all that exist."""
    here = draft.add(Reshape((draft.extent(block),)), [places], places.dtype, [block])
    if limit is None:
        return draft.elementwise("le", [here], (None, draft.extent(heads.keys[0]) - 1))
    return _between(draft, limit, here, window)
