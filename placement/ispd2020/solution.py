"""Writes placements in the contest's solution format, and reads solutions back.

k3 = conv( H W C K R S T U h w c k )
k1 = dblock( H W F h w c1 c2 c3 k1 k2 k3 )
k2 = cblock( H W F h w c1 c2 c3 c4 k1 k2 k3 k4 )
k1 : place(X Y R0)
"""

from __future__ import annotations

import re
from pathlib import Path

from wsc.compiler.errors import PlacementError
from wsc.placement.ispd2020.evaluate import Spot
from wsc.placement.ispd2020.kgraph import Kernel, KernelGraph
from wsc.placement.ispd2020.shapes import ConvShapes
from wsc.placement.problem import Problem, Shape
from wsc.placement.result import Placement

_CONVS = {"conv": 1, "dblock": 3, "cblock": 4}
_SIZED = re.compile(r"(\w+)\s*=\s*(conv|dblock|cblock)\s*\(([\d\s]*)\)")
_PLACED = re.compile(r"(\w+)\s*:\s*place\s*\(\s*(\d+)\s+(\d+)\s+(R0|R90)\s*\)")


def spots_of(problem: Problem, placement: Placement) -> tuple[Spot, ...]:
    """The execution parameters and places of a placement of a contest problem."""
    spots = []
    for block, at in zip(problem.blocks, placement.placed, strict=True):
        source = block.shapes
        assert isinstance(source, ConvShapes), "a contest problem is made of such shapes"
        shape = Shape(at.width, at.height, at.time, at.payload, at.memory, at.ports)
        h, w, c = at.ports
        features = source.features(shape)
        spots.append(Spot(h, w, (c,) * len(features), features, at.x, at.y, at.payload == 1))
    return tuple(spots)


def solution_text(graph: KernelGraph, spots: tuple[Spot, ...]) -> str:
    """The solution as the contest wants it: all sizes, then all places."""
    lines = []
    for kernel, spot in zip(graph.kernels, spots, strict=True):
        numbers = (*_formal(kernel), spot.h, spot.w, *spot.c, *spot.k)
        lines.append(f"{kernel.name} = {kernel.kind}( {' '.join(map(str, numbers))} )")
    for kernel, spot in zip(graph.kernels, spots, strict=True):
        lines.append(f"{kernel.name} : place({spot.x} {spot.y} {'R90' if spot.turned else 'R0'})")
    return "\n".join(lines) + "\n"


def read_solution(path: Path, graph: KernelGraph) -> tuple[Spot, ...]:
    """The spots in a solution file, in the order of the graph's kernels.

    Raises PlacementError, with the line, for what is not the format or speaks of other kernels than the graph's.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise PlacementError(f"Cannot read {path}: {reason}.") from error
    sizes, places = _lines(text, path.name, {kernel.name: kernel for kernel in graph.kernels})
    spots = []
    for kernel in graph.kernels:
        if kernel.name not in sizes or kernel.name not in places:
            raise PlacementError(f"{path.name}: expected a size and a place of kernel {kernel.name}.")
        h, w, *rest = sizes[kernel.name]
        half = len(rest) // 2
        spots.append(Spot(h, w, tuple(rest[:half]), tuple(rest[half:]), *places[kernel.name]))
    return tuple(spots)


def _lines(
    text: str, file: str, kernels: dict[str, Kernel]
) -> tuple[dict[str, list[int]], dict[str, tuple[int, int, bool]]]:
    sizes: dict[str, list[int]] = {}
    places: dict[str, tuple[int, int, bool]] = {}
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line:
            continue
        sized, placed = _SIZED.fullmatch(line), _PLACED.fullmatch(line)
        match = sized or placed
        name = match[1] if match else ""
        if match and name not in kernels:
            raise PlacementError(f"{file}, line {number}: there is no kernel {name} in the problem.")
        if match and name in (sizes if sized else places):
            raise PlacementError(f"{file}, line {number}: kernel {name} is given twice.")
        if sized:
            sizes[name] = _sizes(sized, kernels[name], f"{file}, line {number}")
        elif placed:
            places[name] = (int(placed[2]), int(placed[3]), placed[4] == "R90")
        else:
            raise PlacementError(
                f"{file}, line {number}: expected a size such as 'k1 = conv( ... )' or a place such as "
                f"'k1 : place(0 0 R0)', found '{line}'."
            )
    return sizes, places


def _sizes(match: re.Match[str], kernel: Kernel, where: str) -> list[int]:
    """h, w, every c and every k, after what repeats the problem."""
    numbers = [int(word) for word in match[3].split()]
    formal = _formal(kernel)
    wanted = len(formal) + 2 + 2 * _CONVS[kernel.kind]
    if match[2] != kernel.kind or len(numbers) != wanted or tuple(numbers[: len(formal)]) != formal:
        start = " ".join(map(str, formal))
        raise PlacementError(
            f"{where}: expected '{kernel.name} = {kernel.kind}( {start} ... )' with {wanted} numbers, "
            f"found '{match[0]}'."
        )
    if min(numbers) < 1:
        raise PlacementError(f"{where}: expected numbers of at least 1, found '{match[0]}'.")
    return numbers[len(formal) :]


def _formal(kernel: Kernel) -> tuple[int, ...]:
    """The formal parameters in the order of solution files."""
    if kernel.kind != "conv":
        return kernel.formal
    h, w, r, s, c, k, t = kernel.formal
    return (h, w, c, k, r, s, t, t)
