"""Judges contest solutions from the rules alone, in exact arithmetic. Shares no code with the sizing or the solver.

The contest's evaluator is not public. Adapters are counted at the worst reading of its rule: of a block, any of the
c that its outputs could be taken from, against the first c of the consumer.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from wsc.placement.ispd2020.kgraph import Kernel, KernelGraph

_OUTPUTS = {
    "conv": (0,),
    "dblock": (0, 2),
    "cblock": (0, 2, 3),
}  # convs of a block whose c may face a consumer


@dataclass(frozen=True, slots=True)
class Spot:
    """A kernel's execution parameters and place in a solution: `c` and `k` have one entry for each conv."""

    h: int
    w: int
    c: tuple[int, ...]
    k: tuple[int, ...]
    x: int
    y: int
    turned: bool


@dataclass(frozen=True, slots=True)
class Score:
    """The contest's terms: slowest time in cycles, wire length in tiles, adapters, and the weighted total."""

    time: Fraction
    wire: Fraction
    adapters: int
    total: Fraction


def convs(kernel: Kernel) -> list[tuple[int, int, int, int, int, int, int]]:
    """The convs a kernel is made of, each (H, W, R, S, C, K, T)."""
    if kernel.kind == "conv":
        high, wide, r, s, c, k, stride = kernel.formal
        return [(high, wide, r, s, c, k, stride)]
    high, wide, f = kernel.formal
    quarter = f // 4
    if kernel.kind == "dblock":
        return [
            (high, wide, 1, 1, f, quarter, 1),
            (high, wide, 3, 3, quarter, quarter, 1),
            (high, wide, 1, 1, quarter, f, 1),
        ]
    return [
        (high, wide, 1, 1, f // 2, quarter, 1),
        (high, wide, 3, 3, quarter, quarter, 2),
        (high // 2, wide // 2, 1, 1, quarter, f, 1),
        (high, wide, 1, 1, f // 2, f, 2),
    ]


def extents(kernel: Kernel, spot: Spot) -> tuple[int, int]:
    """Width and height of a kernel's rectangle as it lies."""
    height = max(spot.h * spot.w * (c + 1) for c in spot.c)
    width = sum(3 * k for k in spot.k)
    return (height, width) if spot.turned else (width, height)


def time(kernel: Kernel, spot: Spot) -> Fraction:
    """Cycles of the slowest conv of a kernel."""
    return max(
        Fraction(
            _over(big_h, spot.h) * _over(big_w, spot.w) * _over(big_c, c) * _over(big_k, k) * r * s, t * t
        )
        for (big_h, big_w, r, s, big_c, big_k, t), c, k in zip(convs(kernel), spot.c, spot.k, strict=True)
    )


def memory(kernel: Kernel, spot: Spot) -> int:
    """Bytes a tile of a kernel needs."""
    most = Fraction(0)
    for (big_h, big_w, r, s, big_c, big_k, _), c, k in zip(convs(kernel), spot.c, spot.k, strict=True):
        weights = Fraction(big_c * big_k * r * s, c * k)
        window = Fraction(big_w + s - 1, spot.w) * Fraction(big_h + r - 1, spot.h) * Fraction(big_k, k)
        most = max(most, weights + window)
    return int(most)


def evaluate(graph: KernelGraph, spots: tuple[Spot, ...]) -> Score:
    """The score of a solution, lawful or not; `spots` are in the order of the graph's kernels."""
    pairs = list(zip(graph.kernels, spots, strict=True))
    slowest = max(time(kernel, spot) for kernel, spot in pairs)
    centres = []
    for kernel, spot in pairs:
        width, height = extents(kernel, spot)
        centres.append((spot.x + Fraction(width, 2), spot.y + Fraction(height, 2)))
    wire = Fraction(0)
    adapters = 0
    for a, b in graph.edges:
        wire += abs(centres[a][0] - centres[b][0]) + abs(centres[a][1] - centres[b][1])
        source, target = spots[a], spots[b]
        odd = any(source.c[conv] != target.c[0] for conv in _OUTPUTS[graph.kernels[a].kind])
        adapters += (source.h != target.h) + (source.w != target.w) + odd
    deltat, length, adapter = graph.weights
    return Score(slowest, wire, adapters, deltat * slowest + length * wire + adapter * adapters)


def faults(graph: KernelGraph, spots: tuple[Spot, ...]) -> list[str]:
    """What the contest's rules forbid in a solution, a line each."""
    wrong = []
    taken: list[tuple[str, int, int, int, int]] = []
    for kernel, spot in zip(graph.kernels, spots, strict=True):
        wrong += _kernel_faults(graph, kernel, spot)
        width, height = extents(kernel, spot)
        here = (kernel.name, spot.x, spot.y, spot.x + width, spot.y + height)
        wrong += [f"{other[0]} and {here[0]} overlap" for other in taken if _meet(here, other)]
        taken.append(here)
    return wrong


def _kernel_faults(graph: KernelGraph, kernel: Kernel, spot: Spot) -> list[str]:
    for (big_h, big_w, _, _, big_c, big_k, _), c, k in zip(convs(kernel), spot.c, spot.k, strict=True):
        within = 1 <= spot.h <= big_h and 1 <= spot.w <= big_w and 1 <= c <= big_c and 1 <= k <= big_k
        if not within:
            return [f"{kernel.name}: an execution parameter is not within 1 and its formal parameter"]
    wrong = []
    width, height = extents(kernel, spot)
    if spot.x < 0 or spot.y < 0 or spot.x + width > graph.width or spot.y + height > graph.height:
        wrong.append(f"{kernel.name}: reaches outside the {graph.width} x {graph.height} fabric")
    if (need := memory(kernel, spot)) > graph.memory:
        wrong.append(f"{kernel.name}: needs {need} bytes of a tile, more than {graph.memory}")
    return wrong


def _over(whole: int, part: int) -> int:
    return -(-whole // part)


def _meet(a: tuple[str, int, int, int, int], b: tuple[str, int, int, int, int]) -> bool:
    return a[1] < b[3] and b[1] < a[3] and a[2] < b[4] and b[2] < a[4]
