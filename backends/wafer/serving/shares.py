"""Layers moved from wafers that hold too much to those with room left: cuts stay, so that nothing is searched anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wsc.backends.wafer.sequential.division import cut_segments
from wsc.backends.wafer.sequential.placed import PlacedSegment
from wsc.backends.wafer.sequential.plan import SequentialPlan, shared_out
from wsc.backends.wafer.sequential.region import Task, lay


def moved_layers(
    prefill: SequentialPlan, decode: SequentialPlan
) -> tuple[SequentialPlan, SequentialPlan] | None:
    """Both plans, of the same layers on the same regions, each region with as many as fit it in both.

    None where all regions together have no room for them, or where layers are not shared out over regions.
    """
    rolled = prefill.rolled
    regions = list(zip(prefill.segments, decode.segments, strict=True))
    if len(regions) < 2 or not all(place.laid.segment.layers for place, _ in regions):
        return None
    if any(place.laid.segment.part for place, _ in regions):
        return None
    room = prefill.machine.core.sram_bytes
    most = [min(_most(place, room) for place in places) for places in regions]
    if min(most) < 1 or sum(most) < rolled.count:
        return None
    layers = shared_out(rolled.count, most)
    return _with(prefill, layers), _with(decode, layers)


def task_again(plan: SequentialPlan) -> Task:
    """What a plan lays out."""
    return Task(plan.rolled, plan.dims, plan.weight_keys, plan.machine, plan.schedule == "streaming")


def _most(place: PlacedSegment, room: int) -> int:
    """Layers that a region holds beside what else it has."""
    held = [b for b in place.laid.drafted.buffers if b.keys]
    each = sum(b.bytes // len(b.keys) for b in held)
    return place.laid.segment.layers + (room - place.laid.bytes) // max(1, each)


def _with(plan: SequentialPlan, layers: Sequence[int]) -> SequentialPlan:
    task, placed = task_again(plan), []
    for place, segment in zip(plan.segments, cut_segments(plan.rolled, list(layers)), strict=True):
        laid = lay(task, segment, place.laid.drafted.mesh, place.laid.cuts)
        placed.append(replace(place, laid=laid))
    return replace(plan, segments=tuple(placed))
