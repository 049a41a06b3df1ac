"""Two programs on the same regions, one for a prompt and one for a token, with every movement between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from wsc.backends.wafer.algorithms.refine import refine
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.sequential.assign import outer_parts
from wsc.backends.wafer.sequential.causal import with_causal
from wsc.backends.wafer.sequential.division import cut_layers, cut_segments
from wsc.backends.wafer.sequential.placed import PlacedSegment
from wsc.backends.wafer.sequential.plan import SequentialPlan, Wanted, plan_sequential, task_of
from wsc.backends.wafer.sequential.region import Laid, Task, addressed, lay, lay_out_on, mesh_of, nodes_of
from wsc.backends.wafer.sequential.roll import Rolled, roll, unrolled
from wsc.backends.wafer.sequential.segment import Segment
from wsc.backends.wafer.serving.pairs import Addresses, Pair, addresses, pairs_of
from wsc.compiler.errors import AlgorithmError, DoesNotFit, UnsupportedModel
from wsc.compiler.ir.model import Model
from wsc.compiler.layout import Mesh

_RESERVES = (0, 1024, 2048, 4096, 8192)  # bytes of a core that are kept free for tensors to slide


@dataclass(frozen=True)
class Relaid:
    """What moves in one region between two programs."""

    placed: PlacedSegment  # of the second program
    mesh: Mesh  # in whose axes the pairs lie
    pairs: tuple[Pair, ...]
    addresses: Addresses


@dataclass(frozen=True)
class ServingPlan:
    """A prompt's plan, a token's plan on the same regions, and what moves between them."""

    prefill: SequentialPlan
    decode: SequentialPlan
    relaid: tuple[Relaid, ...]

    @property
    def relayout_cycles(self) -> int:
        """Expected cycles of all movements between the two."""
        return sum(pair.cycles for relaid in self.relaid for pair in relaid.pairs)


def plan_serving(prefill: Model, decode: Model, machine: Wafer, wanted: Wanted) -> ServingPlan:
    """Both phases on regions that suit one of them, whichever is expected to serve a whole context sooner.

    Raises DoesNotFit, or UnsupportedModel.
    """
    tokens = max(1, _context(decode) - _tokens(prefill))
    found: list[ServingPlan] = []
    refused: list[DoesNotFit | UnsupportedModel] = []
    for first, second in ((prefill, decode), (decode, prefill)):
        try:
            found.append(_planned(first, second, machine, wanted, swapped=first is decode))
        except (DoesNotFit, UnsupportedModel) as error:
            refused.append(error)
    if not found:
        raise refused[0]
    return min(found, key=lambda p: p.prefill.cycles + p.relayout_cycles + tokens * p.decode.cycles)


def _context(decode: Model) -> int:
    graph = decode.graph
    return max((max(graph.inputs[s.input].type.shape) for s in graph.state), default=1)


def _tokens(prefill: Model) -> int:
    given = [n.type for n in prefill.graph.inputs if n.type.dtype.is_integer and n.type.rank == 2]
    return given[0].shape[1] if given else 1


def _planned(first: Model, second: Model, machine: Wafer, wanted: Wanted, swapped: bool) -> ServingPlan:
    """The first model as it likes best, with more and more memory kept free until the second one fits its regions."""
    refused: DoesNotFit | None = None
    for reserve in _RESERVES:
        core = machine.core.model_copy(update={"sram_bytes": max(1, machine.core.sram_bytes - reserve)})
        try:
            plan = plan_sequential(first, machine.model_copy(update={"core": core}), wanted)
            plan = replace(plan, machine=machine)
            plans = (plan, _onto(second, plan))
            return _joined(*(reversed(plans) if swapped else plans))
        except DoesNotFit as error:
            refused = refused or error
    assert refused is not None
    raise refused


# ---- the second program on the regions of the first


def _onto(model: Model, like: SequentialPlan) -> SequentialPlan:
    """A model on the regions of another phase's plan."""
    graph = with_causal(model.graph, model.weights)
    rolled = roll(graph) if like.rolled.body else unrolled(graph)
    if (rolled.count, bool(rolled.body)) != (like.rolled.count, bool(like.rolled.body)):
        raise UnsupportedModel(
            f"--phase serve: the phases of '{graph.name}' do not have the same layers: compile the phases apart."
        )
    task = task_of(model, rolled, like.machine, like.schedule == "streaming")
    known: dict[tuple[tuple[str, ...], Mesh], Laid] = {}
    placed = []
    for segment, place in zip(_divided(rolled, like), like.segments, strict=True):
        key = (segment.part, place.laid.drafted.mesh)
        if segment.part and key in known:
            laid = lay(task, segment, known[key].drafted.mesh, known[key].cuts)
        else:
            laid = lay_out_on(task, segment, list(_meshes(task, segment, place.laid.drafted.mesh)))
            known[key] = laid
        placed.append(replace(place, laid=laid))
    return SequentialPlan(
        model.graph, like.machine, like.schedule, tuple(placed), rolled, task.dims, task.keys
    )


def _divided(rolled: Rolled, like: SequentialPlan) -> list[Segment]:
    """The segments of a rolled graph, as another phase's are."""
    own = [s.laid.segment for s in like.segments]
    if any(segment.part for segment in own):
        segments = cut_layers(rolled)
    else:
        segments = cut_segments(rolled, [segment.layers or rolled.count - 1 for segment in own])
    if not rolled.body:
        segments = cut_segments(rolled, [rolled.count])
    elif len(segments) == 3 and not own[0].layers:
        segments = cut_segments(rolled, [0, rolled.count, 0])
    if [s.name for s in segments] != [s.name for s in own]:
        raise UnsupportedModel(
            f"--phase serve: the layers of '{rolled.graph.name}' have other parts in its other phase: compile the"
            " phases apart."
        )
    return segments


def _meshes(task: Task, segment: Segment, like: Mesh) -> Iterator[Mesh]:
    """Meshes of the same cores in whose axes, made finer, the layouts of the other mesh can be written too."""
    yield like
    for outer in outer_parts(task.dims, nodes_of(task.rolled, segment), like.width):
        mesh = mesh_of(1, like.height, outer, like.width // outer)
        if like.width % outer == 0 and mesh != like and _refinable(mesh, like):
            yield mesh


def _refinable(first: Mesh, second: Mesh) -> bool:
    try:
        refine(first, second)
    except AlgorithmError:
        return False
    return True


# ---- what moves, and addresses that both programs keep to


def _joined(prefill: SequentialPlan, decode: SequentialPlan) -> ServingPlan:
    """Both plans with the addresses of what they hold in common, and the movements; raises DoesNotFit."""
    machine, relaid = prefill.machine, []
    segments: tuple[list[PlacedSegment], list[PlacedSegment]] = ([], [])
    for old, new in zip(prefill.segments, decode.segments, strict=True):
        before, after = (s.laid.drafted for s in (old, new))
        try:
            pairs = tuple(pairs_of((before.mesh, before.buffers), (after.mesh, after.buffers), machine))
        except (AlgorithmError, DoesNotFit) as error:
            raise DoesNotFit(f"--phase serve: {error}: compile the phases apart.") from error
        at = addresses(before.buffers, after.buffers, pairs)
        for into, place, held, plan in zip(
            segments, (old, new), (at.before, at.after), (prefill, decode), strict=True
        ):
            into.append(_addressed(plan, place, held, at.end))
        mesh = refine(before.mesh, after.mesh).mesh
        relaid.append(Relaid(segments[1][-1], mesh, pairs, at))
    plans = [replace(p, segments=tuple(s)) for p, s in zip((prefill, decode), segments, strict=True)]
    return ServingPlan(plans[0], plans[1], tuple(relaid))


def _addressed(plan: SequentialPlan, place: PlacedSegment, held: dict[str, int], end: int) -> PlacedSegment:
    task = Task(plan.rolled, plan.dims, plan.weight_keys, plan.machine, plan.schedule == "streaming")
    laid = addressed(task, place.laid.segment, place.laid.drafted, place.laid.cuts, held, end)
    room = plan.machine.core.sram_bytes
    if laid.bytes > room:
        raise DoesNotFit(
            f"--phase serve: '{plan.graph.name}' does not fit {place.width} x {place.height} cores of"
            f" {plan.machine.name}: with what both phases hold, and the room to lay it anew, a core would hold"
            f" {laid.bytes:,} B, {laid.bytes - room:,} B more than its {room:,} B. A larger --grid, more --wafers or"
            " a shorter --context would help."
        )
    return replace(place, laid=laid)

