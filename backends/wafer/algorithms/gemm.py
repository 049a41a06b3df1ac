"""Matrix products on a mesh of W x H cores, each a generator that can be chained with others.

C = A B, with A[m, k] cut over rows (axis i) and columns (j) of cores, B[k, n] and C[m, n] alike:

    summa       in step s panel s of A is broadcast along rows, panel s of B along columns
                (van de Geijn and Watts 1997)
    cannon      A's rows and B's columns of tiles are skewed, then shift by one part a step (Cannon 1969)
    meshgemm    Cannon's on an interleaved ring, where nothing moves further than two cores (WaferLLM, arXiv 2502.04563)

C = A B^T, with B[n, k] cut as A is, so that no tile of B is transposed; the products of a step are summed along rows:

    summa-t     in step s panel s of B is broadcast along columns
    meshgemm-t  B's tiles shift along columns by one part a step, on an interleaved ring (WaferLLM's dist-GEMM-T)

C = A B with other layouts:

    stationary  A[m: i, k: j] is gathered along i, meets B[k: j, n: i] where it lies, and the products are summed and
                scattered along j: C[m: j, n: i]; a second product with its axes exchanged brings the layout back
    k-split     k is also cut over groups of cores (axis g), which each make a product by another algorithm; the sums
                over the groups are scattered: C[m: i, n: j/g] (2.5D, Solomonik and Demmel 2011)

Where rows and columns are not as many, k is cut in S panels, and a tile holds several of them: the strips of the
shorter axis. SUMMA takes any S, Cannon and MeshGEMM a common multiple of W and H. Leading dimensions of A and B
are a batch, which other axes may cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import gcd, lcm

from wsc.backends.wafer.algorithms.block import Block, cut_layout
from wsc.backends.wafer.instructions import (
    AllGather,
    Broadcast,
    Move,
    MultiplyAdd,
    ReduceInto,
    ReduceScatter,
    Rotate,
    Shift,
    Wait,
)
from wsc.backends.wafer.program import Buffer, Instruction, Loop
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import TensorType
from wsc.compiler.layout import Cut, Layout, Mesh
from wsc.compiler.ops import Contract
from wsc.compiler.ops.base import Op


@dataclass(frozen=True)
class Gemm:
    """How a product is made: by which algorithm, along which axes of the mesh.

    `groups` is the axis of a k-split, and `inner` the algorithm within its groups. `repeats` is how often a step
    multiplies: 1, or 0 and 2 to measure movement apart from compute. `vector` is the dimension of C that vector
    instructions run along, "m" or "n"; the longer one if not given.
    """

    algorithm: str
    rows: str = "i"
    columns: str = "j"
    groups: str = "g"
    inner: str = "summa"
    repeats: int = 1
    vector: str | None = None

    def __post_init__(self) -> None:
        if self.algorithm not in PRODUCTS:
            known = ", ".join(PRODUCTS)
            raise AlgorithmError(f"no matrix product is called '{self.algorithm}'; there are {known}")
        if self.algorithm == "k-split" and self.inner not in SQUARE:
            raise AlgorithmError(f"a k-split's groups multiply by {', '.join(SQUARE)}, not by '{self.inner}'")
        if self.repeats < 0:
            raise AlgorithmError(f"a product is made 0 times or more, not {self.repeats}")
        if self.vector not in (None, "m", "n"):
            raise AlgorithmError(f"a matrix product's vectors run along 'm' or 'n', not '{self.vector}'")


def gemm(block: Block, a: Buffer, b: Buffer, how: Gemm, name: str = "c") -> Buffer:
    """The product of two buffers by an algorithm; raises AlgorithmError where their layouts do not serve it."""
    transposed = how.algorithm in TRANSPOSED
    k, other = a.type.shape[-1], b.type.shape[-1 if transposed else -2]
    if a.type.rank != b.type.rank or a.type.rank < 2 or a.type.shape[:-2] != b.type.shape[:-2] or k != other:
        raise AlgorithmError(f"'{how.algorithm}' cannot multiply {a.type} by {b.type}")
    if a.type.dtype != b.type.dtype:
        raise AlgorithmError(f"'{how.algorithm}' multiplies tensors of one type, not {a.type} by {b.type}")
    return PRODUCTS[how.algorithm](_Work(block, a, b, how, name))


def gemm_layouts(how: Gemm, mesh: Mesh, m: int, k: int, n: int) -> tuple[Layout, Layout]:
    """Layouts of A and B that an algorithm takes, in even panels; raises AlgorithmError for axes the mesh lacks."""
    named = [how.rows, how.columns, *([how.groups] if how.algorithm == "k-split" else [])]
    if missing := [name for name in named if name not in [axis.name for axis in mesh.axes]]:
        raise AlgorithmError(f"'{how.algorithm}' needs an axis '{missing[0]}', which mesh {mesh} has not")
    rows, columns = how.rows, how.columns
    if how.algorithm == "stationary":
        return cut_layout(mesh, (m, k), (rows, columns)), cut_layout(mesh, (k, n), (columns, rows))
    if how.algorithm in TRANSPOSED:
        return cut_layout(mesh, (m, k), (rows, columns)), cut_layout(mesh, (n, k), (rows, columns))
    if how.algorithm == "k-split":
        group = Cut(how.groups, -(-k // mesh[how.groups].parts))
        a, b = gemm_layouts(replace(how, algorithm=how.inner), mesh, m, group.tile, n)
        return (
            replace(a, cuts=(a.cuts[0], (group, *a.cuts[1]))),
            replace(b, cuts=((group, *b.cuts[0]), b.cuts[1])),
        )
    width, height = mesh[columns].parts, mesh[rows].parts
    steps = max(width, height) if how.algorithm == "summa" else lcm(width, height)
    panel = -(-k // steps)
    tall, wide = (Cut(axis, -(-steps // mesh[axis].parts) * panel) for axis in (rows, columns))
    a_rows, b_columns = Cut(rows, -(-m // height)), Cut(columns, -(-n // width))
    return Layout(((a_rows,), (wide,))), Layout(((tall,), (b_columns,)))


@dataclass(frozen=True)
class _Work:
    """One product to be made."""

    block: Block
    a: Buffer
    b: Buffer
    how: Gemm
    name: str

    def cut(self, buffer: Buffer, dim: int, axis: str) -> Cut:
        """The innermost cut of a dimension (-1 or -2), which has to run along an axis."""
        cuts = buffer.layout.cuts[dim]
        if not cuts or cuts[-1].axis != axis or cuts[-1].lo or cuts[-1].hi or buffer.layout.at:
            raise AlgorithmError(
                f"'{self.how.algorithm}' needs dimension {dim + buffer.type.rank} of '{buffer.name}' cut along"
                f" '{axis}', not {buffer.layout}: relayout it first"
            )
        return cuts[-1]

    def parts(self, axis: str) -> int:
        return self.block.mesh[axis].parts

    def batch(self) -> str:
        return "abcdefgh"[: self.a.type.rank - 2]

    def equation(self, a: str, b: str) -> str:
        return f"{self.batch()}{a},{self.batch()}{b}->{self.batch()}mn"

    def like(self, rows: int, columns: int) -> TensorType:
        return TensorType(self.a.type.dtype, (*self.a.type.shape[:-2], rows, columns))

    def layout(
        self, rows: tuple[Cut, ...], columns: tuple[Cut, ...], partial: tuple[str, ...] = ()
    ) -> Layout:
        return Layout((*self.a.layout.cuts[:-2], rows, columns), (), partial)

    def result(self, partial: tuple[str, ...] = ()) -> Buffer:
        """C, cut as A's rows and B's columns are."""
        rows, columns = self.a.layout.cuts[-2], self.b.layout.cuts[-1]
        type = self.like(self.a.type.shape[-2], self.b.type.shape[-1])
        return self.block.buffer(self.name, type, self.layout(rows, columns, partial))

    def multiply(
        self, a: Buffer, b: Buffer, c: Buffer, pieces: tuple[int, int] = (1, 1)
    ) -> list[Instruction]:
        if not self.how.repeats:
            return [Instruction(Wait(), (a.name, b.name))]
        op = MultiplyAdd(self.equation("mk", "kn"), self.how.vector, pieces if max(pieces) > 1 else None)
        return [Instruction(op, (a.name, b.name), c.name)] * self.how.repeats


def _line(op: Op | Move, operand: Buffer, result: Buffer) -> Instruction:
    return Instruction(op, (operand.name,), result.name)


def _panels(work: _Work) -> tuple[int, int, int, int]:
    """Extent of a panel of k, panels in a tile of A and of B, and panels in all."""
    wide = work.cut(work.a, -1, work.how.columns).tile
    tall = work.cut(work.b, -2, work.how.rows).tile
    work.cut(work.a, -2, work.how.rows), work.cut(work.b, -1, work.how.columns)
    panel = gcd(wide, tall)
    reach = min(wide * work.parts(work.how.columns), tall * work.parts(work.how.rows))
    outer = [cut.tile for cut in work.a.layout.cuts[-1][:-1]]
    steps = -(-min(work.a.type.shape[-1], reach, *outer) // panel)
    return panel, wide // panel, tall // panel, steps


def _summa(work: _Work, partial: tuple[str, ...] = ()) -> Buffer:
    rank = work.a.type.rank
    panel, in_a, in_b, steps = _panels(work)
    c = work.result(partial)
    rows, columns = work.a.type.shape[-2], work.b.type.shape[-1]
    a_step = work.block.buffer(
        "a_step", work.like(rows, panel), work.layout(work.a.layout.cuts[-2], (), partial)
    )
    b_step = work.block.buffer(
        "b_step", work.like(panel, columns), work.layout((), work.b.layout.cuts[-1], partial)
    )
    body = [
        _line(_broadcast(work.how.columns, rank - 1, in_a), work.a, a_step),
        _line(_broadcast(work.how.rows, rank - 2, in_b), work.b, b_step),
        *work.multiply(a_step, b_step, c),
    ]
    work.block.append(Loop(steps, tuple(body)), (work.a, work.b), c)
    return c


def _broadcast(axis: str, dim: int, pieces: int) -> Broadcast:
    return Broadcast(axis, dim, pieces) if pieces > 1 else Broadcast(axis)


def _cannon(work: _Work, partial: tuple[str, ...] = (), ring: str | None = None) -> Buffer:
    """Core (i, j) multiplies panel `j in_a + i in_b + s` in step s and then hands it on to the core that needs it next.

    The smaller tile shifts first: the larger one's way then takes less long than the rest of both.
    """
    block, rank, rows, columns = work.block, work.a.type.rank, work.how.rows, work.how.columns
    _, in_a, in_b, _ = _panels(work)
    steps = in_a * work.parts(columns)
    if steps != in_b * work.parts(rows):
        raise AlgorithmError(
            f"'{work.how.algorithm}' needs as many panels of k along '{rows}' as along '{columns}', not {work.a.layout}"
            f" by {work.b.layout} on mesh {block.mesh}: use the layouts of `gemm_layouts`"
        )
    c = work.result(partial)
    sides = ((work.a, columns, rows, rank - 1, in_a, in_b), (work.b, rows, columns, rank - 2, in_b, in_a))
    moved: list[Buffer] = []
    shifts: list[Instruction] = []
    enter = (
        True if ring and in_a != in_b else None
    )  # rings of one length count the panels alike, others do not
    for tensor, axis, other, dim, pieces, by in sides:
        skew = (
            Shift(axis, by, ring, other, dim, pieces, enter) if pieces > 1 else Shift(axis, by, ring, other)
        )
        skew = replace(skew, enter=enter)
        moved.append(block.add(skew, [tensor], tensor.type, tensor.layout, "ab"[len(moved)] + "_step"))
        step = Rotate(axis, dim, pieces, ring) if pieces > 1 else Shift(axis, 1, ring)
        shifts.append(_line(step, moved[-1], moved[-1]))
    if moved[1].tile_type.bytes < moved[0].tile_type.bytes:
        shifts.reverse()
    body = (*work.multiply(moved[0], moved[1], c, (in_a, in_b)), *shifts)
    block.append(Loop(steps, body), moved, c)
    return c


def _meshgemm(work: _Work, partial: tuple[str, ...] = ()) -> Buffer:
    return _cannon(work, partial, "interleaved")


def _transposed(work: _Work, ring: bool) -> Buffer:
    """Step s makes every core's share of one block of C's columns, and sums it on the core that this block is for."""
    block, rows, columns, rank = work.block, work.how.rows, work.how.columns, work.a.type.rank
    m_cut, n_cut = work.cut(work.a, -2, rows), work.cut(work.b, -2, rows)
    if work.cut(work.a, -1, columns) != work.cut(work.b, -1, columns):
        raise AlgorithmError(f"'{work.how.algorithm}' needs k cut alike: {work.a.layout}, {work.b.layout}")
    m, n, tile = work.a.type.shape[-2], work.b.type.shape[-2], n_cut.tile
    pieces = -(-work.parts(rows) // work.parts(columns))
    layout = work.layout(work.a.layout.cuts[-2], (Cut(columns, pieces * tile),))
    c = block.buffer(work.name, work.like(m, n), layout)
    share = work.layout((m_cut,), (), (columns,))
    if ring:
        b_step = block.add(Shift(rows, 0, "interleaved"), [work.b], work.b.type, work.b.layout, "b_step")
        first: list[Instruction] = []
        last = [_line(Shift(rows, 1, "interleaved"), b_step, b_step)]
        into = ReduceInto(columns, rank - 1, pieces, rows, "interleaved")
    else:
        panel = work.layout((), work.b.layout.cuts[-1])
        b_step = block.buffer("b_step", work.like(tile, work.b.type.shape[-1]), panel)
        first, last = [_line(Broadcast(rows), work.b, b_step)], []
        into = ReduceInto(columns, rank - 1, pieces)
    c_step = block.buffer("c_step", work.like(m, tile), share)
    multiply = Instruction(Contract(work.equation("mk", "nk")), (work.a.name, b_step.name), c_step.name)
    body = (*first, multiply, _line(into, c_step, c), *last)
    operands = (work.a, b_step) if ring else (work.a, work.b)
    block.append(Loop(work.parts(rows) if ring else -(-n // tile), body), operands, c)
    return c


def _stationary(work: _Work) -> Buffer:
    block, rows, columns = work.block, work.how.rows, work.how.columns
    m, n = work.a.type.shape[-2], work.b.type.shape[-1]
    if work.cut(work.a, -1, columns) != work.cut(work.b, -2, columns):
        raise AlgorithmError(f"'stationary' needs k cut alike: {work.a.layout}, {work.b.layout}")
    work.cut(work.a, -2, rows)
    n_cut, dim = work.cut(work.b, -1, rows), work.a.type.rank - 2
    if len(work.a.layout.cuts[-2]) > 1 or len(work.a.layout.cuts[-1]) > 1:
        raise AlgorithmError(f"'stationary' needs each dimension cut once, not {work.a.layout}")
    whole = work.layout((), work.a.layout.cuts[-1])
    a = block.add(AllGather(rows, dim), [work.a], work.a.type, whole, "a_rows")
    sums = work.layout((), (n_cut,), (columns,))
    partial = block.add(Contract(work.equation("mk", "kn")), [a, work.b], work.like(m, n), sums, "c_sums")
    scattered = work.layout((Cut(columns, -(-m // work.parts(columns))),), (n_cut,))
    return block.add(ReduceScatter(columns, dim), [partial], work.like(m, n), scattered, work.name)


def _k_split(work: _Work) -> Buffer:
    groups, rank = work.how.groups, work.a.type.rank
    for buffer, dim in ((work.a, rank - 1), (work.b, rank - 2)):
        cuts = buffer.layout.cuts[dim]
        if len(cuts) != 2 or cuts[0].axis != groups:
            raise AlgorithmError(
                f"'k-split' needs dimension {dim} of '{buffer.name}' cut along '{groups}' first, not {buffer.layout}"
            )
    sums = SQUARE[work.how.inner](replace(work, name="c_sums"), (groups,))
    n_cut = work.b.layout.cuts[-1]
    inner = Cut(groups, -(-n_cut[-1].tile // work.parts(groups)))
    layout = work.layout(sums.layout.cuts[-2], (*n_cut, inner))
    return work.block.add(ReduceScatter(groups, rank - 1), [sums], sums.type, layout, work.name)


SQUARE: dict[str, Callable[..., Buffer]] = {"summa": _summa, "cannon": _cannon, "meshgemm": _meshgemm}
TRANSPOSED = ("summa-t", "meshgemm-t")
PRODUCTS: dict[str, Callable[[_Work], Buffer]] = {
    "summa": _summa,
    "cannon": _cannon,
    "meshgemm": _meshgemm,
    "summa-t": lambda work: _transposed(work, ring=False),
    "meshgemm-t": lambda work: _transposed(work, ring=True),
    "stationary": _stationary,
    "k-split": _k_split,
}
