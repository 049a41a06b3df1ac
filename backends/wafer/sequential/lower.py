"""What each op of a graph becomes on a whole region."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from wsc.backends.wafer.instructions import Multicast
from wsc.backends.wafer.program import Buffer
from wsc.backends.wafer.sequential.along import convolution, recurrence
from wsc.backends.wafer.sequential.attention import Heads, Mask, Seen, attention, reduced
from wsc.backends.wafer.sequential.causal import window_of
from wsc.backends.wafer.sequential.draft import ACROSS, Axes, Conflict, Draft, Value, lines
from wsc.backends.wafer.sequential.products import equation, letters_of, product, rings, shifted_product
from wsc.backends.wafer.sequential.tables import gather, insert
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ops import (
    Attention,
    Cast,
    Concat,
    Contract,
    Elementwise,
    Expand,
    Gather,
    Norm,
    Op,
    Permute,
    Recurrence,
    Reduce,
    Reshape,
    Scan,
    Slice,
    Softmax,
    Update,
)


@dataclass
class Lowering:
    """Turns nodes into instructions of a draft; `source` gives a weight's or a state's buffer as it must lie."""

    graph: Graph
    draft: Draft
    source: Callable[[str, Mapping[int, Axes]], Value]
    values: dict[str, Value] = field(default_factory=dict)

    def lower(self, node: Node) -> None:
        """Append a node's instructions; raises Conflict where the cuts do not serve it."""
        rule = next(rule for kind, rule in _RULES if isinstance(node.op, kind))
        self.values[node.name] = rule(self, node)

    def value(self, name: str) -> Value:
        """The value of a node, or a source that lies as its dimensions are cut."""
        return self.values[name] if name in self.values else self.source(name, {})

    def operands(self, node: Node) -> list[Value]:
        """The operands of a node where they lie."""
        return [self.value(name) for name in node.inputs]

    # ---- rules

    def _view(self, node: Node) -> Value:
        return self.value(node.inputs[0])

    def _elementwise(self, node: Node) -> Value:
        assert isinstance(node.op, Elementwise)
        return self.draft.elementwise(node.op.fn, self.operands(node), node.op.scalars)

    def _cast(self, node: Node) -> Value:
        (x,) = self.operands(node)
        return self.draft.add(node.op, [x], node.type.dtype, x.slots)

    def _contract(self, node: Node) -> Value:
        op, dims = node.op, self.draft.dims.of
        assert isinstance(op, Contract)
        left, right, out = (dims[name] for name in (*node.inputs, node.name))
        of = [
            letters_of(letters, found) for letters, found in zip(op.letters[:2], (left, right), strict=True)
        ]
        pairs = [(x, a) for x, found in zip(op.letters[2], out, strict=True) for a in found]
        slots = tuple(a for _, a in pairs)
        summed = [a for a, letter in of[0].items() if letter not in op.letters[2]]
        if op.windows:
            x, weight = (self._complete(name, of[i]) for i, name in enumerate(node.inputs))
            return convolution(self.draft, op, x, weight, of, pairs)
        rows = [a for a, letter in of[0].items() if letter in op.letters[2] and letter not in op.letters[1]]
        along = rings(self.draft, rows, summed)
        x = self._complete(node.inputs[0], of[0])
        if along:
            weight = self.source(
                node.inputs[1], {a: tuple(ACROSS[i] for i in self.draft.axes(a)) for a in summed}
            )
            text = equation(op, of, (x, weight), pairs)
            return shifted_product(self.draft, x, weight, text, slots, along)
        weight = self._complete(node.inputs[1], of[1])
        axes = tuple(a for atom in summed for a in self.draft.axes(atom))
        return product(self.draft, x, weight, equation(op, of, (x, weight), pairs), slots, axes)

    def _complete(self, name: str, atoms: Mapping[int, str]) -> Value:
        value = self.value(name)
        if set(value.atoms) != set(atoms):
            raise Conflict("a product of what is broadcast")
        return value

    def _attention(self, node: Node) -> Value:
        op, dims = node.op, self.draft.dims.of
        assert isinstance(op, Attention)
        q, k, v, *mask = self.operands(node)
        apart = self.draft.dims.apart.get(node.name)
        queries, keys, values = (dims[name] for name in node.inputs[:3])
        heads = Heads(queries, keys, values, apart)
        seen = Seen(window_of(op)) if op.causal else None
        masks = Mask(mask[0], self._is_of_keys(node.inputs[3])) if mask else None
        return attention(self.draft, heads, q, k, v, masks, op.scale, seen)

    def _is_of_keys(self, mask: str) -> bool:
        """Whether a mask has keys, or only queries; those that are spread over one or the other have but one."""
        node = self.graph[mask]
        while isinstance(node.op, Expand):
            node = self.graph[node.inputs[0]]
        return node.type.shape[-1] > 1

    def _norm(self, node: Node) -> Value:
        """Scaled before it is squared, so that the sum of squares is the mean and stays in range."""
        op, draft = node.op, self.draft
        assert isinstance(op, Norm)
        (x,) = self.operands(node)
        atoms = [a for d in op.dims for a in draft.dims.of[node.name][d]]
        count = prod(node.type.shape[d] for d in op.dims)
        if op.form == "layer":
            mean = reduced(draft, draft.elementwise("mul", [x], (None, 1.0 / count)), atoms, "sum")
            x = draft.elementwise("sub", [x, mean])
        scaled = draft.elementwise("mul", [x], (None, count**-0.5))
        square = reduced(draft, draft.elementwise("mul", [scaled, scaled]), atoms, "sum")
        shifted = draft.elementwise("add", [square], (None, op.eps))
        return draft.elementwise("mul", [x, draft.elementwise("rsqrt", [shifted])])

    def _softmax(self, node: Node) -> Value:
        op, draft = node.op, self.draft
        assert isinstance(op, Softmax)
        (x,) = self.operands(node)
        atoms = draft.dims.of[node.name][op.dim]
        shifted = draft.elementwise("sub", [x, reduced(draft, x, atoms, "max")])
        powers = draft.elementwise("exp", [shifted])
        total = reduced(draft, powers, atoms, "sum")
        if op.log:
            return draft.elementwise("sub", [shifted, draft.elementwise("log", [total])])
        return draft.elementwise("div", [powers, total])

    def _reduce(self, node: Node) -> Value:
        op = node.op
        assert isinstance(op, Reduce)
        (x,) = self.operands(node)
        atoms = [a for d in op.dims for a in self.draft.dims.of[node.inputs[0]][d]]
        value = reduced(self.draft, x, atoms, _COMBINED[op.fn])
        if op.fn != "mean":
            return value
        count = prod(self.graph[node.inputs[0]].type.shape[d] for d in op.dims)
        return self.draft.elementwise("mul", [value], (None, 1.0 / count))

    def _recurrence(self, node: Node) -> Value:
        op, draft = node.op, self.draft
        assert isinstance(op, Recurrence)
        factors, added, *initial = self.operands(node)
        atoms = draft.dims.of[node.name][op.dim]
        if len(atoms) > 1:
            raise Conflict("the places of a recurrence are walked by several dimensions")
        if set(added.atoms) != set(draft.dims.atoms(node.name)):
            raise Conflict("a recurrence of what is broadcast")
        if atoms:
            return recurrence(draft, factors, added, initial[0] if initial else None, atoms[0])
        if not initial:  # one place, and nothing before it
            return added
        return draft.elementwise("add", [draft.elementwise("mul", [factors, initial[0]]), added])

    def _scan(self, node: Node) -> Value:
        """Along a dimension that every core has whole."""
        op = node.op
        assert isinstance(op, Scan)
        (x,) = self.operands(node)
        atoms = self.draft.dims.of[node.name][op.dim]
        if len(atoms) > 1:
            raise Conflict("the places of a scan are walked by several dimensions")
        if not atoms or atoms[0] not in x.slots:
            return self._complete(node.inputs[0], dict.fromkeys(self.draft.dims.atoms(node.name), ""))
        return self.draft.add(replace(op, dim=x.slots.index(atoms[0])), [x], x.dtype, x.slots)

    def _slice(self, node: Node) -> Value:
        """A part of an atom, one place of one after another; the core that holds it gives it to all."""
        op, draft = node.op, self.draft
        assert isinstance(op, Slice)
        (x,) = self.operands(node)
        before, after = draft.dims.of[node.inputs[0]][op.dim], draft.dims.of[node.name][op.dim]
        if before == after:
            return x
        outer = before[: len(before) - len(after)]
        if not outer or before[len(outer) :] != after:  # atoms cut unevenly, which every core has whole
            x = draft.merged(x, before)
            at = x.slots.index(draft.joined(before))
            slots = (*x.slots[:at], draft.joined(after), *x.slots[at + 1 :])
            x = draft.add(replace(op, dim=at), [x], x.dtype, slots)
            return draft.shaped(x, (*slots[:at], *after, *slots[at + 1 :]))
        place = op.start // prod(draft.extent(a) for a in after)
        for atom in reversed(outer):
            place, digit = divmod(place, draft.extent(atom))
            x = self._one(x, atom, digit)
        return x

    def _one(self, x: Value, atom: int, place: int) -> Value:
        draft, at = self.draft, x.slots.index(atom)
        cuts = x.buffer.layout.cuts
        bare = replace(x.buffer.layout, cuts=(*cuts[:at], (), *cuts[at + 1 :]))
        slots = (*x.slots[:at], None, *x.slots[at + 1 :])
        part, local = 0, place
        for cut in cuts[at]:
            parts = draft.mesh[cut.axis].parts
            part, local = part * parts + local // cut.tile, local % cut.tile
        x = draft.add(Slice(at, local, local + 1), [x], x.dtype, slots, bare)
        for line in lines(draft.axes(atom)):
            x = draft.add(Multicast((line,), part or None), [x], x.dtype, slots, bare)
        return draft.shaped(x, tuple(a for d, a in enumerate(slots) if d != at))

    def _concat(self, node: Node) -> Value:
        """Side by side along an atom of the parts' number, or along one that every core has whole."""
        op, draft = node.op, self.draft
        assert isinstance(op, Concat)
        operands = self.operands(node)
        atoms = draft.dims.of[node.name][op.dim]
        outer = [a for a in atoms if a not in operands[0].atoms]
        if len(outer) != 1:
            raise Conflict("what is joined is walked by several dimensions")
        inner = [a for a in atoms if a not in outer]
        own = draft.dims.of[node.inputs[0]][op.dim]
        order = operands[0].slots
        if not inner and own:  # uneven parts
            at = order.index(own[0])
            slots = (*order[:at], outer[0], *order[at + 1 :])
            return draft.add(Concat(at), operands, node.type.dtype, slots)
        at = order.index(inner[0]) if inner else len(order)
        gap = (*order[:at], None, *order[at:])
        parts = [draft.aligned(x, gap) for x in operands]
        return draft.add(Concat(at), parts, node.type.dtype, (*order[:at], outer[0], *order[at:]))

    def _gather(self, node: Node) -> Value:
        table, index = self.operands(node)
        return gather(self.draft, table, index)

    def _update(self, node: Node) -> Value:
        op = node.op
        assert isinstance(op, Update)
        state, index, value = self.operands(node)
        if state.buffer.role != "state":
            raise Conflict("only a state is updated in place")
        atoms = self.draft.dims.of[node.name][op.dim]
        if not atoms and not self.draft.dims.of[node.inputs[2]][op.dim]:  # the only place there is
            self.draft.again(Elementwise("copy"), [self.draft.aligned(value, state.slots)], state)
            return state
        dim = state.slots.index(atoms[0]) if len(atoms) == 1 else -1
        if dim < 0:
            raise Conflict("a cache's places are walked by several dimensions")
        own = self.draft.dims.of[node.inputs[2]][op.dim]
        slots = tuple((own[0] if own else None) if a == atoms[0] else a for a in state.slots)
        index = self.draft.shaped(index, (own[0] if own else None,))
        return insert(self.draft, state, dim, index, self.draft.aligned(value, slots))


# What combines parts of each reduction; "any" and "all" are of truth values.
_COMBINED = {"sum": "sum", "mean": "sum", "max": "max", "min": "min", "any": "max", "all": "min"}

_RULES: Sequence[tuple[type[Op] | tuple[type[Op], ...], Callable[[Lowering, Node], Value]]] = (
    ((Reshape, Permute, Expand), Lowering._view),
    (Elementwise, Lowering._elementwise),
    (Cast, Lowering._cast),
    (Contract, Lowering._contract),
    (Attention, Lowering._attention),
    (Norm, Lowering._norm),
    (Softmax, Lowering._softmax),
    (Reduce, Lowering._reduce),
    (Recurrence, Lowering._recurrence),
    (Scan, Lowering._scan),
    (Slice, Lowering._slice),
    (Concat, Lowering._concat),
    (Gather, Lowering._gather),
    (Update, Lowering._update),
)

__all__ = ["Buffer", "Lowering"]
