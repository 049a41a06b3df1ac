"""How each class of anchor is spread over the cores of its region. A template returns the anchor's result.

The kernel's further nodes are added by `Draft.epilogue`; who receives the result is not known here.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from wsc.backends.wafer.emit.draft import Draft, Template
from wsc.backends.wafer.instructions import Lookup
from wsc.backends.wafer.program import Buffer
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Layout
from wsc.compiler.ops import Attention, AxisKind, Contract, Gather, Norm, Op, Pool, Reduce, Softmax


def anchor(draft: Draft) -> Buffer:
    """The anchor's result, by the template of its class."""
    op = draft.kernel.anchor.op
    template = next((t for kind, t in _TEMPLATES if isinstance(op, kind)), local)
    return template(draft)


def _feeds(draft: Draft, fill: float = 0.0) -> list[Buffer]:
    feeds = [draft.kernel.feed(name) for name in draft.kernel.operands[0]]
    return [draft.operand(f, fill) for f in feeds if f is not None]


def _result(draft: Draft) -> tuple[TensorType, tuple[int | None, ...]]:
    row = draft.kernel.result_axes[0]
    return draft.chunk_type(draft.kernel.anchor.type, row), row


def _summed(draft: Draft) -> tuple[int, ...]:
    """Axes over which the anchor sums."""
    return tuple(i for i, axis in enumerate(draft.kernel.axes) if axis.kind is AxisKind.SUM)


def _partial(draft: Draft, layout: Layout, axes: tuple[int, ...]) -> Layout:
    return replace(layout, partial=tuple(c.name for c in draft.cutting.cuts if c.axis in axes))


def local(draft: Draft) -> Buffer:
    """Ops whose parts are independent: every core computes its tile from operands it has whole."""
    op = draft.kernel.anchor.op
    fill = float("-inf") if isinstance(op, Pool) and op.fn == "max" else 0.0
    operands = _feeds(draft, fill)
    type, row = _result(draft)
    return draft.add(_on_tiles(op, draft), operands, type, draft.layout(row))


def contract(draft: Draft) -> Buffer:
    """Stationary weights: inputs are copied to where their weights lie, products summed across the cores."""
    operands = _feeds(draft)
    type, row = _result(draft)
    summed = _summed(draft)
    layout = _partial(draft, draft.layout(row), summed)
    copies = 2 if layout.partial else 1
    product = draft.add(_on_tiles(draft.kernel.anchor.op, draft), operands, type, layout, copies)
    return draft.combined(product, summed, "sum", everywhere=False)


def _on_tiles(op: Op, draft: Draft) -> Op:
    """The op as it is on tiles: padding of cut dimensions has come with the halo."""
    (feed,) = (f for f in draft.kernel.feeds if f.name == draft.kernel.operands[0][0])
    cut = {d for d, a in enumerate(feed.axes) if feed.windows[d] is not None and draft.cutting.of(a)}
    if isinstance(op, Contract):
        dims = {letter: d for d, letter in enumerate(op.letters[0])}
        return replace(op, windows=tuple((*w[:4], 0, 0) if dims[w[0]] in cut else w for w in op.windows))
    if isinstance(op, Pool):
        return replace(op, windows=tuple((*w[:4], 0, 0) if w[0] in cut else w for w in op.windows))
    return op


def reduce(draft: Draft) -> Buffer:
    """Local reduction, then across the cores."""
    op = draft.kernel.anchor.op
    assert isinstance(op, Reduce)
    (x,) = _feeds(draft)
    type, row = _result(draft)
    summed = _summed(draft)
    fn = "sum" if op.fn == "mean" else op.fn
    layout = _partial(draft, draft.layout(row), summed)
    value = draft.add(replace(op, fn=fn), [x], type, layout, copies=2 if layout.partial else 1)
    value = draft.combined(value, summed, fn, everywhere=False)
    if op.fn != "mean":
        return value
    count = prod(draft.kernel.feeds[0].type.shape[d] for d in op.dims)
    return draft.elementwise("mul", [value], (None, 1.0 / count))


def _total(draft: Draft, x: Buffer, dims: tuple[int, ...], fn: str) -> Buffer:
    """A reduction over dims, kept with extent 1, known on every core."""
    op = Reduce(fn, dims, keep=True)
    cuts = tuple(() if d in dims else c for d, c in enumerate(x.layout.cuts))
    axes = tuple(c.axis for d in dims for c in x.layout.cuts[d])
    layout = Layout(cuts, partial=axes)
    value = draft.add(op, [x], op.infer([x.type]), layout, copies=2 if axes else 1)
    return draft.combined(value, [int(name[1:]) for name in axes], fn, everywhere=True)


def norm(draft: Draft) -> Buffer:
    """Mean and mean square by a local sum and a small all-reduce each."""
    op = draft.kernel.anchor.op
    assert isinstance(op, Norm)
    (x,) = _feeds(draft)
    scale = (None, 1.0 / prod(draft.kernel.feeds[0].type.shape[d] for d in op.dims))
    if op.form == "layer":
        mean = draft.elementwise("mul", [_total(draft, x, op.dims, "sum")], scale)
        x = draft.elementwise("sub", [x, mean])
    square = _total(draft, draft.elementwise("mul", [x, x]), op.dims, "sum")
    variance = draft.elementwise("add", [draft.elementwise("mul", [square], scale)], (None, op.eps))
    return draft.elementwise("mul", [x, draft.elementwise("rsqrt", [variance])])


def softmax(draft: Draft) -> Buffer:
    """Maximum and sum by a small all-reduce each."""
    op = draft.kernel.anchor.op
    assert isinstance(op, Softmax)
    (x,) = _feeds(draft)
    shifted = draft.elementwise("sub", [x, _total(draft, x, (op.dim,), "max")])
    powers = draft.elementwise("exp", [shifted])
    total = _total(draft, powers, (op.dim,), "sum")
    if op.log:
        return draft.elementwise("sub", [shifted, draft.elementwise("log", [total])])
    return draft.elementwise("div", [powers, total])


def attention(draft: Draft) -> Buffer:
    """Queries over one direction, keys over the other; softmax and the weighted sum combined across the keys."""
    op = draft.kernel.anchor.op
    assert isinstance(op, Attention)
    if op.causal:
        return local(draft)
    q, k, v, *mask = _feeds(draft)
    type, row = _result(draft)
    lead = type.rank - 2
    scaled = draft.elementwise("mul", [q], (None, op.scale))
    scores_type = TensorType(type.dtype, (*q.type.shape[:-1], k.type.shape[-2]))
    scores_layout = draft.layout((*row[:-1], draft.kernel.feeds[1].axes[-2]))
    scores = draft.add(_product(q, k, "sx", "tx", "st"), [scaled, k], scores_type, scores_layout)
    if mask:
        scores = _masked(draft, scores, mask[0])
    peak = _total(draft, scores, (lead + 1,), "max")
    if mask:  # a query that keeps no key: its peak is minus infinity and its total zero, its result zero
        peak = draft.elementwise("max", [peak], (None, _LOWEST.get(type.dtype, -3e38)))
    powers = draft.elementwise("exp", [draft.elementwise("sub", [scores, peak])])
    total = _total(draft, powers, (lead + 1,), "sum")
    if mask:
        total = draft.elementwise("max", [total], (None, _LEAST))
    partial = _partial(draft, draft.layout(row), _summed(draft))
    copies = 2 if partial.partial else 1
    value = draft.add(_product(q, v, "st", "te", "se"), [powers, v], type, partial, copies)
    value = draft.combined(value, _summed(draft), "sum", everywhere=False, dim=lead + 1)
    return draft.elementwise("div", [value, total])


_LOWEST = {DType.F16: -65504.0}  # of the finite numbers
_LEAST = 1e-4  # less than any sum of powers, the largest of which is 1


def _product(q: Buffer, other: Buffer, left: str, right: str, result: str) -> Contract:
    """A product over equal leading dimensions; where `other` has extent 1 for all of q's, it is summed away."""
    batch = "abcdefgh"[: q.type.rank - 2]
    shared = zip(batch, q.type.shape, other.type.shape, strict=False)
    others = "".join(c if n == m else c.upper() for c, n, m in shared)
    return Contract(f"{batch}{left},{others}{right}->{batch}{result}")


def _masked(draft: Draft, scores: Buffer, mask: Buffer) -> Buffer:
    if mask.type.dtype is DType.BOOL:
        return draft.elementwise("select", [mask, scores], (None, None, float("-inf")))
    return draft.elementwise("add", [scores, mask])


def lookup(draft: Draft) -> Buffer:
    """Each core looks up the rows it holds; the others give zeros, and the sum over the cores is the row."""
    op = draft.kernel.anchor.op
    rows = draft.cutting.of(_summed(draft)[0])
    if rows is None:
        return local(draft)
    operands = _feeds(draft)
    type, row = _result(draft)
    layout = _partial(draft, draft.layout(row), _summed(draft))
    assert isinstance(op, Gather)
    value = draft.add(Lookup(rows.name), operands, type, layout, copies=2)
    return draft.combined(value, _summed(draft), "sum", everywhere=False)


_TEMPLATES: tuple[tuple[type[Op], Template], ...] = (
    (Contract, contract),
    (Attention, attention),
    (Norm, norm),
    (Softmax, softmax),
    (Reduce, reduce),
    (Gather, lookup),
)
