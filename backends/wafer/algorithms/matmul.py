"""Matrix products on P x P cores: C = A B, each of the three cut both ways into P x P tiles.

summa     in step s column s of A's tiles is broadcast along rows, row s of B's along columns
          (van de Geijn and Watts 1997)
cannon    A's rows and B's columns of tiles are skewed, then shift by one part a step (Cannon 1969)
meshgemm  Cannon's on an interleaved ring, where nothing moves further than two cores (WaferLLM, arXiv 2502.04563)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wsc.backends.wafer.algorithms.resident import resident_program
from wsc.backends.wafer.instructions import Broadcast, MultiplyAdd, Shift, Wait
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Buffer, Instruction, Loop, Program
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Cut, Layout, Mesh, MeshAxis


@dataclass(frozen=True)
class Product:
    """C[m, n] = A[m, k] B[k, n] on `parts` x `parts` cores.

    `repeats` is how often a step multiplies: 1, or 0 and 2 to measure movement apart from compute. `vector` is the
    dimension of C that vector instructions run along, "m" or "n"; the longer one if not given.
    """

    m: int
    k: int
    n: int
    parts: int
    dtype: DType
    repeats: int = 1
    vector: str | None = None

    def __post_init__(self) -> None:
        if min(self.m, self.k, self.n, self.parts) < 1 or self.repeats < 0:
            raise AlgorithmError(f"extents and parts of a matrix product are 1 or more: {self}")
        if self.vector not in (None, "m", "n"):
            raise AlgorithmError(f"a matrix product's vectors run along 'm' or 'n', not '{self.vector}'")


def matmul_program(algorithm: str, product: Product, machine: Wafer) -> Program:
    """The program of a matrix product; raises AlgorithmError for an unknown name, or where it does not fit."""
    if algorithm not in MATMULS:
        raise AlgorithmError(f"no matrix product is called '{algorithm}'; there are {', '.join(MATMULS)}")
    mesh = Mesh((MeshAxis("i", product.parts, "y"), MeshAxis("j", product.parts, "x")))
    buffers, instructions = MATMULS[algorithm](product)
    return resident_program(algorithm, machine, mesh, buffers, instructions)


Parts = tuple[Sequence[Buffer], Sequence[Instruction]]


def _summa(product: Product) -> Parts:
    a, b, c = _tensors(product)
    moved = (_working(a, "a_step"), _working(b, "b_step"))
    body = [
        Instruction(Broadcast("j"), ("a",), "a_step"),
        Instruction(Broadcast("i"), ("b",), "b_step"),
        *_multiply(product, "a_step", "b_step"),
    ]
    return (a, b, c, *moved), [Instruction(Loop(product.parts, tuple(body)), ("a", "b"), "c")]


def _cannon(product: Product, ring: str | None = None) -> Parts:
    """The smaller tile shifts first: the larger one's way then takes less long than the rest of both."""
    a, b, c = _tensors(product)
    moved = (_working(a, "a_step"), _working(b, "b_step"))
    axes = {"a_step": "j", "b_step": "i"}
    order = sorted(moved, key=lambda buffer: buffer.tile_type.bytes)
    skews = [
        Instruction(Shift("j", 1, ring, "i"), ("a",), "a_step"),
        Instruction(Shift("i", 1, ring, "j"), ("b",), "b_step"),
    ]
    shifts = [Instruction(Shift(axes[x.name], 1, ring), (x.name,), x.name) for x in order]
    body = (*_multiply(product, "a_step", "b_step"), *shifts)
    return (a, b, c, *moved), [*skews, Instruction(Loop(product.parts, body), ("a_step", "b_step"), "c")]


def _meshgemm(product: Product) -> Parts:
    return _cannon(product, "interleaved")


MATMULS: dict[str, Callable[[Product], Parts]] = {
    "summa": _summa,
    "cannon": _cannon,
    "meshgemm": _meshgemm,
}


def _tensors(product: Product) -> tuple[Buffer, Buffer, Buffer]:
    m, k, n, parts = product.m, product.k, product.n, product.parts
    shapes = {"a": (m, k), "b": (k, n), "c": (m, n)}
    roles = {"a": "input", "b": "input", "c": "output"}
    made = []
    for name, (rows, columns) in shapes.items():
        layout = Layout(((Cut("i", -(-rows // parts)),), (Cut("j", -(-columns // parts)),)))
        made.append(Buffer(name, TensorType(product.dtype, (rows, columns)), layout, roles[name], name))
    return made[0], made[1], made[2]


def _working(tensor: Buffer, name: str) -> Buffer:
    return Buffer(name, tensor.type, tensor.layout, "local")


def _multiply(product: Product, a: str, b: str) -> tuple[Instruction, ...]:
    if not product.repeats:
        return (Instruction(Wait(), (a, b)),)
    return (Instruction(MultiplyAdd("mk,kn->mn", product.vector), (a, b), "c"),) * product.repeats
