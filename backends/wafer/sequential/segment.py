"""One kernel of a sequential program: some straight nodes, a range of layers, some more straight nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wsc.backends.wafer.instructions import Keep, Load, Multicast, Recv, Send
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction, Loop, Repeat
from wsc.backends.wafer.sequential.cost import Known
from wsc.backends.wafer.sequential.dims import Dims
from wsc.backends.wafer.sequential.draft import Axes, Conflict, Draft, Value, lines
from wsc.backends.wafer.sequential.lower import Lowering
from wsc.backends.wafer.sequential.roll import Rolled
from wsc.compiler.ir.graph import Graph, Node
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Cut, Layout, Mesh
from wsc.compiler.ops import Constant, Elementwise, Parameter, Reshape
from wsc.compiler.passes.rewrite import weight_key


@dataclass(frozen=True)
class Segment:
    """Nodes of a rolled graph for one kernel: `before`, then layers `first` to `stop`, then `after`.

    `received` are values of other segments, `sent` those that others need; `outputs` are numbers and nodes of the
    graph's outputs that are computed here. With `part`, it has these nodes of a single layer.
    """

    name: str
    before: tuple[str, ...]
    first: int = 0
    stop: int = 0
    after: tuple[str, ...] = ()
    received: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()
    outputs: tuple[tuple[int, str], ...] = ()
    part: tuple[str, ...] = ()

    @property
    def layers(self) -> int:
        """How many layers it has."""
        return self.stop - self.first

    def inside(self, rolled: Rolled) -> tuple[str, ...]:
        """Its nodes of a layer."""
        return self.part or (rolled.body if self.layers else ())


@dataclass(frozen=True)
class Drafted:
    """A segment's buffers and instructions; `inward` and `outward` say what each recv and send is of.

    Keys of `inward` are graph inputs or nodes of other segments; an outward value is "out3" for the host, else a node.
    """

    mesh: Mesh
    buffers: tuple[Buffer, ...]
    body: tuple[Instruction, ...]
    inward: Mapping[str, Value]
    outward: tuple[tuple[str, str, Value], ...]  # stream's label, node, value


@dataclass(frozen=True)
class SourceKey:
    """A weight, or a state, and how it lies; `said` tells it from others."""

    name: str
    layout: Layout
    said: tuple[str, str]

    @staticmethod
    def of(name: str, layout: Layout) -> SourceKey:
        """The key of a source in a layout."""
        return SourceKey(name, layout, (name, str(layout)))


@dataclass
class Builder:
    """Drafts a segment on a mesh; raises Conflict where the cuts do not serve."""

    rolled: Rolled
    dims: Dims
    segment: Segment
    machine: Wafer
    mesh: Mesh
    cuts: Mapping[int, Axes]
    stack_keys: Mapping[str, str]
    fetch: bool = False
    inward: dict[str, Value] = field(default_factory=dict)
    known: dict[tuple[str, str], Value] = field(default_factory=dict)

    def build(self) -> Drafted:
        """The drafted segment."""
        self.draft = Draft(self.machine, self.dims, self.mesh, self.cuts)
        self.lowering = Lowering(self.graph, self.draft, self.source)
        self._arrive()
        self._straight(self.segment.before)
        self._update_states(self.segment.before)
        if self.segment.part:
            self._straight(self.segment.part)
            self._update_states(self.segment.part)
        elif self.segment.layers:
            self._layers()
        self._straight(self.segment.after)
        outward = [*self._sends()]
        (body,) = self.draft.sections
        return Drafted(
            self.mesh, tuple(self.draft.buffers.values()), tuple(body), self.inward, tuple(outward)
        )

    @property
    def graph(self) -> Graph:
        """The graph of one layer."""
        return self.rolled.graph

    # ---- what comes in

    def _arrive(self) -> None:
        """Everything that streams in, first of all."""
        needed = (
            *self.segment.before,
            *self.segment.inside(self.rolled),
            *self.segment.after,
        )
        read = dict.fromkeys(name for n in needed for name in self.graph[n].inputs)
        inputs = [n.name for n in self.graph.inputs if n.name in read and n.name not in self.rolled.states]
        for name in (*inputs, *self.segment.received):
            value = self._received(name, self.dims.atoms(name))
            self.lowering.values[name] = value
            for first, result in self.rolled.carried.items():
                if name == result:  # the layer before was another kernel's
                    self.lowering.values[first] = value

    def _received(self, name: str, atoms: Sequence[int]) -> Value:
        draft = self.draft
        layout = draft.layout(atoms)
        away = [a.name for a in self.mesh.axes if a.parts > 1 and a.name not in layout.axes]
        type = draft.type(self.graph[name].type.dtype, atoms)
        buffer = draft.buffer("recv", type, replace(layout, at=tuple(away)), "stream")
        draft.emit(Instruction(Recv(name), (), buffer.name))
        value = Value(buffer, tuple(atoms))
        self.inward[name] = value
        if not away:
            return draft.add(Elementwise("copy"), [value], type.dtype, atoms)
        return draft.add(Multicast(tuple(lines(away))), [value], type.dtype, atoms, layout)

    def source(self, name: str, other: Mapping[int, Axes]) -> Value:
        """The buffer of a weight, or of state, with some atoms cut otherwise than everywhere."""
        return self.source_at(SourceKey.of(name, self.draft.layout(self.dims.atoms(name), other)))

    def source_at(self, key: SourceKey) -> Value:
        """The buffer of a weight, or of state, that lies in a given way."""
        if key.said not in self.known:
            self.known[key.said] = self._source(self.graph[key.name], key.layout)
        return self.known[key.said]

    def _source(self, node: Node, layout: Layout) -> Value:
        atoms = self.dims.atoms(node.name)
        type = self.draft.type(node.type.dtype, atoms)
        names = self.rolled.stacks.get(node.name, ())[self.segment.first : self.segment.stop]
        if node.name in self.rolled.states:
            return Value(self._state(node, type, layout, names), atoms)
        if not isinstance(node.op, (Parameter, Constant)):
            raise Conflict(f"'{node.name}' is read where it is not known")
        keys = tuple(self.stack_keys[name] for name in names)
        if self.segment.part and keys:
            return Value(self.draft.buffer("weight", type, layout, "weight", keys[0]), atoms)
        buffer = self.draft.buffer("weight", type, layout, "weight", "" if keys else weight_key(node))
        if keys and self.fetch:
            buffer = replace(buffer, role="fetched", keys=keys, copies=2)
        elif keys:
            buffer = replace(buffer, keys=keys, copies=len(keys))
        self.draft.buffers[buffer.name] = buffer
        return Value(buffer, atoms)

    def _state(self, node: Node, type: TensorType, layout: Layout, names: tuple[str, ...]) -> Buffer:
        after = self.rolled.after[node.name]
        after = after[self.segment.first : self.segment.stop] if names else after
        key = "" if names else node.name
        if self.segment.part and names:
            key, names = names[0], ()
        buffer = self.draft.buffer("state", type, layout, "state", key)
        buffer = replace(buffer, keys=names, copies=max(1, len(names)), after=tuple(f"out{n}" for n in after))
        self.draft.buffers[buffer.name] = buffer
        return buffer

    # ---- what is done

    def _straight(self, names: Iterable[str]) -> None:
        for name in names:
            self.lowering.lower(self.graph[name])

    def _update_states(self, names: Iterable[str]) -> None:
        """Put new values of state where the old ones were; an update in place has done so already."""
        inside = set(names)
        for state, value in self.rolled.states.items():
            if value not in inside:
                continue
            found, place = self.lowering.values[value], self.source(state, {})
            if found.buffer.name != place.buffer.name:
                self.draft.again(Elementwise("copy"), [self.draft.aligned(found, place.slots)], place)

    def _layers(self) -> None:
        draft, values = self.draft, self.lowering.values
        carried = {}
        for first, result in self.rolled.carried.items():
            before = self.lowering.value(first)
            shared = any(n.name not in self.rolled.body for n in self.graph.users[first])
            if shared or before.buffer.role in ("weight", "state"):  # the layers write it again
                before = draft.add(Elementwise("copy"), [before], before.dtype, before.slots)
            values[first] = carried[result] = before
        draft.open()
        self._straight(self.rolled.body)
        self._update_states(self.rolled.body)
        for result, before in carried.items():
            draft.again(Elementwise("copy"), [draft.aligned(values[result], before.slots)], before)
            values[result] = before
        if self.fetch:
            self._fetch()
        draft.repeat(self.segment.layers)

    def _fetch(self) -> None:
        """Loads of the first layer's weights before the layers, of the next one's at the start of each."""
        fetched = [b.name for b in self.draft.buffers.values() if b.role == "fetched"]
        self.draft.sections[-1][:0] = [Instruction(Load(1), (), name) for name in fetched]
        self.draft.sections[-2] += [Instruction(Load(0), (), name) for name in fetched]

    def _sends(self) -> Iterable[tuple[str, str, Value]]:
        wanted = [(f"out{n}", name) for n, name in self.segment.outputs]
        wanted += [(name, name) for name in self.segment.sent]
        for label, name in wanted:
            value = self.lowering.value(name)
            if set(value.atoms) != set(self.dims.atoms(name)):
                raise Conflict("an output is broadcast")
            if value.buffer.role in ("weight", "state"):
                value = self.draft.add(Elementwise("copy"), [value], value.dtype, value.slots)
            value = self._spread(value)
            self.draft.emit(Instruction(Send(label), (value.buffer.name,)))
            yield label, name, value

    def _spread(self, value: Value) -> Value:
        """Of a tensor that has copies, each core keeps a part to send: no row or column sends for all."""
        for axis in self.mesh.axes:
            layout, tile = value.buffer.layout, value.buffer.tile_type.shape
            dim = max(range(len(tile)), key=lambda d: tile[d], default=-1)
            if axis.parts == 1 or axis.name in layout.axes or dim < 0 or tile[dim] < 2:
                continue
            cuts = list(layout.cuts)
            cuts[dim] = (*cuts[dim], Cut(axis.name, -(-tile[dim] // axis.parts)))
            kept = replace(layout, cuts=tuple(cuts))
            value = self.draft.add(Keep(axis.name, dim), [value], value.dtype, value.slots, kept)
        return value


def instructions_in(body: Iterable[Instruction]) -> int:
    """Instructions that take code: descriptors of a reshape are those of its reader."""
    count = 0
    waiting = list(body)
    while waiting:
        op = waiting.pop().op
        if isinstance(op, Known):
            count += op.count
            continue
        count += not isinstance(op, Reshape)
        if isinstance(op, (Loop, Repeat)):
            waiting += op.body
    return count
