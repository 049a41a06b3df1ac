"""The contest's rules, files and known facts, on graphs written here from the formulas alone."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from wsc.compiler.errors import PlacementError
from wsc.placement.candidates import catalogue, time_bound
from wsc.placement.check import check
from wsc.placement.effort import SolveParams
from wsc.placement.ispd2020.evaluate import Spot, evaluate, extents, faults, memory, time
from wsc.placement.ispd2020.kgraph import Kernel, KernelGraph, parse_kgraph
from wsc.placement.ispd2020.shapes import ConvShapes, convs_of, problem_of
from wsc.placement.ispd2020.solution import read_solution, solution_text, spots_of
from wsc.placement.solver import solve

HEADER = "(*\ntest=small\nwidth=60\nheight=50\nwdeltat=1\nwlength=10\nwadapter=100\nmemlimit=24576\n*)\n"
NODES = """
(* Node Definitions *)
input[ 0] n=[ 14 14 8 ] name='x' name='k0'
conv[1] W=14 H=14 R=3 S=3 C=8 K=8 T=1 U=1 name='k1'
dblock[ 2] f=32 h=7 w=7 name='a' name='k2'
cblock[3]\tf=16 h=14 w=14 name='k3'
output[4] n=[7 7 32] name='k4'
"""
EDGES = """
cblock[ 3]:y -> dblock[2]:x, shape:[7][7][32]
input[0]:_\t->\tconv[1]:x, shape:[14][14][8]
conv[1]:y -> cblock[3]:x, shape:[14][14][8]
conv[1]:y -> dblock[2]:x, shape:[7][7][32]
dblock[2]:y -> output[4]:_, shape:[7][7][32]"""
SMALL = HEADER + NODES + EDGES
BRISK = SolveParams(limits=4, levels=6, starts=2, moves=2000, rounds=1, polished=1, polish_effort=0.1)


def chain(blocks: list[tuple[str, int, int]]) -> KernelGraph:
    """A chain of blocks (kind, F, H = W) on the contest's fabric."""
    kernels = tuple(Kernel(f"k{at}", kind, (h, h, f)) for at, (kind, f, h) in enumerate(blocks))
    weights = (Fraction(1), Fraction(1), Fraction(0))
    return KernelGraph("chain", 633, 633, 24576, weights, kernels, tuple(pairwise(range(len(kernels)))))


RESNET = [  # the sixteen blocks of the contest's smallest graph, in the order of the data flow
    *[("cblock", 256, 112), ("dblock", 256, 56), ("dblock", 256, 56)],
    *[("cblock", 512, 56), *[("dblock", 512, 28)] * 3],
    *[("cblock", 1024, 28), *[("dblock", 1024, 14)] * 5],
    *[("cblock", 2048, 14), *[("dblock", 2048, 7)] * 2],
]


def test_a_graph_with_all_its_traps_is_read() -> None:
    graph = parse_kgraph(SMALL, "small.kgraph")
    assert (graph.name, graph.width, graph.height, graph.memory) == ("small", 60, 50, 24576)
    assert graph.weights == (1, 10, 100)
    assert graph.kernels == (
        Kernel("k1", "conv", (14, 14, 3, 3, 8, 8, 1)),
        Kernel("k2", "dblock", (7, 7, 32)),
        Kernel("k3", "cblock", (14, 14, 16)),
    )
    assert graph.edges == ((2, 1), (0, 2), (0, 1))


def test_terms_by_hand() -> None:
    conv = Kernel("k", "conv", (14, 14, 3, 3, 8, 16, 2))
    spot = Spot(h=2, w=3, c=(4,), k=(5,), x=1, y=2, turned=False)
    assert extents(conv, spot) == (15, 30)
    assert extents(conv, replace(spot, turned=True)) == (30, 15)
    assert time(conv, spot) == Fraction(7 * 5 * 2 * 4 * 9, 4)
    assert memory(conv, spot) == int(Fraction(8 * 16 * 9, 20) + Fraction(16, 3) * 8 * Fraction(16, 5))


def test_adapters_at_the_worst_reading() -> None:
    kernels = (Kernel("a", "dblock", (7, 7, 32)), Kernel("b", "conv", (7, 7, 1, 1, 32, 8, 1)))
    graph = KernelGraph("g", 633, 633, 24576, (Fraction(1), Fraction(0), Fraction(0)), kernels, ((0, 1),))
    first = Spot(1, 1, (4, 4, 4), (2, 2, 2), 0, 0, False)
    second = Spot(1, 1, (4,), (2,), 100, 0, False)
    counts = {
        (4, 4, 4): 0,
        (4, 5, 4): 0,  # the c of the middle conv faces nobody
        (5, 4, 4): 1,
        (4, 4, 5): 1,
    }
    for c, count in counts.items():
        assert evaluate(graph, (replace(first, c=c), second)).adapters == count
    assert evaluate(graph, (replace(first, h=2, w=7), second)).adapters == 2


@pytest.mark.parametrize("index", range(3))
def test_sizing_agrees_with_the_rules(index: int) -> None:
    """Every shape's sides, time and memory, by code that shares nothing with the sizing."""
    kernel = parse_kgraph(SMALL, "small").kernels[index]
    source = ConvShapes(convs_of(kernel), 60, 24576, 4)
    table = source.within(40_000)
    assert len(table.width) > 50
    for row in np.linspace(0, len(table.width) - 1, 25).astype(int):
        shape = table.shape(int(row))
        h, w, c = shape.ports
        features = source.features(shape)
        spot = Spot(h, w, (c,) * len(features), features, 0, 0, shape.payload == 1)
        assert extents(kernel, spot) == (shape.width, shape.height)
        assert time(kernel, spot) * 4 == shape.time <= 40_000
        assert memory(kernel, spot) == shape.memory <= 24576
        assert source.offers(shape)
        assert not source.offers(replace(shape, width=shape.width + 3))


def test_the_area_bound_of_the_contests_smallest_graph() -> None:
    problem = problem_of(chain(RESNET))
    bound = time_bound(catalogue(problem), problem.fabric.free)
    assert bound is not None
    assert Fraction(bound, problem.ticks_per_cycle) == 33152


def test_a_row_of_its_blocks_attains_39312_at_width_604() -> None:
    menus = catalogue(problem_of(chain(RESNET)))
    limit = 39312 * 4

    def width(limit: int) -> int:
        tables = [menus.menus[kind].within(limit) for kind in menus.of_block]
        return sum(int(table.width.min()) for table in tables)

    assert width(limit) == 604
    assert width(limit - 1) > 633


def test_a_solution_is_lawful_and_reads_back(tmp_path: Path) -> None:
    graph = parse_kgraph(SMALL, "small")
    problem = problem_of(graph)
    placement = solve(problem, BRISK)
    spots = spots_of(problem, placement)
    file = tmp_path / "solution.txt"
    file.write_text(solution_text(graph, spots))
    assert check(problem, placement) == []
    assert faults(graph, spots) == []
    assert evaluate(graph, spots).total == placement.total
    assert placement.total_bound is not None
    assert placement.total is not None
    assert placement.total_bound <= placement.total
    assert read_solution(file, graph) == spots


def test_the_solution_format() -> None:
    graph = parse_kgraph(SMALL, "small")
    spots = (
        Spot(1, 2, (3,), (4,), 5, 6, False),
        Spot(1, 1, (2, 2, 2), (3, 4, 5), 7, 8, True),
        Spot(1, 1, (2, 2, 2, 2), (3, 4, 5, 6), 9, 10, False),
    )
    assert solution_text(graph, spots) == (
        "k1 = conv( 14 14 8 8 3 3 1 1 1 2 3 4 )\n"
        "k2 = dblock( 7 7 32 1 1 2 2 2 3 4 5 )\n"
        "k3 = cblock( 14 14 16 1 1 2 2 2 2 3 4 5 6 )\n"
        "k1 : place(5 6 R0)\nk2 : place(7 8 R90)\nk3 : place(9 10 R0)\n"
    )


LAWFUL = (
    Spot(14, 1, (1,), (1,), 0, 0, False),
    Spot(7, 1, (1, 1, 1), (1, 1, 1), 10, 0, False),
    Spot(7, 1, (1, 1, 1, 1), (1, 1, 1, 1), 25, 0, False),
)


@pytest.mark.parametrize(
    ("index", "change", "words"),
    [
        (0, {"x": 58}, "k1: reaches outside the 60 x 50 fabric"),
        (0, {"x": 11}, "k1 and k2 overlap"),
        (0, {"h": 15}, "an execution parameter is not within"),
        (1, {"c": (9, 1, 1)}, None),
        (1, {"c": (33, 1, 1)}, "an execution parameter is not within"),
    ],
)
def test_broken_rules_are_named(index: int, change: dict[str, object], words: str | None) -> None:
    graph = parse_kgraph(SMALL, "small")
    assert faults(graph, LAWFUL) == []
    spots = list(LAWFUL)
    spots[index] = replace(spots[index], **change)  # type: ignore[arg-type]  # each field with its own type
    found = faults(graph, tuple(spots))
    assert any(words in fault for fault in found) if words else all("outside" in f for f in found)


def test_memory_is_limited() -> None:
    graph = replace(parse_kgraph(SMALL, "small"), memory=10)
    assert any("bytes of a tile, more than 10" in fault for fault in faults(graph, LAWFUL))


MALFORMED = {
    "no_edge": (SMALL.replace("-> dblock[2]:x", "-> dblock 2"), "line 18: expected an edge, as in"),
    "no_node": (SMALL.replace("conv[1]:y", "conv[9]:y"), r"conv\[9\] is none of them"),
    "no_number": (SMALL.replace("C=8 K=8", "C=8 K=x"), "line 13: expected K= with a whole number"),
    "no_kind": (SMALL.replace("dblock[ 2]", "eblock[ 2]"), "line 14: expected a node of kind"),
    "two_of_one": (SMALL.replace("dblock[ 2]", "dblock[ 1]"), "line 14: expected a node other than"),
    "no_key": (SMALL.replace("width=60\n", ""), "expected width= with a whole number .* found 'nothing'"),
    "no_weight": (SMALL.replace("wlength=10", "wlength=ten"), "expected wlength= with a number"),
    "no_sense": (SMALL.replace("height=50", "height 50"), "line 4: expected key=value"),
    "no_kernel": (HEADER, "expected at least one conv"),
    "other_stride": (SMALL.replace("U=1", "U=2"), "line 13: expected the same stride"),
    "no_quarter": (SMALL.replace("f=32", "f=33"), "line 14: expected f= divisible by 4"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_graph_is_refused(name: str) -> None:
    text, words = MALFORMED[name]
    with pytest.raises(PlacementError, match=words):
        parse_kgraph(text, "small.kgraph")


SOLUTION = "k1 = conv( 14 14 8 8 3 3 1 1 1 2 3 4 )\nk1 : place(5 6 R0)\n"
BAD_SOLUTIONS = {
    "k1 = conv( 14 14 )\n": "line 1: expected 'k1 = conv.* with 12 numbers",
    "k1 = dblock( 14 14 8 8 3 3 1 1 1 2 3 4 )\n": "line 1: expected 'k1 = conv",
    "k7 : place(0 0 R0)\n": "line 1: there is no kernel k7",
    "k1 : place(0 0 R45)\n": "line 1: expected a size such as",
    SOLUTION + "k1 : place(5 6 R0)\n": "line 3: kernel k1 is given twice",
    SOLUTION: "expected a size and a place of kernel k2",
}


@pytest.mark.parametrize("text", BAD_SOLUTIONS)
def test_a_malformed_solution_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "s.txt"
    file.write_text(text)
    with pytest.raises(PlacementError, match=BAD_SOLUTIONS[text]):
        read_solution(file, parse_kgraph(SMALL, "small"))
