"""Passes over fully sharded weights: gathered before use, forward and backward, gradients scattered after.

Two ways: unit by unit (a layer, the embedding, the head), ahead of their use, as FSDP does; or matrix by matrix right
before use, as DeepSpeed did in 2021 (v0.3.14, deepspeed/runtime/zero/partition_parameters.py and stage3.py). There
each collective takes a list with a tensor for every rank: each is a view made by the host and a copy of its own, and a
gather holds up everything until it has ended (torch.cuda.synchronize before and after it), so that its time grows with
the ranks, however little each has. Norms and biases are below `param_persistence_threshold`: they are whole in every
pass, yet their gradients are scattered one by one, and after the step all of them are gathered and copied rank by rank.
"""

from __future__ import annotations

from collections.abc import Iterator

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
from wsc.backends.gpu_cluster.transformer.rank import Rank
from wsc.backends.gpu_cluster.transformer.schedule import Action

PERSISTENT = 100_000  # elements: stage3_param_persistence_threshold, below which a parameter stays whole
_VIEWS = 2  # of a rank's part of a tensor: made flat, then cut out, in Python
AHEAD = 2  # units, or matrices, of weights that are gathered at one time


def gathered_bytes(writer: Rank) -> int:
    """Bytes of gathered weights, and of their gradients before these are scattered."""
    parts = [part for part, _ in parts_of(writer.own(0), "F")]
    if writer.plan.gather == "matrix":
        largest = max(max(matrices(writer, part)) for part in parts)
    else:
        units = [writer.unit(part) for part in parts]
        largest = max(writer.dense_parameters(unit) + writer.expert_parameters(unit) for unit in units)
    return AHEAD * largest * (writer.plan.element + writer.plan.accumulate_bytes)


def sharded_passes(writer: Rank) -> Iterator[Instruction]:
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


def _unit(writer: Rank, number: int, part: str, action: Action) -> Iterator[Instruction]:
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


def matrices(writer: Rank, part: str) -> tuple[int, ...]:
    """Elements of the matrices of a layer, the embedding or the head, in the order of the forward pass."""
    shape, tensor = writer.shape, writer.plan.tensor
    if part in (EMBEDDING, HEAD):
        return (shape.vocab // tensor * shape.hidden,)
    width, ways = shape.heads * shape.head_dim, 2 if shape.gated else 1
    columns = (shape.qkv, width, ways * shape.ffn, shape.ffn)
    return tuple(shape.hidden * count // tensor for count in columns)


def vectors(writer: Rank, part: str) -> tuple[int, ...]:
    """Elements of the norms and biases of a layer or the head that stay whole."""
    shape = writer.shape
    if part == EMBEDDING:
        return ()
    norm = (shape.hidden,) * (2 if shape.bias else 1)
    if part == HEAD:
        return norm
    ways = 2 if shape.gated else 1
    biases = (shape.qkv, shape.hidden, ways * shape.ffn, shape.hidden) if shape.bias else ()
    return tuple(size for size in (*norm, *norm, *biases) if size < PERSISTENT)


def _by_matrix(writer: Rank, part: str, action: Action) -> Iterator[Instruction]:
    """Every matrix is gathered for each pass over it; the last one recomputed is used first, and still there.

    What the host does for the gradients' lists passes while the kernels run that it has launched before.
    """
    sizes = matrices(writer, part)
    again = action.kind == "B" and writer.plan.recompute == "full" and part not in (EMBEDDING, HEAD)
    for size in (*sizes, *(sizes[:-1] if again else ())):
        yield Call(_listed_gather(writer, size))
    gradients = (*sizes, *vectors(writer, part)) if action.kind == "B" else ()
    if gradients:
        ranks = _axes(writer)[1]
        yield Host(_VIEWS * ranks * len(gradients), stream="host", event="listed")
    yield Call(writer.blocks.part(part, action.kind), event="passed")
    for size in gradients:
        yield Call(_listed_scatter(writer, size), after=("listed",))


def gather_persistent(writer: Rank) -> Iterator[Instruction]:
    """After the step: one gather of all norms and biases, then of each, copies from every rank's part of it.

    The host makes three views for each copy, in Python, and is slower than the copies.
    """
    parts = parts_of(writer.own(0), "F")
    sizes = [size for part, times in parts for size in vectors(writer, part) * times]
    if not sizes:
        return
    yield Call(_listed_gather(writer, sum(sizes)))
    ranks = _axes(writer)[1]
    for size in sorted(set(sizes)):
        part = writer.plan.element * -(-size // ranks)
        body = (Repeat(ranks, (Host(3), Launch(Pointwise(part, part), "weights.part"))),)
        yield Call(writer.blocks.keep(f"parts of {size:,}", body), sizes.count(size))


def _axes(writer: Rank) -> tuple[tuple[str, ...], int]:
    """The axes over which weights are shared out, and how many ranks they join."""
    mesh = writer.plan.mesh()
    return tuple(a for a in writer.plan.data_axes if mesh[a] > 1), writer.plan.data * writer.plan.context


def _copies(bytes: int, ranks: int, label: str) -> Repeat:
    """A copy for each rank, launched from C++ one after another."""
    part = -(-bytes // ranks)
    return Repeat(ranks, (Launch(Pointwise(part, part), label),))


def _listed_gather(writer: Rank, elements: int) -> str:
    """The block of a gather: cleared memory, a view a rank and its place in the list, the gather, copies from it."""
    axes, ranks = _axes(writer)
    bytes = writer.plan.element * elements
    body = (
        Launch(Pointwise(0, bytes), "weights.clear"),
        Host(_VIEWS * ranks),
        Communicate("all_gather", bytes, axes, "weights"),
        _copies(bytes, ranks, "weights.copy"),
    )
    return writer.blocks.keep(f"gather of {elements:,}", body)


def _listed_scatter(writer: Rank, elements: int) -> str:
    """The block of a scattered sum of gradients: divided by the ranks, copied into one tensor, summed."""
    axes, ranks = _axes(writer)
    bytes = writer.plan.gradient_bytes * elements
    body = (
        Launch(Pointwise(bytes, bytes), "gradients.average"),
        _copies(bytes, ranks, "gradients.copy"),
        Communicate("reduce_scatter", bytes, axes, "gradients"),
    )
    return writer.blocks.keep(f"scattered sum of {elements:,}", body)
