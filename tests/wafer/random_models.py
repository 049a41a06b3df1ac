"""Random models of a dozen ops: values that meet again, are returned and read, pass through views, arrive in chunks."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from tests.compiler.arrays import draw as draw_array
from tests.wafer.forcing import Builder
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import (
    Attention,
    Concat,
    Contract,
    Elementwise,
    Gather,
    Norm,
    Pad,
    Permute,
    Pool,
    Reduce,
    Reshape,
    Scan,
    Slice,
    Softmax,
    TopK,
)
from wsc.compiler.ops.base import Array

ROWS = (32, 48, 6)  # of the first value; the longer ones pass chunk by chunk
MOST_ELEMENTS = 4000


class Maker:
    """Adds random nodes to a graph; a step that no value fits adds nothing."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.made = Builder()
        self.values: list[str] = []
        rows = draw(st.sampled_from(ROWS))
        for shape in ((rows, 8), (2, rows, 6)):
            self.source(TensorType(DType.F32, shape))

    def source(self, type: TensorType, is_weight: bool = False) -> str:
        name = self.made.source(type, draw_array(type, self.rng), is_weight)
        if not is_weight:
            self.values.append(name)
        return name

    def type(self, name: str) -> TensorType:
        return next(node.type for node in self.made.nodes if node.name == name)

    def value(self, least_rank: int = 1) -> str:
        able = [v for v in self.values if self.type(v).rank >= least_rank]
        return self.draw(st.sampled_from(able[-4:]))  # the latest, for depth

    def like(self, name: str) -> str:
        """A value of the same shape; often the same."""
        return self.draw(st.sampled_from([v for v in self.values if self.type(v) == self.type(name)]))

    def dim(self, name: str) -> int:
        return self.draw(st.integers(0, self.type(name).rank - 1))

    def step(self) -> None:
        self.draw(st.sampled_from(STEPS))(self)
        if self.type(self.made.nodes[-1].name).elements > MOST_ELEMENTS:
            self.made.nodes.pop()
        elif self.made.nodes[-1].name not in self.values and not self.made.nodes[-1].is_source:
            self.values.append(self.made.nodes[-1].name)


def unary(m: Maker) -> None:
    m.made.add(Elementwise(m.draw(st.sampled_from(["relu", "tanh", "gelu"]))), m.value())


def binary(m: Maker) -> None:
    a = m.value()
    m.made.add(Elementwise(m.draw(st.sampled_from(["add", "sub", "max"])), (None, None)), a, m.like(a))


def broadcast(m: Maker) -> None:
    a = m.value()
    shape = tuple(m.draw(st.sampled_from([n, 1])) for n in m.type(a).shape)
    m.made.add(
        Elementwise("mul", (None, None)), a, m.source(TensorType(DType.F32, shape), m.draw(st.booleans()))
    )


def linear(m: Maker) -> None:
    a = m.value()
    letters = "abcd"[: m.type(a).rank - 1]
    weight = TensorType(DType.F32, (m.draw(st.sampled_from([8, 6, 5])), m.type(a).shape[-1]))
    m.made.add(Contract(f"{letters}k,nk->{letters}n"), a, m.source(weight, is_weight=True))


def product(m: Maker) -> None:
    a = m.value(2)
    letters = "abc"[: m.type(a).rank - 2]
    m.made.add(Contract(f"{letters}sk,{letters}tk->{letters}st"), a, m.like(a))


def norm(m: Maker) -> None:
    a = m.value()
    form = m.draw(st.sampled_from(["layer", "rms"]))
    m.made.add(Norm(form, (m.type(a).rank - 1,), 0.1), a)


def softmax(m: Maker) -> None:
    a = m.value()
    m.made.add(Softmax(m.dim(a)), a)


def heads(m: Maker) -> None:
    """Split or join the last dimension, then turn."""
    a = m.value()
    *lead, n = m.type(a).shape
    split = m.made.add(Reshape((*lead, 2, n // 2) if n % 2 == 0 else (*lead, 1, n)), a)
    rank = len(lead) + 2
    if rank <= 4:
        m.made.add(Permute((*range(rank - 3), rank - 2, rank - 3, rank - 1) if rank > 2 else (1, 0)), split)


def join(m: Maker) -> None:
    a = m.value(2)
    *lead, n, k = m.type(a).shape
    m.made.add(Reshape((*lead, n * k)), a)


def turn(m: Maker) -> None:
    a = m.value()
    m.made.add(Permute(tuple(m.draw(st.permutations(range(m.type(a).rank))))), a)


def part(m: Maker) -> None:
    a = m.value()
    dim = m.dim(a)
    stop = m.draw(st.integers(1, m.type(a).shape[dim]))
    m.made.add(Slice(dim, m.draw(st.integers(0, stop - 1)), stop, m.draw(st.sampled_from([1, 1, 2]))), a)


def attention(m: Maker) -> None:
    a = m.value(2)
    m.made.add(Attention(0.5, m.draw(st.booleans())), a, m.like(a), m.like(a))


def reduce(m: Maker) -> None:
    a = m.value(2)
    fn = m.draw(st.sampled_from(["sum", "mean", "max", "min"]))
    m.made.add(Reduce(fn, (m.dim(a),), m.draw(st.booleans())), a)


def concat(m: Maker) -> None:
    a = m.value()
    m.made.add(Concat(m.dim(a)), a, m.like(a))


def rotary(m: Maker) -> None:
    """The halves of the last dimension swapped, one negated, and added to the whole: one kernel."""
    a = m.value()
    *lead, n = m.type(a).shape
    if n % 2:
        return
    last = len(lead)
    factor = TensorType(DType.F32, (*(1 for _ in lead), n))
    low, high = (m.made.add(Slice(last, start, start + n // 2), a) for start in (0, n // 2))
    turned = m.made.add(Concat(last), m.made.add(Elementwise("neg"), high), low)
    scaled = [m.made.add(Elementwise("mul", (None, None)), v, m.source(factor, True)) for v in (a, turned)]
    m.made.add(Elementwise("add", (None, None)), *scaled)


def meeting(m: Maker) -> None:
    """What is summed over cores meets what is put together of two parts, each a function of an input."""
    linear(m)
    y = m.made.nodes[-1].name
    *lead, n = m.type(y).shape
    halves = [TensorType(DType.F32, (*lead, part)) for part in (n // 2, n - n // 2)]
    parts = [
        m.made.add(Elementwise("tanh"), m.made.source(half, draw_array(half, m.rng), False))
        for half in halves
    ]
    pair = [y, m.made.add(Concat(len(lead)), *parts)]
    m.made.add(Elementwise("add", (None, None)), *m.draw(st.permutations(pair)))


def pad(m: Maker) -> None:
    a = m.value()
    rank = m.type(a).rank
    m.made.add(Pad((1,) * rank, (0,) * (rank - 1) + (2,), 0.5), a)


def pool(m: Maker) -> None:
    a = m.value()
    dim = m.dim(a)
    if m.type(a).shape[dim] > 3:
        m.made.add(Pool(m.draw(st.sampled_from(["max", "mean"])), ((dim, 3, 2, 1, 1, 1),)), a)


def select(m: Maker) -> None:
    a = m.value()
    rows = m.type(a).shape[0]
    index: Array = m.rng.integers(0, rows, rows)
    name = m.made.source(TensorType(DType.I64, (rows,)), index, is_weight=False)
    m.made.add(Gather(), a, name)


def ordered(m: Maker) -> None:
    a = m.value()
    dim = m.dim(a)
    m.made.add(TopK(min(2, m.type(a).shape[dim]), dim) if m.draw(st.booleans()) else Scan("sum", dim), a)


STEPS: list[Callable[[Maker], None]] = [
    unary,
    binary,
    binary,
    broadcast,
    linear,
    linear,
    product,
    norm,
    softmax,
    heads,
    join,
    turn,
    part,
    attention,
    reduce,
    concat,
    rotary,
    meeting,
    pad,
    pool,
    select,
    ordered,
]


@st.composite
def random_models(draw: st.DrawFn) -> tuple[Model, list[Array]]:
    """A model and its inputs; some values are returned, some twice, some of them inputs."""
    m = Maker(draw)
    for _ in range(draw(st.integers(1, 12))):
        m.step()
    outputs = draw(st.lists(st.sampled_from(m.values), min_size=1, max_size=3))
    return m.made.model(*outputs, m.values[-1]), m.made.inputs
