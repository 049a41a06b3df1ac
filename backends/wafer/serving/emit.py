"""The program that lays memory anew: what the prompt's program holds goes where the token's program looks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from wsc.backends.wafer.estimate import code_bytes
from wsc.backends.wafer.instructions import Load, Multicast
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction, Kernel, Program, Repeat
from wsc.backends.wafer.sequential.memory import placed
from wsc.backends.wafer.serving.pairs import Pair
from wsc.backends.wafer.serving.plan import Relaid, ServingPlan
from wsc.compiler.errors import DoesNotFit
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ops import Input
from wsc.compiler.passes.rewrite import weight_key


def emit_relayout(plan: ServingPlan) -> tuple[Graph, Program] | None:
    """The graph, whose outputs are what goes in, and the program; None where everything stays where it is."""
    machine = plan.decode.machine
    kernels = [k for relaid in plan.relaid if (k := _kernel(relaid, machine)) is not None]
    if not kernels:
        return None
    graph = _graph(plan, kernels)
    names = {n.name if isinstance(n.op, Input) else weight_key(n): n.type for n in graph.nodes}
    inputs = tuple((n.name, n.type) for n in graph.inputs)
    grid = machine.grid
    program = Program(
        graph.name,
        machine.name,
        grid.width_cores,
        grid.height_cores,
        inputs,
        tuple(names.items()),
        tuple(kernels),
        (),
    )
    return graph, program


def _graph(plan: ServingPlan, kernels: Sequence[Kernel]) -> Graph:
    """Every tensor that moves, once, as input or weight and as output."""
    moved = {name for k in kernels for b in k.buffers if b.role == "output" for name in b.names}
    graph = plan.decode.graph
    caches = [n for n in graph.inputs if n.name in moved]
    weights = {weight_key(n): n for n in graph.weights}
    nodes = [replace(n, op=Input(number)) for number, n in enumerate(caches)]
    nodes += [weights[name] for name in sorted(moved & weights.keys())]
    return Graph(f"{graph.name}.relayout", tuple(nodes), tuple(n.name for n in nodes))


def _kernel(relaid: Relaid, machine: Wafer) -> Kernel | None:
    """What moves in one region: single tensors, then those of every layer, layer by layer."""
    made = _Made(relaid)
    movements = [p for p in relaid.pairs if p.steps]
    single = [i for p in _in_order(movements) if not p.after.keys for i in made.moved(p)]
    single += [made.loaded(buffer) for buffer in relaid.addresses.loaded]
    layers = [i for p in _in_order(movements) if p.after.keys for i in made.moved(p)]
    count = max((len(p.after.keys) for p in movements), default=0)
    body = (*single, *([Instruction(Repeat(count, tuple(layers)))] if layers else []))
    if not body:
        return None
    held = {b.name: b.address for b in made.buffers if b.role != "local" or b.name in made.within}
    buffers = placed(made.buffers, body, held, relaid.addresses.after_end)
    at, code = relaid.placed, code_bytes(len(single) + len(layers) + 1, machine)
    name = at.laid.segment.name
    kernel = Kernel(
        name, "relayout", at.x, at.y, relaid.axes.mesh, buffers, (), 1, body, code, "", True, at.wafer
    )
    held_bytes = kernel.data_bytes + code + machine.core.runtime_code_bytes
    if held_bytes > machine.core.sram_bytes:
        raise DoesNotFit(
            f"--phase serve: laying '{name}' anew takes {held_bytes:,} B of a core of {machine.name}, which has"
            f" {machine.core.sram_bytes:,} B: a larger --grid or a shorter --context would help."
        )
    return kernel


def _in_order(pairs: Sequence[Pair]) -> list[Pair]:
    """Those first that read what another one will slide over."""
    return sorted(pairs, key=lambda pair: not pair.shared)


def _copied_only(pair: Pair, number: int) -> bool:
    """Whether a single tensor is only copied to more cores after a step: each core keeps its tile where it is."""
    rest = pair.steps[number + 1 :]
    tile = rest[-1].layout.tile(pair.type.shape)
    here = pair.steps[number].layout.tile(pair.type.shape)
    return not pair.after.keys and here == tile and all(isinstance(step.op, Multicast) for step in rest)


@dataclass
class _Made:
    """Buffers and instructions of a region's movements."""

    relaid: Relaid
    buffers: list[Buffer] = field(default_factory=list)
    within: set[str] = field(default_factory=set)  # buffers on the way that lie where the result will

    def moved(self, pair: Pair) -> list[Instruction]:
        """A tensor, or one layer's, from its old layout to its new one."""
        role = "input" if pair.before.role == "state" else "weight"
        address = self.relaid.addresses.before[pair.before.name]
        old = replace(pair.before, type=pair.type, layout=pair.source, role=role, after=(), address=address)
        operand = self._buffer("old", old)
        made = []
        for number, step in enumerate(pair.steps[:-1]):
            at = self.relaid.addresses.after[pair.after.name] if _copied_only(pair, number) else None
            way = self._buffer("way", Buffer("", pair.type, step.layout, "local", address=at or 0))
            self.within |= set() if at is None else {way}
            made.append(Instruction(step.op, (operand,), way))
            operand = way
        last = pair.steps[-1]
        address = self.relaid.addresses.after[pair.after.name]
        new = replace(
            pair.after, type=pair.type, layout=last.layout, role="output", after=(), address=address
        )
        return [*made, Instruction(last.op, (operand,), self._buffer("new", new))]

    def loaded(self, buffer: Buffer) -> Instruction:
        """A weight that the first program does not hold, over the wafer's edge."""
        address = self.relaid.addresses.after[buffer.name]
        layout = self.relaid.axes.translate(buffer.layout, second=True)
        made = self._buffer("loaded", replace(buffer, layout=layout, role="fetched", address=address))
        return Instruction(Load(0), (), made)

    def _buffer(self, does: str, buffer: Buffer) -> str:
        made = replace(buffer, name=f"{does}{len(self.buffers)}")
        self.buffers.append(made)
        return made.name
