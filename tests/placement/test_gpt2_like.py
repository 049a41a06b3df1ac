"""Ninety blocks shaped like GPT-2's kernels on a whole wafer: how much of it is used, and how near the bound."""

from math import ceil, sqrt

from wsc.placement.check import check
from wsc.placement.problem import Block, Fabric, Net, Problem, Shape
from wsc.placement.solver import solve

WIDTH, HEIGHT = 750, 994
LAYER = ("norm", "qkv", "attention", "projection", "norm", "up", "down")
WEIGHTS = {
    "qkv": (768, 2304),
    "attention": (768, 512),
    "projection": (768, 768),
    "up": (768, 3072),
    "down": (3072, 768),
    "head": (768, 50257),
}
VECTOR_CORES = {"norm": 40, "add": 16}
MOST_WEIGHTS = 20_000  # in the memory of a core


def matrix(rows: int, columns: int) -> tuple[Shape, ...]:
    """Every way to spread rows x columns weights over a rectangle of cores in equal tiles."""
    widths = sorted({ceil(columns / tile) for tile in range(1, columns + 1)} & set(range(1, WIDTH + 1)))
    heights = sorted({ceil(rows / tile) for tile in range(1, rows + 1)} & set(range(1, HEIGHT + 1)))
    tiles = [(w, h, ceil(columns / w) * ceil(rows / h)) for w in widths for h in heights]
    return tuple(Shape(w, h, 128 * tile * 13 // 10 + 1000) for w, h, tile in tiles if tile <= MOST_WEIGHTS)


def vector(most: int) -> tuple[Shape, ...]:
    sides = range(1, most + 1)
    return tuple(Shape(w, h, 200_000 // (w * h) + 500) for w in sides for h in sides if w * h <= most)


def gpt2_like() -> Problem:
    menus = {name: matrix(*sides) for name, sides in WEIGHTS.items()}
    menus |= {name: vector(cores) for name, cores in VECTOR_CORES.items()}
    kinds = ["add", *LAYER * 12, "norm", "head", "norm", "add", "norm"]
    nets = [Net(i, i + 1, {"qkv": 4608, "up": 6144}.get(kinds[i], 1536)) for i in range(len(kinds) - 1)]
    for first in range(1, 1 + 12 * len(LAYER), len(LAYER)):  # the two residuals of each layer
        nets += [Net(first - 1, first + 4, 1536), Net(first + 3, first + 7, 1536)]
    blocks = tuple(Block(f"{index}.{kind}", menus[kind]) for index, kind in enumerate(kinds))
    return Problem(Fabric(WIDTH, HEIGHT), blocks, tuple(nets))


def test_a_wafer_is_well_used() -> None:
    problem = gpt2_like()
    placement = solve(problem)
    assert len(problem.blocks) == 90
    assert check(problem, placement) == []
    assert placement.cores_used >= 0.95 * WIDTH * HEIGHT
    assert placement.slowest <= 1.02 * placement.bound
    assert placement.wire_length <= 1.8 * reference(problem, placement.slowest)


def reference(problem: Problem, limit: int) -> float:
    """The wire of blocks that are squares of their least area, each touching all that it talks to."""
    side = [sqrt(min(s.width * s.height for s in b.shapes if s.time <= limit)) for b in problem.blocks]
    return sum(net.weight * (side[net.source] + side[net.target]) / 2 for net in problem.nets)
