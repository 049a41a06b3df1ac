"""Matrix products and matrix-vector products of the catalog."""

from __future__ import annotations

from collections.abc import Callable

from wsc.backends.wafer.algorithms.block import Block
from wsc.backends.wafer.algorithms.catalog.asked import Arrays, Entry, Sizes, combining, grid
from wsc.backends.wafer.algorithms.choose_product import choose_product
from wsc.backends.wafer.algorithms.gemm import PRODUCTS, TRANSPOSED
from wsc.backends.wafer.algorithms.gemv import gemv, gemv_layouts
from wsc.backends.wafer.algorithms.matmul import Product, matmul_program
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.compiler.ir.types import TensorType
from wsc.compiler.ops.base import Array

_SIZES = ("m", "k", "n")
_ABOUT = {
    "summa": "C = A B: panels broadcast along rows and columns",
    "cannon": "C = A B: tiles skewed, then shifted round the rows and columns",
    "meshgemm": "C = A B: Cannon's on an interleaved ring, neighbours at most two cores apart",
    "summa-t": "C = A B^T: panels of B broadcast, products summed along rows",
    "meshgemm-t": "C = A B^T: tiles of B shifted, products summed along rows",
    "stationary": "C = A B: A gathered to where B lies, products summed and scattered",
    "k-split": "C = A B: groups of cores over k, their products summed and scattered",
}


def _product(sizes: Sizes) -> Product:
    m, k, n = (sizes.size(name) for name in "mkn")
    rows, inner = sizes.size("rows"), sizes.inner or "summa"
    return Product(m, k, n, sizes.size("columns"), sizes.dtype, rows=rows, groups=sizes.groups, inner=inner)


def _named_product(name: str) -> Callable[[Sizes, Wafer], Program]:
    return lambda sizes, machine: matmul_program(name, _product(sizes), machine)


def _chosen_product(*, transposed: bool) -> Callable[[Sizes, Wafer], Program]:
    def build(sizes: Sizes, machine: Wafer) -> Program:
        choice = choose_product(_product(sizes), machine, transposed=transposed)
        return matmul_program(choice.algorithm, choice.product, machine)

    return build


def _times(*, transposed: bool) -> Callable[[Sizes, Arrays], dict[str, Array]]:
    return lambda sizes, given: {"c": given["a"] @ (given["b"].T if transposed else given["b"])}


def _gemv(sizes: Sizes, machine: Wafer) -> Program:
    block = Block(grid(sizes))
    m, k, n = sizes.size("m"), sizes.size("k"), sizes.size("n")
    lying = gemv_layouts(block.mesh, m, k, n)
    x = block.input("x", TensorType(sizes.dtype, (m, k)), lying[0])
    b = block.weight("b", TensorType(sizes.dtype, (k, n)), lying[1])
    block.output(gemv(block, x, b, combining(sizes, machine)), "y")
    return block.program("gemv", machine)


_CHOSEN = "by the algorithm of fewest modelled cycles"
ENTRIES = (
    Entry(
        "product",
        f"C = A B {_CHOSEN}",
        _SIZES,
        (),
        _chosen_product(transposed=False),
        _times(transposed=False),
    ),
    Entry(
        "product-t",
        f"C = A B^T {_CHOSEN}",
        _SIZES,
        (),
        _chosen_product(transposed=True),
        _times(transposed=True),
    ),
    *(
        Entry(
            name,
            _ABOUT[name],
            _SIZES,
            ("groups", "inner") if name == "k-split" else (),
            _named_product(name),
            _times(transposed=name in TRANSPOSED),
        )
        for name in PRODUCTS
    ),
    Entry(
        "gemv",
        "y = x B of m rows, B where it lies; the sums by --reduce",
        ("k", "n"),
        ("m", "reduce", "group", "root"),
        _gemv,
        lambda sizes, given: {"y": given["x"] @ given["b"]},
    ),
)
