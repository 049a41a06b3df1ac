"""Which dimension passes chunk by chunk, and how it is followed through views."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.graphs import model
from tests.wafer.compiling import machine
from tests.wafer.models import attention_block, convolutions, layers, mlp
from tests.wafer.random_models import random_models
from wsc.backends.wafer.chunks import ChunkParams, chunk_views, feed_chunks, plan_chunks, result_chunks
from wsc.backends.wafer.cutting import Chunking
from wsc.backends.wafer.kernels import FusedKernel, cut_kernels
from wsc.backends.wafer.legalize import legalize
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import Expand, Op, Permute, Reshape, Slice
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.pipeline import run_pipeline

WHOLE = Chunking()


def chunked(made: Model, params: ChunkParams | None = None) -> dict[str, tuple[FusedKernel, Chunking]]:
    """Kernels with their chunking, by anchor."""
    kernels = cut_kernels(legalize(run_pipeline(made), machine("wafer-8x8")).graph)
    found = plan_chunks(kernels, params or ChunkParams())
    return {k.anchor.name: (k, found[k.name]) for k in kernels}


def passing(made: Model) -> dict[str, tuple[int, int]]:
    """(dimension, number) of the chunks of each kernel's result, by anchor."""
    return {name: result_chunks(kernel, chunking) for name, (kernel, chunking) in chunked(made).items()}


# --- from kernel to kernel


def test_rows_pass_through_layers() -> None:
    assert set(passing(mlp(rows=64)).values()) == {(0, 4)}
    assert set(passing(layers(2, rows=128)).values()) == {(0, 8)}


@pytest.mark.parametrize(
    ("rows", "chunks"), [(16, 1), (31, 1), (32, 2), (33, 1), (48, 3), (64, 4), (34, 2), (127, 1), (1024, 8)]
)
def test_chunks_are_equal_and_not_too_short(rows: int, chunks: int) -> None:
    assert set(passing(mlp(rows)).values()) == {(0, chunks)}


def test_shorter_chunks_where_they_are_asked_for() -> None:
    found = chunked(mlp(rows=64), ChunkParams(most_chunks=32, least_rows=4))
    assert {c.chunks for _, c in found.values()} == {16}


def test_attention_takes_queries_in_chunks_and_keys_whole() -> None:
    found = chunked(attention_block(rows=48))
    assert {result_chunks(*pair) for name, pair in found.items() if name != "a"} == {(1, 3)}
    kernel, chunking = found["a"]
    assert result_chunks(kernel, chunking) == (2, 3)
    by_source = {f.source: feed_chunks(f, chunking) for f in kernel.feeds}
    assert by_source["q"] == (2, 3)
    assert by_source["k"] == by_source["v"] == (0, 1)
    (mask,) = (f for f in kernel.feeds if f.is_weight)
    assert feed_chunks(mask, chunking) == (2, 3)


def test_images_pass_whole() -> None:
    assert set(passing(convolutions()).values()) == {(0, 1)}


def test_features_are_no_chunks() -> None:
    """The next layer needs all of them; of a table's rows they are what a lookup gives."""
    wide = model("%x = input(index=0) : f32[4,64]", "%y = elementwise(fn='relu') %x : f32[4,64]", "return %y")
    assert passing(wide) == {"y": (0, 1)}
    tall = model("%x = input(index=0) : f32[64,4]", "%y = elementwise(fn='relu') %x : f32[64,4]", "return %y")
    assert passing(tall) == {"y": (0, 4)}


X = "%x = input(index=0) : f32[64,8]"
A = "%a = elementwise(fn='relu') %x : f32[64,8]"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("%y = norm(form='rms', dims=(1,), eps=0.1) %a : f32[64,8]",), (0, 4)),
        (("%y = norm(form='rms', dims=(0,), eps=0.1) %a : f32[64,8]",), (0, 1)),
        (("%y = softmax(dim=1) %a : f32[64,8]",), (0, 4)),
        (("%y = softmax(dim=0) %a : f32[64,8]",), (0, 1)),
        (("%y = reduce(fn='sum', dims=(1,)) %a : f32[64]",), (0, 4)),
        (("%y = reduce(fn='sum', dims=(0,)) %a : f32[8]",), (0, 1)),
        (("%y = scan(fn='sum', dim=1) %a : f32[64,8]",), (0, 4)),
        (("%y = scan(fn='sum', dim=0) %a : f32[64,8]",), (0, 1)),
        (("%y = concat(dim=1) %a %a : f32[64,16]",), (0, 4)),
        (("%y = concat(dim=0) %a %a : f32[128,8]",), (0, 1)),
        (("%y = pool(fn='max', windows=((1,2,2,1,0,0),)) %a : f32[64,4]",), (0, 4)),
        (("%y = pool(fn='max', windows=((0,2,2,1,0,0),)) %a : f32[32,8]",), (0, 1)),
        (("%t = permute(order=(1,0)) %a : f32[8,64]", "%y = softmax(dim=0) %t : f32[8,64]"), (1, 4)),
        (("%t = reshape(shape=(64,2,4)) %a : f32[64,2,4]", "%y = softmax(dim=2) %t : f32[64,2,4]"), (0, 4)),
        (("%t = reshape(shape=(32,16)) %a : f32[32,16]", "%y = softmax(dim=1) %t : f32[32,16]"), (0, 1)),
        (("%t = slice(dim=1, start=0, stop=3) %a : f32[64,3]", "%y = softmax(dim=1) %t : f32[64,3]"), (0, 4)),
        (
            ("%t = slice(dim=0, start=0, stop=32) %a : f32[32,8]", "%y = softmax(dim=1) %t : f32[32,8]"),
            (0, 1),
        ),
        (
            ("%w = parameter(key='w') : f32[9,64]", "%y = contract(equation='ab,ca->cb') %a %w : f32[9,8]"),
            (0, 1),
        ),
    ],
)
def test_chunks_go_on_where_every_part_of_the_result_comes_from_one(
    lines: tuple[str, ...], expected: tuple[int, int]
) -> None:
    found = passing(model(X, A, *lines, "return %y"))
    assert found == {"a": (0, 4), "y": expected}


def test_streams_with_other_chunks_are_not_mixed() -> None:
    """Rows of one arrive and columns of the other, of which no chunk can be taken by itself: both are taken whole."""
    found = chunked(
        model(
            X,
            A,
            "%z = input(index=1) : f32[32,64]",
            "%b = elementwise(fn='tanh') %z : f32[32,64]",
            "%t = permute(order=(1,0)) %b : f32[64,32]",
            "%y = concat(dim=1) %a %t : f32[64,40]",
            "return %y %a %b",
        )
    )
    assert result_chunks(*found["b"]) == (0, 2)
    assert found["y"][1] == WHOLE


def test_a_kernel_whose_chunks_contradict_takes_all_whole() -> None:
    found = chunked(
        model(
            "%x = input(index=0) : f32[64,4]",
            "%z = input(index=1) : f32[96,4]",
            "%a = elementwise(fn='relu') %x : f32[64,4]",
            "%b = elementwise(fn='relu') %z : f32[96,4]",
            "%s = slice(dim=0, start=0, stop=64) %b : f32[64,4]",
            "%p = pool(fn='max', windows=((0,33,1,1,0,0),)) %b : f32[64,4]",
            "%y = concat(dim=1) %p %a : f32[64,8]",
            "%w = contract(equation='ak,bk->ab') %a %b : f32[64,96]",
            "return %y %w %s",
        )
    )
    assert result_chunks(*found["a"]) == (0, 4)
    assert result_chunks(*found["b"]) == (0, 6)
    assert found["p"][1] == WHOLE
    assert found["y"][1] == Chunking(0, 4)  # what comes whole may be taken in chunks
    kernel, chunking = found["w"]
    assert (result_chunks(kernel, chunking), [feed_chunks(f, chunking)[1] for f in kernel.feeds]) == (
        (0, 4),
        [4, 1],
    )


# --- through views


def views_of(shape: tuple[int, ...]) -> st.SearchStrategy[Op]:
    """A view that a tensor of this shape has."""
    rank = len(shape)
    turned = st.permutations(range(rank)).map(lambda order: Permute(tuple(order)))
    cut = st.integers(0, rank - 1).flatmap(
        lambda d: st.integers(1, shape[d]).map(lambda stop: Slice(d, 0, stop, 1))
    )
    flat = st.integers(0, rank - 2).map(
        lambda d: Reshape((*shape[:d], shape[d] * shape[d + 1], *shape[d + 2 :]))
    )
    split = st.integers(0, rank - 1).map(
        lambda d: Reshape(
            (*shape[:d], *((2, shape[d] // 2) if shape[d] % 2 == 0 else (1, shape[d])), *shape[d + 1 :])
        )
    )
    wide = st.just(Expand(tuple(3 if n == 1 else n for n in shape)))
    return st.one_of(turned, cut, split, wide, *([flat] if rank > 1 else []))


@settings(max_examples=150)
@given(st.data())
def test_views_of_chunks_are_chunks_of_views(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.sampled_from([1, 2, 4, 6, 8]), min_size=1, max_size=4)))
    dim = data.draw(st.integers(0, len(shape) - 1))
    chunks = data.draw(st.sampled_from([n for n in (1, 2, 3, 4) if shape[dim] % n == 0]))
    type = TensorType(DType.I64, shape)
    views: list[Op] = []
    whole = array = np.arange(type.elements).reshape(shape)
    for _ in range(data.draw(st.integers(0, 3))):
        views.append(data.draw(views_of(array.shape)))
        array = views[-1].reference([array])
    found = chunk_views(views, type, dim, chunks)
    if found is None:
        return
    passed, after = found
    parts = []
    for part in np.split(whole, chunks, axis=dim):
        for op in passed:
            part = op.reference([part])
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts, axis=after), array)


@pytest.mark.parametrize(
    ("view", "dim", "after"),
    [
        (Permute((2, 0, 1)), 0, 1),
        (Permute((2, 0, 1)), 2, 0),
        (Slice(1, 2, 5), 0, 0),
        (Slice(1, 2, 5), 1, None),
        (Expand((8, 6, 4)), 1, 1),
        (Reshape((8, 24)), 0, 0),
        (Reshape((8, 24)), 1, None),
        (Reshape((48, 4)), 2, 1),
        (Reshape((8, 3, 2, 4)), 2, 3),
        (Reshape((1, 8, 6, 4)), 1, 2),
    ],
)
def test_the_dimension_of_chunks_after_a_view(view: Op, dim: int, after: int | None) -> None:
    found = chunk_views([view], TensorType(DType.F32, (8, 6, 4)), dim, 2)
    assert (found[1] if found else None) == after


def test_a_reshape_of_a_chunk_has_the_chunks_extent() -> None:
    views = [Reshape((8, 2, 3, 4)), Permute((0, 2, 1, 3)), Reshape((8, 24))]
    found = chunk_views(views, TensorType(DType.F32, (8, 6, 4)), 0, 4)
    assert found == ((Reshape((2, 2, 3, 4)), Permute((0, 2, 1, 3)), Reshape((2, 24))), 0)


# --- everywhere


@settings(max_examples=30)
@given(random_models())
def test_what_arrives_in_chunks_fits_how_it_is_taken(made: tuple[Model, list[Array]]) -> None:
    found = chunked(made[0])
    by_result = {kernel.result.name: (kernel, chunking) for kernel, chunking in found.values()}
    for kernel, chunking in found.values():
        if chunking != WHOLE:
            assert kernel.axes[chunking.axis].extent % chunking.chunks == 0
            assert all(chunking.axis in row for row in kernel.result_axes)
        for feed in kernel.streams:
            if feed.source not in by_result:
                continue
            producer, theirs = by_result[feed.source]
            sent, taken = result_chunks(producer, theirs), feed_chunks(feed, chunking)
            assert 1 in (sent[1], taken[1]) or sent[1] == taken[1]
            if sent[1] == taken[1] > 1:
                passed = chunk_views(feed.views, producer.result.type, *sent)
                assert passed is not None
                assert passed[1] == taken[0]
