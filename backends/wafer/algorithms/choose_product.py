"""Which matrix product to use, by closed forms of what a step of each takes. No simulator uses this.

A step multiplies two panels and moves the next ones. A broadcast takes a task, its words, and the control of a root
that moves; a shift a task to send and one to receive, and its words at the rate of a core that does both; what a core
waits for is the part of the second movement that it does not itself execute. The way of the first words is paid once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, lcm

from wsc.backends.wafer.algorithms.gemm import SQUARE, TRANSPOSED
from wsc.backends.wafer.algorithms.matmul import Product, matmul_program
from wsc.backends.wafer.machine import Wafer
from wsc.compiler.errors import DoesNotFit


@dataclass(frozen=True)
class ProductChoice:
    """An algorithm by name, the product with its groups and what they multiply by, and its modelled cycles."""

    algorithm: str
    product: Product
    cycles: int


def choose_product(product: Product, machine: Wafer, *, transposed: bool = False) -> ProductChoice:
    """The fastest algorithm that fits, by modelled cycles; `transposed` for A B^T. Raises DoesNotFit if none fits."""
    options = sorted(product_choices(product, machine, transposed=transposed), key=lambda c: c.cycles)
    refused = None
    for choice in options:
        try:
            matmul_program(choice.algorithm, choice.product, machine)
        except DoesNotFit as error:
            refused = refused or error
            continue
        return choice
    raise refused or DoesNotFit("there is no algorithm for this product")


def product_choices(product: Product, machine: Wafer, *, transposed: bool = False) -> Iterator[ProductChoice]:
    """Every algorithm, with every number of groups and what is best within them."""
    if transposed:
        for name in TRANSPOSED:
            yield ProductChoice(name, product, product_cycles(name, product, machine))
        return
    for name in (*SQUARE, "stationary"):
        yield ProductChoice(name, product, product_cycles(name, product, machine))
    for groups in range(2, product.parts + 1):
        if product.parts % groups == 0:
            for inner in SQUARE:
                split = replace(product, groups=groups, inner=inner)
                yield ProductChoice("k-split", split, product_cycles("k-split", split, machine))


def product_cycles(algorithm: str, product: Product, machine: Wafer) -> int:
    """Modelled cycles of a product, with what it takes to skew its tiles."""
    model = _Model(machine, product)
    width, height = product.parts, product.height
    if algorithm == "k-split":
        groups = product.groups or 2
        inside = replace(product, k=-(-product.k // groups), parts=width // groups, groups=None)
        tile = model.words(model.m, -(-product.n // inside.parts))
        return ceil(
            _Model(machine, inside).square(product.inner) + model.chain(tile, groups, width // groups)
        )
    if algorithm in SQUARE:
        return ceil(model.square(algorithm))
    if algorithm == "stationary":
        k, n = -(-product.k // width), -(-product.n // height)
        gather = model.startup + (height - 1) * (model.words(model.m, k) + model.hop) + model.ramps
        if height == 1:  # its one tile is copied
            gather = model.startup + ceil(
                model.m * k * product.dtype.bytes / machine.core.write_bytes_per_cycle
            )
        return ceil(
            gather + model.multiply(product.m, k, n) + model.chain(model.words(product.m, n), width, 1)
        )
    return ceil(model.transposed(ring=algorithm == "meshgemm-t"))


class _Model:
    """Figures of a machine, and the tiles of a product on it."""

    def __init__(self, machine: Wafer, product: Product) -> None:
        core, fabric = machine.core, machine.fabric
        self.machine, self.product = machine, product
        self.startup, self.hop, self.ramps = (
            core.task_startup_cycles,
            fabric.hop_cycles,
            2 * fabric.ramp_cycles,
        )
        self.width, self.height = product.parts, product.height
        self.m, self.n = -(-product.m // self.height), -(-product.n // self.width)

    def words(self, rows: int, columns: int) -> int:
        """Words of a link in a tile."""
        return -(-rows * columns * self.product.dtype.bytes // self.machine.fabric.link_bytes_per_cycle)

    def multiply(self, m: int, k: int, n: int) -> float:
        """One task: a vector instruction for every k and the shorter side of the result, in whole pieces."""
        machine, dtype = self.machine, self.product.dtype
        longer, shorter = max(m, n), min(m, n)
        if self.product.vector is not None:
            longer, shorter = (m, n) if self.product.vector == "m" else (n, m)
        piece = machine.mac_vector_elements(dtype)
        each = ceil(longer / piece) * piece * machine.mac_cycles(dtype) + machine.vector_startup_cycles(dtype)
        return self.startup + k * shorter * each

    def chain(self, words: int, parts: int, pitch: int) -> float:
        """A reduce along a line, `pitch` cores from part to part, whose links the lines between them share."""
        return self.startup + words * pitch + (parts - 1) * (self.ramps + 1 + pitch * self.hop)

    def square(self, algorithm: str) -> float:
        """SUMMA, Cannon or MeshGEMM."""
        longest = max(self.width, self.height)
        steps = longest if algorithm == "summa" else lcm(self.width, self.height)
        panel = -(-self.product.k // steps)
        steps = -(-self.product.k // panel) if algorithm == "summa" else steps
        a, b = self.words(self.m, panel), self.words(panel, self.n)
        compute = self.product.repeats * self.multiply(self.m, panel, self.n)
        if algorithm == "summa":
            control = self.machine.core.root_move_cycles
            moved = 2 * (self.startup + control) + a + b + self.hop + self.ramps
            return steps * (compute + moved) + (longest - 2) * self.hop
        pieces = (steps // self.width, steps // self.height)
        exchange = self.machine.core.exchange_cycles_per_word
        ring = algorithm == "meshgemm"
        flights = [
            (min(2, p - 1) if ring else p - 1) * self.hop + self.ramps for p in (self.width, self.height)
        ]
        a, b = (
            words if p > 1 else 0 for words, p in ((a, self.width), (b, self.height))
        )  # a tile that stays
        sides = sorted(((a, flights[0], pieces[0]), (b, flights[1], pieces[1])))
        free, waits = 0.0, 0.0
        for words, flight, held in sides:
            if held == 1:  # a piece that is handed on is needed in the next step, others later
                waits = max(waits, free + 2 * self.startup + exchange * words + flight)
            free += 2 * self.startup + words
        half = min(self.width, self.height) / 2
        skew = max(a * pieces[0], b * pieces[1]) * max(exchange, half) + 4 * self.startup + longest * self.hop
        return steps * (compute + max(free, waits)) + skew

    def transposed(self, *, ring: bool) -> float:
        """C's columns block by block: B's panel comes, is multiplied, and the products are summed along rows."""
        n, k = -(-self.product.n // self.height), -(-self.product.k // self.width)
        steps = self.height if ring else -(-self.product.n // n)
        b, c, control = self.words(n, k), self.words(self.m, n), self.machine.core.root_move_cycles
        summed = self.startup + control + c
        across = (self.width - 1) * (self.ramps + 1 + self.hop)
        if ring:
            moved = b * self.machine.core.exchange_cycles_per_word if self.height > 1 else 0
            summed += self.startup + c if self.width > 2 else 0  # a root takes one chain after the other
            exchange = 2 * self.startup + moved + min(2, self.height - 1) * self.hop + self.ramps
        else:
            exchange = self.startup + control + b + self.hop + self.ramps
            summed -= control  # each core is the root of a sum in turn, and late once
            across += control
        return steps * (self.multiply(self.m, k, n) + summed + exchange) + across
