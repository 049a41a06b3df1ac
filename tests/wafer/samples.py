"""Random samples of every op that computes: attributes and operands' types, with ragged extents."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from tests.compiler.arrays import draw as draw_array
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import (
    Attention,
    Cast,
    Concat,
    Contract,
    Elementwise,
    Expand,
    Gather,
    Grouped,
    IntegerContract,
    Norm,
    Op,
    Pad,
    Permute,
    Pool,
    Quantize,
    Recurrence,
    Reduce,
    Reshape,
    Scan,
    Slice,
    Softmax,
    TopK,
    Update,
)
from wsc.compiler.ops.base import Array
from wsc.compiler.ops.elementwise import FUNCTIONS

Draw = st.DrawFn


@dataclass(frozen=True)
class Sample:
    """An op over operands of these types; `high` bounds integers, `distinct` operands hold none twice in a row."""

    op: Op
    types: tuple[TensorType, ...]
    high: int = 5
    distinct: frozenset[int] = field(default=frozenset())

    def operands(self, seed: int = 0) -> tuple[Array, ...]:
        rng = np.random.default_rng(seed)
        return tuple(
            self._distinct(t, rng) if i in self.distinct else draw_array(t, rng, self.high)
            for i, t in enumerate(self.types)
        )

    def _distinct(self, t: TensorType, rng: np.random.Generator) -> Array:
        rows = np.broadcast_to(np.arange(self.high), (*t.shape[:-1], self.high))
        return np.asarray(rng.permuted(rows, axis=-1)[..., : t.shape[-1]]).astype(t.dtype.numpy)


SAMPLES: dict[str, st.SearchStrategy[Sample]] = {}


def sample(make: Callable[..., Sample]) -> Callable[..., Sample]:
    SAMPLES[make.__name__] = st.composite(make)()
    return make


def typed(dtype: DType, *shape: int) -> TensorType:
    return TensorType(dtype, shape)


def f32(*shape: int) -> TensorType:
    return TensorType(DType.F32, shape)


def i64(*shape: int) -> TensorType:
    return TensorType(DType.I64, shape)


extents = st.integers(1, 11)
some = st.integers(1, 4)  # of what multiplies the work
numbers = st.sampled_from([DType.F32, DType.F32, DType.I64])


def shapes(low: int, high: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(extents, min_size=low, max_size=high).map(tuple)


def chosen(draw: Draw, rank: int, least: int = 1) -> tuple[int, ...]:
    """Some dimensions, in order."""
    found = draw(st.lists(st.integers(0, rank - 1), min_size=least, max_size=rank, unique=True))
    return tuple(sorted(found))


def window(draw: Draw) -> tuple[int, int, int, int, int, int]:
    """(extent, taps, stride, dilation, lo, hi) of a window that fits."""
    taps, stride, dilation = draw(some), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    span = dilation * (taps - 1) + 1
    lo, hi = draw(st.integers(0, span)), draw(st.integers(0, span))
    return draw(st.integers(max(1, span - lo - hi), 14)), taps, stride, dilation, lo, hi


EQUATIONS = (
    "abk,nk->abn",
    "ak,kn->an",
    "bhsd,bhtd->bhst",
    "bsd,bdt->bst",
    "bhsd,bhtd->hbts",
    "bsd,Btd->bst",
    "a,b->ba",
    "abc,bd->a",
    "k,k->",
    "abc,abc->",
    "ij,ij->ij",
    "ikl,jkl->ij",
)


@sample
def contract(draw: Draw) -> Sample:
    equation = draw(st.sampled_from(EQUATIONS))
    extent = {letter: draw(extents) for letter in sorted(set(equation) - set(",->"))}
    operands = equation.split("->")[0].split(",")
    dtype = draw(numbers)
    types = (typed(dtype, *(extent[letter] for letter in letters)) for letters in operands)
    return Sample(Contract(equation), tuple(types))


@sample
def contract_int(draw: Draw) -> Sample:
    a, k, n = (draw(st.integers(1, 9)) for _ in range(3))
    types = (typed(DType.I8, a, k), typed(DType.I8, n, k))
    return Sample(IntegerContract("ak,nk->an"), types, high=127)


@sample
def quantize(draw: Draw) -> Sample:
    shape = draw(shapes(1, 3))
    return Sample(
        Quantize(draw(st.sampled_from([0.01, 0.5])), draw(st.sampled_from([4, 8, 16]))), (f32(*shape),)
    )


@sample
def convolution(draw: Draw) -> Sample:
    """Of one to three dimensions, plain, grouped or depthwise."""
    spatial = draw(st.integers(1, 3).filter(lambda n: n < 3) | st.integers(1, 3))
    places, taps = "hwz"[:spatial], "rsq"[:spatial]
    lead, weight, out = draw(
        st.sampled_from([("nc", "oc", "no"), ("ngc", "goc", "ngo"), ("nc", "c", "nc"), ("c", "oc", "o")])
    )
    extent = {letter: draw(some) for letter in dict.fromkeys(lead + weight)}
    windows = []
    for place, tap in zip(places, taps, strict=True):
        extent[place], extent[tap], *rest = window(draw)
        windows.append((place, tap, *rest))
    op = Contract(f"{lead}{places},{weight}{taps}->{out}{places}", tuple(windows))
    return Sample(op, tuple(f32(*(extent[c] for c in letters)) for letters in op.letters[:2]))


@sample
def elementwise(draw: Draw) -> Sample:
    fn = draw(st.sampled_from(sorted(FUNCTIONS)))
    arity = FUNCTIONS[fn].arity
    shape = draw(shapes(0, 4))
    dtype = DType.BOOL if fn in ("and", "or", "xor", "not") else DType.F32
    if arity == 2 and dtype is DType.F32 and draw(st.booleans()):
        return Sample(Elementwise(fn, (None, 1.5)), (f32(*shape),))
    broadcast = [[draw(st.sampled_from([n, n, 1])) for n in shape] for _ in range(arity)]
    types = [typed(dtype, *s) for s in broadcast]
    if fn == "select":
        types[0] = typed(DType.BOOL, *types[0].shape)
    return Sample(Elementwise(fn, (None,) * arity), tuple(types))


@sample
def cast(draw: Draw) -> Sample:
    before, after = draw(
        st.sampled_from([(DType.I64, "f32"), (DType.BOOL, "f32"), (DType.F32, "bf16"), (DType.F32, "i32")])
    )
    return Sample(Cast(after), (typed(before, *draw(shapes(0, 4))),))


@sample
def reduce(draw: Draw) -> Sample:
    shape = draw(shapes(1, 4))
    fn = draw(st.sampled_from(["sum", "mean", "max", "min", "prod", "any", "all"]))
    dtype = DType.BOOL if fn in ("any", "all") else DType.F32 if fn in ("mean", "prod") else draw(numbers)
    return Sample(Reduce(fn, chosen(draw, len(shape)), draw(st.booleans())), (typed(dtype, *shape),))


@sample
def softmax(draw: Draw) -> Sample:
    shape = draw(shapes(1, 4))
    return Sample(Softmax(draw(st.integers(0, len(shape) - 1)), draw(st.booleans())), (f32(*shape),))


@sample
def norm(draw: Draw) -> Sample:
    shape = draw(shapes(1, 4))
    form = draw(st.sampled_from(["layer", "rms"]))
    return Sample(Norm(form, chosen(draw, len(shape)), 1e-2), (f32(*shape),))


@sample
def attention(draw: Draw) -> Sample:
    """With grouped queries, a mask of either kind, or a causal one."""
    lead = draw(st.lists(some, max_size=3))
    s, t, d, e = draw(extents), draw(extents), draw(some), draw(some)
    shared = [draw(st.sampled_from([n, 1])) for n in lead]
    types = [f32(*lead, s, d), f32(*shared, t, d), f32(*shared, t, e)]
    mask = draw(st.sampled_from([None, DType.F32, DType.BOOL]))
    if mask is not None:
        types.append(typed(mask, *(draw(st.sampled_from([n, 1])) for n in lead), s, t))
    return Sample(Attention(0.7, causal=draw(st.sampled_from([False, False, False, True]))), tuple(types))


@sample
def gather(draw: Draw) -> Sample:
    """Rows of a table, inner dimensions, in batches."""
    table = draw(shapes(1, 3))
    dim = draw(st.integers(0, len(table) - 1))
    batch = draw(st.integers(0, dim))
    index = (*table[:batch], *draw(shapes(0, 2)))
    return Sample(Gather(dim, batch), (f32(*table), i64(*index)), high=table[dim])


@sample
def embedding(draw: Draw) -> Sample:
    rows = draw(st.integers(1, 40))
    return Sample(Gather(), (typed(draw(numbers), rows, draw(extents)), i64(*draw(shapes(0, 2)))), high=rows)


@sample
def pool(draw: Draw) -> Sample:
    """Over one or two dimensions; where padding does not count, each window holds an element at least."""
    fn, count = draw(st.sampled_from([("max", True), ("mean", True), ("mean", False)]))
    shape, windows = [], []
    for dim in range(draw(st.integers(1, 4))):
        if len(windows) == 2 or draw(st.booleans()):
            shape.append(draw(some))
            continue
        extent, taps, stride, dilation, lo, hi = window(draw)
        if not count:
            dilation, lo, hi = 1, min(lo, taps - 1), 0
        windows.append((dim, taps, stride, dilation, lo, hi))
        shape.append(max(extent, dilation * (taps - 1) + 1))
    return Sample(Pool(fn, tuple(windows), count), (f32(*shape),))


@sample
def topk(draw: Draw) -> Sample:
    shape = draw(shapes(1, 3))
    dim = draw(st.integers(0, len(shape) - 1))
    part = draw(st.sampled_from(["values", "indices"]))
    return Sample(TopK(draw(st.integers(1, shape[dim])), dim, draw(st.booleans()), part), (f32(*shape),))


@sample
def scan(draw: Draw) -> Sample:
    shape = draw(shapes(1, 3))
    fn = draw(st.sampled_from(["sum", "prod", "max"]))
    return Sample(Scan(fn, draw(st.integers(0, len(shape) - 1))), (f32(*shape),))


@sample
def update(draw: Draw) -> Sample:
    base = draw(shapes(1, 3))
    dim = draw(st.integers(0, len(base) - 1))
    batch = draw(st.integers(0, dim))
    n = draw(st.integers(1, base[dim]))
    types = (f32(*base), i64(*base[:batch], n), f32(*base[:dim], n, *base[dim + 1 :]))
    return Sample(Update(dim, batch), types, high=base[dim], distinct=frozenset({1}))


@sample
def concat(draw: Draw) -> Sample:
    shape = draw(shapes(1, 3))
    dim = draw(st.integers(0, len(shape) - 1))
    parts = draw(st.lists(extents, min_size=1, max_size=3))
    return Sample(Concat(dim), tuple(f32(*shape[:dim], n, *shape[dim + 1 :]) for n in parts))


@sample
def pad(draw: Draw) -> Sample:
    shape = draw(shapes(1, 3))
    lo, hi = (tuple(draw(st.integers(0, 3)) for _ in shape) for _ in range(2))
    return Sample(Pad(lo, hi, draw(st.sampled_from([0.0, -1.5]))), (f32(*shape),))


@sample
def reshape(draw: Draw) -> Sample:
    a, b, c = draw(extents), draw(extents), draw(extents)
    shape = draw(st.sampled_from([(a * b, c), (a, b * c), (a, 1, c, b), (b, a, c), (a * b * c,)]))
    return Sample(Reshape(shape), (f32(a, b, c),))


@sample
def permute(draw: Draw) -> Sample:
    shape = draw(shapes(1, 4))
    return Sample(Permute(tuple(draw(st.permutations(range(len(shape)))))), (f32(*shape),))


@sample
def slice(draw: Draw) -> Sample:
    shape = draw(shapes(1, 3))
    dim = draw(st.integers(0, len(shape) - 1))
    start = draw(st.integers(0, shape[dim] - 1))
    stop = draw(st.integers(start + 1, shape[dim]))
    return Sample(Slice(dim, start, stop, draw(st.integers(1, 3))), (f32(*shape),))


@sample
def expand(draw: Draw) -> Sample:
    shape = draw(shapes(1, 3))
    before = [draw(st.sampled_from([n, 1])) for n in shape]
    return Sample(Expand(shape), (f32(*before),))


@sample
def recurrence(draw: Draw) -> Sample:
    shape = draw(shapes(1, 3))
    dim = draw(st.integers(0, len(shape) - 1))
    factors = [n if d == dim else draw(st.sampled_from([n, 1])) for d, n in enumerate(shape)]
    initial = [f32(*(1 if d == dim else n for d, n in enumerate(shape)))] * draw(st.integers(0, 1))
    return Sample(Recurrence(dim), (f32(*factors), f32(*shape), *initial))


@sample
def grouped(draw: Draw) -> Sample:
    rows, inner, outer, groups = (draw(extents) for _ in range(4))
    types = (f32(rows, inner), f32(groups, inner, outer), typed(DType.I64, rows))
    return Sample(Grouped(), types, high=groups)
