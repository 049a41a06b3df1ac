"""Which dimensions of a graph's tensors are walked together, so that one decision cuts all of them.

Every dimension is a product of atoms, outermost first: [batch, heads * 128] and [batch, heads, 128] have the same ones.
An op says which dimensions of its operands and its result are the same; where extents differ, the larger one is split.
An atom that some op needs whole (or that a slice cuts unevenly) is marked so. Dimensions of extent 1 have no atoms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, singledispatchmethod
from math import prod
from typing import Any

from wsc.backends.wafer.sequential.roll import Rolled
from wsc.compiler.errors import UnsupportedModel
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

Atoms = tuple[int, ...]


@dataclass(frozen=True)
class Dims:
    """`of[node][d]` are the atoms of dimension d; `extent` of every atom; `whole` are those that must not be cut.

    Where an attention's queries and keys are walked by one atom, `apart[node]` is one of the same extent for its keys
    alone: cores that hold all tokens may share the keys out among them.
    """

    of: Mapping[str, tuple[Atoms, ...]]
    extent: Mapping[int, int]
    whole: frozenset[int]
    apart: Mapping[str, int] = field(default_factory=dict)

    def atoms(self, node: str) -> Atoms:
        """All atoms of a value, in the order of its dimensions."""
        return self._all[node]

    @cached_property
    def _all(self) -> dict[str, Atoms]:
        return {name: tuple(a for atoms in found for a in atoms) for name, found in self.of.items()}

    @cached_property
    def repeating(self) -> frozenset[str]:
        """The values of which some atom walks two dimensions."""
        return frozenset(name for name, atoms in self._all.items() if len(set(atoms)) < len(atoms))


def find_dims(rolled: Rolled) -> Dims:
    """The atoms of every node; raises UnsupportedModel with every op that cannot be laid out on a whole region."""
    dims = _Finder(rolled).found()
    nodes = [node for node in rolled.graph.nodes if not node.is_source and walked_twice(dims, node)]
    first = [node for node in nodes if dims.repeating.isdisjoint(node.inputs)]
    faults = [_fault(node, "two dimensions of a result walked alike,") for node in first or nodes]
    if faults:
        raise _no_layout(rolled.graph, faults)
    return dims


def walked_twice(dims: Dims, node: Node) -> bool:
    """Whether a node has a tensor of which an atom walks two dimensions: but for masks of queries by keys none may."""
    names = node.inputs[:3] if isinstance(node.op, Attention) else node.inputs
    return not dims.repeating.isdisjoint(names if isinstance(node.op, Expand) else (node.name, *names))


class _Finder:
    def __init__(self, rolled: Rolled) -> None:
        self.rolled, self.graph = rolled, rolled.graph
        self.extents: list[int] = []
        self.parent: list[int] = []
        self.halves: dict[int, Atoms] = {}
        self.marked: set[int] = set()
        self.dims: dict[str, list[Atoms]] = {}

    def found(self) -> Dims:
        _refuse(self.graph)
        for node in self.graph.nodes:
            self.dims[node.name] = [self._new(n) for n in node.type.shape]
        for node in self.graph.nodes:
            if not node.is_source:
                self._walk(node.op, node, [self.dims[name] for name in node.inputs], self.dims[node.name])
        pairs = [*self.rolled.carried.items(), *self.rolled.states.items()]
        for before, after in pairs:
            self._same_all(self.dims[before], self.dims[after])
        of = {name: tuple(self._flat(a) for a in dims) for name, dims in self.dims.items()}
        leaves = {a for dims in of.values() for atoms in dims for a in atoms}
        whole = {leaf for atom in self.marked for leaf in self._flat((atom,))}
        apart = dict(self._keys_apart(of))
        extents = {a: self.extents[a] for a in (*leaves, *apart.values())}
        return Dims(of, extents, frozenset(whole), apart)

    def _keys_apart(self, of: Mapping[str, tuple[Atoms, ...]]) -> Iterator[tuple[str, int]]:
        for node in self.graph.nodes:
            if isinstance(node.op, Attention):
                rows, keys = of[node.inputs[0]][-2], of[node.inputs[1]][-2]
                if rows == keys and len(keys) == 1:
                    yield node.name, self._new(self.extents[keys[0]])[0]

    # ---- atoms

    def _new(self, extent: int) -> Atoms:
        if extent == 1:
            return ()
        self.extents.append(extent)
        self.parent.append(len(self.parent))
        return (len(self.parent) - 1,)

    def _root(self, atom: int) -> int:
        while self.parent[atom] != atom:
            self.parent[atom] = self.parent[self.parent[atom]]
            atom = self.parent[atom]
        return atom

    def _flat(self, atoms: Atoms) -> Atoms:
        """Atoms that are not split any more."""
        result: list[int] = []
        for atom in atoms:
            root = self._root(atom)
            result += self._flat(self.halves[root]) if root in self.halves else (root,)
        return tuple(result)

    def _same(self, left: Atoms, right: Atoms) -> None:
        """Unify two products of one extent, splitting the larger of two atoms that meet."""
        a, b = list(self._flat(left)), list(self._flat(right))
        while a and b:
            x, y = self._root(a.pop()), self._root(b.pop())
            if x == y:
                continue
            n, m = self.extents[x], self.extents[y]
            if n == m:
                self.parent[max(x, y)] = min(x, y)
                self.marked |= {min(x, y)} & self.marked or (
                    {min(x, y)} if max(x, y) in self.marked else set()
                )
            elif n % m == 0:
                a += self._split(x, m)
                b.append(y)
            elif m % n == 0:
                b += self._split(y, n)
                a.append(x)
            else:
                self.marked.update((x, y, *a, *b))
                return
            a, b = list(self._flat(tuple(a))), list(self._flat(tuple(b)))

    def _split(self, atom: int, inner: int) -> Atoms:
        halves = (*self._new(self.extents[atom] // inner), *self._new(inner))
        self.halves[atom] = halves
        if atom in self.marked:
            self.marked.update(halves)
        return halves

    def _same_all(self, left: Sequence[Atoms], right: Sequence[Atoms]) -> None:
        for a, b in zip(left, right, strict=True):
            if self._flat(a) and self._flat(b):
                self._same(a, b)

    def _keep(self, atoms: Atoms) -> None:
        self.marked.update(self._flat(atoms))

    # ---- ops

    @singledispatchmethod
    def _walk(self, op: Any, node: Node, operands: list[list[Atoms]], result: list[Atoms]) -> None:
        raise TypeError(f"no rule for {op.kind}")

    @_walk.register(Elementwise)
    @_walk.register(Cast)
    @_walk.register(Softmax)
    @_walk.register(Norm)
    @_walk.register(Recurrence)
    def _pointwise(self, op: Op, node: Node, operands: list[list[Atoms]], result: list[Atoms]) -> None:
        for operand in operands:
            self._same_all(operand, result)

    @_walk.register
    def _reshape(self, op: Reshape, node: Node, operands: list[list[Atoms]], result: list[Atoms]) -> None:
        before, after = list(self.graph.operand_types(node)[0].shape), list(node.type.shape)
        left = right = 0
        while left < len(before) or right < len(after):
            a, b = [left], [right]
            n = before[left] if left < len(before) else 1
            m = after[right] if right < len(after) else 1
            left, right = left + 1, right + 1
            while n != m:
                if n < m:
                    n *= before[left]
                    a.append(left)
                    left += 1
                else:
                    m *= after[right]
                    b.append(right)
                    right += 1
            joined = tuple(x for d in a if d < len(before) for x in operands[0][d])
            self._same(joined, tuple(x for d in b if d < len(after) for x in result[d]))

    @_walk.register
    def _permute(self, op: Permute, node: Node, operands: list[list[Atoms]], result: list[Atoms]) -> None:
        self._same_all([operands[0][d] for d in op.order], result)

    @_walk.register
    def _expand(self, op: Expand, node: Node, operands: list[list[Atoms]], result: list[Atoms]) -> None:
        self._same_all(operands[0], result)

    @_walk.register
    def _slice(self, op: Slice, node: Node, operands: list[list[Atoms]], result: list[Atoms]) -> None:
        extent = self.graph.operand_types(node)[0].shape[op.dim]
        kept = node.type.shape[op.dim]
        for d, (a, b) in enumerate(zip(operands[0], result, strict=True)):
            if d != op.dim or kept == extent:
                self._same_all([a], [b])
        if kept == extent:
            return
        if op.step == 1 and kept > 1 and extent % kept == 0 and op.start % kept == 0:
            outer = self._new(extent // kept)
            self._keep(outer)
            self._same(operands[0][op.dim], (*outer, *result[op.dim]))
        elif kept != 1:
            self._keep(operands[0][op.dim])
            self._keep(result[op.dim])

    @_walk.register
    def _concat(self, op: Concat, node: Node, operands: list[list[Atoms]], result: list[Atoms]) -> None:
        for operand in operands:
            for d, (a, b) in enumerate(zip(operand, result, strict=True)):
                if d != op.dim:
                    self._same_all([a], [b])
        extents = {t.shape[op.dim] for t in self.graph.operand_types(node)}
        if len(extents) == 1 and extents != {1}:
            outer = self._new(len(operands))
            self._keep(outer)
            for operand in operands:
                self._same(result[op.dim], (*outer, *operand[op.dim]))
            return
        for atoms in (result[op.dim], *(operand[op.dim] for operand in operands)):
            self._keep(atoms)

    @_walk.register
    def _contract(self, op: Contract, node: Node, operands: list[list[Atoms]], result: list[Atoms]) -> None:
        known: dict[str, Atoms] = {}
        apart = self._windows(op, operands, result)
        for letters, dims in zip(op.letters, (*operands, result), strict=True):
            for letter, atoms in zip(letters, dims, strict=True):
                if letter not in apart:
                    self._same_all([known.setdefault(letter, atoms)], [atoms])

    def _windows(self, op: Contract, operands: list[list[Atoms]], result: list[Atoms]) -> set[str]:
        """Letters that walk more places before than after: neither may be cut; nor may taps."""
        apart = set()
        for letter, tap, stride, *_ in op.windows:
            before = operands[0][op.letters[0].index(letter)]
            after = result[op.letters[2].index(letter)]
            self._keep(operands[1][op.letters[1].index(tap)])
            extents = [prod(self.extents[a] for a in self._flat(atoms)) for atoms in (before, after)]
            if stride > 1 or extents[0] != extents[1]:
                apart.add(letter)
                self._keep(before)
                self._keep(after)
        return apart

    @_walk.register
    def _scan(self, op: Scan, node: Node, operands: list[list[Atoms]], result: list[Atoms]) -> None:
        self._same_all(operands[0], result)
        self._keep(result[op.dim])

    @_walk.register
    def _attention(self, op: Attention, node: Node, operands: list[list[Atoms]], result: list[Atoms]) -> None:
        q, k, v, *mask = operands
        for other in (k, v, *mask):
            self._same_all(other[:-2], q[:-2])
        self._same_all(q[:-1], result[:-1])
        self._same_all([q[-1], k[-2], v[-1]], [k[-1], v[-2], result[-1]])
        for m in mask:
            self._same_all(m[-2:], [q[-2], k[-2]])

    @_walk.register
    def _reduce(self, op: Reduce, node: Node, operands: list[list[Atoms]], result: list[Atoms]) -> None:
        if op.keep:
            self._same_all(operands[0], result)
        else:
            self._same_all([a for d, a in enumerate(operands[0]) if d not in op.dims], result)

    @_walk.register
    def _gather(self, op: Gather, node: Node, operands: list[list[Atoms]], result: list[Atoms]) -> None:
        table, index = operands
        inner = len(index) - op.batch
        self._same_all(table[: op.dim], result[: op.dim])
        self._same_all(index[op.batch :], result[op.dim : op.dim + inner])
        self._same_all(table[op.dim + 1 :], result[op.dim + inner :])

    @_walk.register
    def _update(self, op: Update, node: Node, operands: list[list[Atoms]], result: list[Atoms]) -> None:
        base, index, value = operands
        self._same_all(base, result)
        self._same_all(index, [value[op.dim]])
        for d, (a, b) in enumerate(zip(value, base, strict=True)):
            if d != op.dim:
                self._same_all([a], [b])


_REFUSED: tuple[tuple[Callable[[Op], bool], str], ...] = (
    (lambda op: isinstance(op, (Gather, Update)) and op.batch > 0, "places of their own for every row"),
    (lambda op: isinstance(op, Gather) and op.dim != 0, "places along another dimension than the first"),
    (lambda op: isinstance(op, Reduce) and op.fn == "prod", "a product of numbers"),
)
_TAKEN = (
    Elementwise,
    Cast,
    Softmax,
    Norm,
    Reshape,
    Permute,
    Expand,
    Slice,
    Concat,
    Contract,
    Attention,
    Reduce,
    Gather,
    Update,
    Recurrence,
    Scan,
)


def _refuse(graph: Graph) -> None:
    faults = []
    for node in graph.nodes:
        if node.is_source:
            continue
        why = next((why for test, why in _REFUSED if test(node.op)), "")
        if why or not isinstance(node.op, _TAKEN):
            faults.append(_fault(node, f"{why}," if why else ""))
    if faults:
        raise _no_layout(graph, faults)


def _fault(node: Node, why: str) -> str:
    return f"  {node.op.kind}{f', {why}' if why else ''} at {node.location}"


def _no_layout(graph: Graph, faults: Sequence[str]) -> UnsupportedModel:
    return UnsupportedModel(
        f"'{graph.name}' cannot run layer after layer on a whole region (--schedule sequential or streaming):"
        f" {len(faults)} nodes have no layout there yet:\n" + "\n".join(faults)
    )
