"""Passes over fully sharded weights: gathered before use, forward and backward, gradients scattered after.

Two ways: unit by unit (a layer, the embedding, the head), ahead of their use, as FSDP does; or matrix by matrix right
before use, as DeepSpeed did in 2021 (v0.3.14, deepspeed/runtime/zero/partition_parameters.py and stage3.py). There
each collective takes a list with a tensor for every rank: each is a view made by the host and a copy of its own, and a
gather holds up everything until it has ended, so that its time grows with the ranks, however little each has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wsc.backends.gpu_cluster.instructions import (
    COMPUTE,
    Alloc,
    Call,
    Communicate,
    Free,
    Host,
    Instruction,
    Launch,
    Repeat,
)
from wsc.backends.gpu_cluster.kernels import Pointwise
from wsc.backends.gpu_cluster.transformer.blocks import EMBEDDING, HEAD, parts_of
from wsc.backends.gpu_cluster.transformer.schedule import Action

if TYPE_CHECKING:
    from wsc.backends.gpu_cluster.transformer.training import RankWriter

AHEAD = 2  # units, or matrices, of weights that are gathered at one time


def gathered_bytes(writer: RankWriter) -> int:
    """Bytes of gathered weights, and of their gradients before these are scattered."""
    parts = [part for part, _ in parts_of(writer.own(0), "F")]
    if writer.plan.gather == "matrix":
        largest = max(max(matrices(writer, part)) for part in parts)
    else:
        units = [writer.unit(part) for part in parts]
        largest = max(writer.dense_parameters(unit) + writer.expert_parameters(unit) for unit in units)
    return AHEAD * largest * (writer.plan.element + writer.plan.accumulate_bytes)


def sharded_passes(writer: RankWriter) -> Iterator[Instruction]:
    """All passes of a step."""
    stage, by_matrix = writer.own(0), writer.plan.gather == "matrix"
    yield Alloc("gathered", gathered_bytes(writer))
    for action in writer.order:
        if action.kind == "F":
            yield Alloc("activations 0", writer.kept_bytes(0))
        units = [part for part, times in parts_of(stage, action.kind) for _ in range(times)]
        for number, part in enumerate(units):
            yield from _by_matrix(writer, part, action) if by_matrix else _unit(writer, number, part, action)
        if action.kind == "B":
            yield Free("activations 0")


def _unit(writer: RankWriter, number: int, part: str, action: Action) -> Iterator[Instruction]:
    """Gather, compute, scatter; gathers run ahead by no more than AHEAD units, which is what is held of them."""
    plan = writer.plan
    hidden, place, stage = plan.overlap_data, number % (AHEAD + 1), writer.unit(part)
    slot = (f"used {place}",) if hidden else ("passed",)  # the gathered weights that make room
    stream, gathered = ("gather", f"gathered {place}") if hidden else (COMPUTE, "")
    yield from writer.over_data(
        "all_gather", "weights", stage, plan.element, stream=stream, event=gathered, after=slot
    )
    yield Call(
        writer.blocks.part(part, action.kind),
        event=f"used {place}" if hidden else "passed",
        after=(gathered,) if hidden else (),
    )
    if action.kind == "B":
        out = "scatter" if hidden else COMPUTE
        done = (f"used {place}",) if hidden else ()
        size = plan.gradient_bytes
        yield from writer.over_data(
            "reduce_scatter", "gradients", stage, size, stream=out, event="summed", after=done
        )


def matrices(writer: RankWriter, part: str) -> tuple[int, ...]:
    """Elements of the matrices of a layer, the embedding or the head, in the order of the forward pass.

    Norms and biases are not among them: what is smaller than `param_persistence_threshold` is never shared out.
    """
    shape, tensor = writer.shape, writer.plan.tensor
    if part in (EMBEDDING, HEAD):
        return (shape.vocab // tensor * shape.hidden,)
    width, ways = shape.heads * shape.head_dim, 2 if shape.gated else 1
    columns = (shape.qkv, width, ways * shape.ffn, shape.ffn)
    return tuple(shape.hidden * count // tensor for count in columns)


def _by_matrix(writer: RankWriter, part: str, action: Action) -> Iterator[Instruction]:
    """Every matrix is gathered for each pass over it; the last one recomputed is used first, and still there."""
    sizes = matrices(writer, part)
    again = action.kind == "B" and writer.plan.recompute == "full" and part not in (EMBEDDING, HEAD)
    for size in (*sizes, *(sizes[:-1] if again else ())):
        yield Call(_listed_gather(writer, size))
    yield Call(writer.blocks.part(part, action.kind), event="passed")
    if action.kind == "B":
        for size in sizes:
            yield Call(_listed_scatter(writer, size))


def _axes(writer: RankWriter) -> tuple[tuple[str, ...], int]:
    """The axes over which weights are shared out, and how many ranks they join."""
    mesh = writer.plan.mesh()
    return tuple(a for a in writer.plan.data_axes if mesh[a] > 1), writer.plan.data * writer.plan.context


def _copies(bytes: int, ranks: int, label: str) -> Repeat:
    """A view and a copy for each rank."""
    part = -(-bytes // ranks)
    return Repeat(ranks, (Host(1), Launch(Pointwise(part, part), label)))


def _listed_gather(writer: RankWriter, elements: int) -> str:
    """The block of a gather: cleared memory, a view a rank and its place in the list, the gather, copies from it."""
    axes, ranks = _axes(writer)
    bytes = writer.plan.element * elements
    body = (
        Launch(Pointwise(0, bytes), "weights.clear"),
        Host(2 * ranks),
        Communicate("all_gather", bytes, axes, "weights"),
        _copies(bytes, ranks, "weights.copy"),
    )
    return writer.blocks.keep(f"gather of {elements:,}", body)


def _listed_scatter(writer: RankWriter, elements: int) -> str:
    """The block of a scattered sum of gradients: a view a rank, copies into one tensor, the sum."""
    axes, ranks = _axes(writer)
    bytes = writer.plan.gradient_bytes * elements
    body = (
        Host(ranks),
        _copies(bytes, ranks, "gradients.copy"),
        Communicate("reduce_scatter", bytes, axes, "gradients"),
    )
    return writer.blocks.keep(f"scattered sum of {elements:,}", body)
