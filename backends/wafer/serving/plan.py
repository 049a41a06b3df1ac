"""Two programs on the same regions, one for a prompt and one for a token, with every movement between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from wsc.backends.wafer.algorithms.refine import Refinement, refine
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.sequential.causal import with_causal
from wsc.backends.wafer.sequential.division import cut_layers, cut_segments
from wsc.backends.wafer.sequential.placed import PlacedSegment
from wsc.backends.wafer.sequential.plan import SequentialPlan, Wanted, plan_sequential, task_of
from wsc.backends.wafer.sequential.region import Laid, addressed, lay, lay_out_on, mesh_of
from wsc.backends.wafer.sequential.roll import Rolled, roll, unrolled
from wsc.backends.wafer.sequential.segment import Segment
from wsc.backends.wafer.sequential.trimmed import trimmed
from wsc.backends.wafer.serving.pairs import Addresses, Pair, Pairing, addresses
from wsc.backends.wafer.serving.shares import moved_layers, task_again
from wsc.compiler.errors import AlgorithmError, DoesNotFit, UnsupportedModel
from wsc.compiler.ir.model import Model
from wsc.compiler.layout import Mesh

_SPARE = 256  # bytes more than were missing, when a phase is planned anew with room to slide


@dataclass(frozen=True)
class Relaid:
    """What moves in one region between two programs."""

    placed: PlacedSegment  # of the second program
    axes: Refinement  # in which the pairs lie
    pairs: tuple[Pair, ...]
    addresses: Addresses


@dataclass(frozen=True)
class ServingPlan:
    """A prompt's plan, a token's plan on the same regions, and what moves between them."""

    prefill: SequentialPlan
    decode: SequentialPlan
    relaid: tuple[Relaid, ...]

    @property
    def fullest(self) -> PlacedSegment:
        """The region of either program whose cores hold most."""
        return max((*self.prefill.segments, *self.decode.segments), key=lambda s: s.laid.bytes)

    @property
    def over(self) -> int:
        """Bytes that a core would hold more than it has; less than zero is room left."""
        return self.fullest.laid.bytes - self.decode.machine.core.sram_bytes


def plan_serving(prefill: Model, decode: Model, machine: Wafer, wanted: Wanted) -> ServingPlan:
    """Both phases on regions that suit the prompt, or where the token does not fit these, on those that suit it.

    Layers stay in one piece: rectangles for their parts take long to find, and leave no room to slide.
    Raises DoesNotFit, or UnsupportedModel.
    """
    wanted = replace(wanted, parts=False)
    try:
        return _planned(prefill, decode, machine, wanted)
    except DoesNotFit as error:
        try:
            return _planned(prefill, decode, machine, wanted, decode_first=True)
        except (DoesNotFit, UnsupportedModel):
            raise error from None


def _planned(
    prefill: Model, decode: Model, machine: Wafer, wanted: Wanted, decode_first: bool = False
) -> ServingPlan:
    """One phase as it likes best, the other on its regions; once more where that leaves too little memory to slide."""
    first, second = (decode, prefill) if decode_first else (prefill, decode)
    plan, search = plan_sequential(first, machine, wanted), Pairing(machine)
    made = _both(plan, _onto(second, plan), decode_first, search)
    if (over := _over(made.prefill if decode_first else made.decode)) > 0:
        tighter = _onto(second, plan, over + _SPARE)
        made = min(made, _both(plan, tighter, decode_first, search), key=lambda p: p.over)
    reserve = _slack(made.decode if decode_first else made.prefill, plan) + _SPARE
    if made.over > 0 and (moved := moved_layers(made.prefill, made.decode)) is not None:
        made = min(made, _joined(*moved, search), key=lambda p: p.over)
    if made.over > 0:
        plan = replace(plan_sequential(first, _smaller(machine, reserve), wanted), machine=machine)
        again = _both(plan, _onto(second, plan, reserve), decode_first, search)
        made = min(made, again, key=lambda p: p.over)
    _check(made)
    return made


def _both(first: SequentialPlan, second: SequentialPlan, decode_first: bool, search: Pairing) -> ServingPlan:
    return _joined(second, first, search) if decode_first else _joined(first, second, search)


def _over(plan: SequentialPlan) -> int:
    return max(s.laid.bytes for s in plan.segments) - plan.machine.core.sram_bytes


def _slack(with_room: SequentialPlan, plan: SequentialPlan) -> int:
    """Bytes that a core needs beyond those of a phase alone, so that everything can slide."""
    pairs = zip(with_room.segments, plan.segments, strict=True)
    return max(a.laid.bytes - b.laid.bytes for a, b in pairs)


def _smaller(machine: Wafer, reserve: int) -> Wafer:
    """The machine with so many bytes of every core kept free."""
    core = machine.core.model_copy(update={"sram_bytes": max(1, machine.core.sram_bytes - reserve)})
    return machine.model_copy(update={"core": core})


def _check(plan: ServingPlan) -> None:
    """Raise DoesNotFit where what both phases hold, and the room to lay it anew, is more than a core has."""
    place, room = plan.fullest, plan.decode.machine.core.sram_bytes
    if plan.over > 0:
        raise DoesNotFit(
            f"--phase serve: '{plan.decode.graph.name}' does not fit {place.width} x {place.height} cores of"
            f" {plan.decode.machine.name}: with what both phases hold, and the room to lay it anew, a core would hold"
            f" {place.laid.bytes:,} B, {plan.over:,} B more than its {room:,} B. A larger --grid, more --wafers or"
            " a shorter --context would help."
        )


# ---- the second program on the regions of the first


def _onto(model: Model, like: SequentialPlan, reserve: int = 0) -> SequentialPlan:
    """A model on the regions of another phase's plan, with so many bytes of every core kept free if that can be."""
    graph = trimmed(with_causal(model.graph, model.weights))
    rolled = roll(graph) if like.rolled.body else unrolled(graph)
    if (rolled.count, bool(rolled.body)) != (like.rolled.count, bool(like.rolled.body)):
        raise UnsupportedModel(
            f"--phase serve: the phases of '{graph.name}' do not have the same layers: compile the phases apart."
        )
    task = task_of(model, rolled, _smaller(like.machine, reserve), like.schedule == "streaming")
    known: dict[tuple[tuple[str, ...], Mesh], Laid] = {}
    placed = []
    for segment, place in zip(_divided(rolled, like), like.segments, strict=True):
        key = (segment.part, place.laid.drafted.mesh)
        if segment.part and key in known:
            laid = lay(task, segment, known[key].drafted.mesh, known[key].cuts)
        else:
            laid = lay_out_on(task, segment, list(_meshes(place.laid.drafted.mesh)))
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


def _meshes(like: Mesh) -> Iterator[Mesh]:
    """The other phase's mesh, and the one that counts all rows alike: layouts of both can be written in finer axes."""
    yield like
    flat = mesh_of(1, like.height, like["x0"].parts, like["x1"].parts)
    if flat != like and _refinable(flat, like):
        yield flat


def _refinable(first: Mesh, second: Mesh) -> bool:
    try:
        refine(first, second)
    except AlgorithmError:
        return False
    return True


# ---- what moves, and addresses that both programs keep to


def _joined(prefill: SequentialPlan, decode: SequentialPlan, search: Pairing) -> ServingPlan:
    """Both plans with the addresses of what they hold in common, and the movements; raises DoesNotFit."""
    regions = list(zip(prefill.segments, decode.segments, strict=True))
    try:
        pairs = _paired([(old.laid, new.laid) for old, new in regions], search)
    except (AlgorithmError, DoesNotFit) as error:
        raise DoesNotFit(f"--phase serve: {error}: compile the phases apart.") from error
    before, after, relaid = [], [], []
    for (old, new), found in zip(regions, pairs, strict=True):
        first, second = (s.laid.drafted for s in (old, new))
        at = addresses(first.buffers, second.buffers, found, any(pair.steps for pair in found))
        before.append(_addressed(prefill, old, at.before, at.before_end))
        after.append(_addressed(decode, new, at.after, at.after_end))
        relaid.append(Relaid(after[-1], refine(first.mesh, second.mesh), tuple(found), at))
    plans = replace(prefill, segments=tuple(before)), replace(decode, segments=tuple(after))
    return ServingPlan(*plans, tuple(relaid))


def _paired(regions: Sequence[tuple[Laid, Laid]], search: Pairing) -> list[list[Pair]]:
    ends = [[(x.drafted.mesh, x.drafted.buffers) for x in pair] for pair in regions]
    return [search.pairs(old, new) for old, new in ends]


def _addressed(plan: SequentialPlan, place: PlacedSegment, held: dict[str, int], end: int) -> PlacedSegment:
    laid = addressed(task_again(plan), place.laid.segment, place.laid.drafted, place.laid.cuts, held, end)
    return replace(place, laid=laid)
