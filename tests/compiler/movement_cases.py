"""Cases of the ops that move: by index, by sliding windows, by place."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from tests.compiler.cases import Case, Rng, case, extents, f32, i64
from wsc.compiler.ops import Concat, Expand, Gather, Pad, Permute, Pool, Reshape, Slice, Update

# --- by index


@case
def embedding(rng: Rng) -> Case:
    a, b, d = extents(rng, 3)
    return Case(Gather(), (f32(7, d), i64(a, b)), lambda table, index: F.embedding(index, table), high=7)


@case
def gather_inner(rng: Rng) -> Case:
    a, b, n = extents(rng, 3)
    return Case(Gather(1), (f32(a, 5, b), i64(n)), lambda x, i: x.index_select(1, i))


@case
def gather_one(rng: Rng) -> Case:
    return Case(Gather(), (f32(5), i64()), lambda x, i: x[i])


@case
def gather_in_batches(rng: Rng) -> Case:
    a, b, n, d = extents(rng, 4)
    types = (f32(a, b, 5, d), i64(a, b, n))
    return Case(Gather(2, 2), types, lambda x, i: x.gather(2, i[..., None].expand(a, b, n, d)))


@case
def update(rng: Rng) -> Case:
    a, b, n = extents(rng, 3)
    types = (f32(a, 6, b), i64(n), f32(a, n, b))
    return Case(Update(1), types, lambda x, i, v: x.index_copy(1, i, v), high=6, distinct=frozenset({1}))


@case
def update_in_batches(rng: Rng) -> Case:
    a, b, n = extents(rng, 3)
    types = (f32(a, b, 6), i64(a, n), f32(a, b, n))

    def expected(x: torch.Tensor, i: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return x.scatter(2, i[:, None, :].expand(a, b, n), v)

    return Case(Update(2, 1), types, expected, high=6, distinct=frozenset({1}))


# --- sliding windows


@case
def max_pool2d(rng: Rng) -> Case:
    a, b = extents(rng, 2)
    op = Pool("max", ((2, 3, 2, 1, 1, 1), (3, 2, 1, 2, 0, 0)))
    return Case(
        op,
        (f32(a, b, 7, 8),),
        lambda x: F.max_pool2d(x, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
    )


def _mean_pool(count_padding: bool) -> Callable[[Rng], Case]:
    def make_case(rng: Rng) -> Case:
        stride = extents(rng, 1, 1, 3)[0]
        return Case(
            Pool("mean", ((1, 3, stride, 1, 1, 1), (2, 3, stride, 1, 1, 1)), count_padding),
            (f32(*extents(rng, 1), 6, 9),),
            lambda x: F.avg_pool2d(x, 3, stride, padding=1, count_include_pad=count_padding),
        )

    make_case.__name__ = f"mean_pool2d_{'with' if count_padding else 'without'}_padding"
    return make_case


case(_mean_pool(True))
case(_mean_pool(False))


# --- movement


@case
def reshape(rng: Rng) -> Case:
    a, b, c, d = extents(rng, 4)
    return Case(Reshape((a, b * c, d, 1)), (f32(a, b, c, d),), lambda x: x.reshape(a, b * c, d, 1))


@case
def reshape_in_batches(rng: Rng) -> Case:
    a, b, c = extents(rng, 3)
    return Case(Reshape((c, b), 1), (f32(a, b, c),), lambda x: x.reshape(a, c, b))


@case
def update_that_adds(rng: Rng) -> Case:
    a, b, n = extents(rng, 3)
    types = (f32(a, 6, b), i64(n), f32(a, n, b))
    return Case(Update(1, add=True), types, lambda x, i, v: x.index_add(1, i, v), high=6)


@case
def permute(rng: Rng) -> Case:
    return Case(Permute((2, 0, 3, 1)), (f32(*extents(rng, 4)),), lambda x: x.permute(2, 0, 3, 1))


@case
def slice_with_step(rng: Rng) -> Case:
    a, b = extents(rng, 2)
    return Case(Slice(1, 1, 6, 2), (f32(a, 7, b),), lambda x: x[:, 1:6:2])


@case
def expand(rng: Rng) -> Case:
    a, b, c = extents(rng, 3)
    return Case(Expand((a, b, c)), (f32(a, 1, c),), lambda x: x.expand(a, b, c))


@case
def concat(rng: Rng) -> Case:
    a, b, c = extents(rng, 3)
    return Case(Concat(1), (f32(a, b, c), f32(a, 2, c), f32(a, 1, c)), lambda *x: torch.cat(x, 1))


@case
def pad(rng: Rng) -> Case:
    op = Pad((0, 1, 0), (0, 2, 3), -1.5)
    return Case(op, (f32(*extents(rng, 3)),), lambda x: F.pad(x, (0, 3, 1, 2), value=-1.5))
