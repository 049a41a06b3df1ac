"""Programs of one matrix product, by the name of the algorithm (see `gemm`)."""

from __future__ import annotations

from dataclasses import dataclass

from wsc.backends.wafer.algorithms.block import Block
from wsc.backends.wafer.algorithms.gemm import PRODUCTS, TRANSPOSED, Gemm, gemm, gemm_layouts
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.compiler.errors import AlgorithmError
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.layout import Mesh, MeshAxis

MATMULS = tuple(PRODUCTS)


@dataclass(frozen=True)
class Product:
    """C[m, n] = A[m, k] B[k, n], or A[m, k] B[n, k]^T, on `parts` columns of `rows` (as many, if not given) cores.

    `repeats` is how often a step multiplies: 1, or 0 and 2 to measure movement apart from compute. `vector` is the
    dimension of C that vector instructions run along, "m" or "n"; the longer one if not given. A k-split makes
    `groups` groups of the columns.
    """

    m: int
    k: int
    n: int
    parts: int
    dtype: DType
    repeats: int = 1
    vector: str | None = None
    rows: int | None = None
    groups: int | None = None
    inner: str = "summa"

    def __post_init__(self) -> None:
        sizes = (self.m, self.k, self.n, self.parts, 1 if self.rows is None else self.rows)
        if min(sizes) < 1 or self.repeats < 0:
            raise AlgorithmError(f"extents and parts of a matrix product are 1 or more: {self}")
        if self.vector not in (None, "m", "n"):
            raise AlgorithmError(f"a matrix product's vectors run along 'm' or 'n', not '{self.vector}'")
        if self.groups is not None and (self.groups < 1 or self.parts % self.groups):
            raise AlgorithmError(f"{self.parts} columns of cores do not make --groups {self.groups}")

    @property
    def height(self) -> int:
        """Rows of cores."""
        return self.parts if self.rows is None else self.rows


def matmul_program(algorithm: str, product: Product, machine: Wafer) -> Program:
    """The program of a matrix product; raises AlgorithmError for an unknown name, or where it does not fit."""
    how = Gemm(algorithm, inner=product.inner, repeats=product.repeats, vector=product.vector)
    block = Block(_mesh(algorithm, product))
    m, k, n = product.m, product.k, product.n
    layouts = gemm_layouts(how, block.mesh, m, k, n)
    shapes = ((m, k), (n, k) if algorithm in TRANSPOSED else (k, n))
    a, b = (
        block.input(name, TensorType(product.dtype, shape), layout)
        for name, shape, layout in zip("ab", shapes, layouts, strict=True)
    )
    block.output(gemm(block, a, b, how), "c")
    return block.program(algorithm, machine)


def _mesh(algorithm: str, product: Product) -> Mesh:
    rows = MeshAxis("i", product.height, "y")
    if algorithm != "k-split":
        return Mesh((rows, MeshAxis("j", product.parts, "x")))
    groups = product.groups or 2
    if product.parts % groups:
        raise AlgorithmError(f"{product.parts} columns of cores do not make --groups {groups}")
    return Mesh((rows, MeshAxis("g", groups, "x"), MeshAxis("j", product.parts // groups, "x")))
