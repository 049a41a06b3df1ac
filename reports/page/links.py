"""What leads from one part of a page to another: regions to kernels, kernels to lines of the program and the model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from wsc.compiler.ir.graph import Graph
from wsc.simulation.floorplan import Floorplan
from wsc.simulation.trace import Trace

_DEFINES = re.compile(r"""^\s*(?:kernel|stage)\s+"([^"]+)"|\blabel='([^']+)'""")


def owners(plan: Floorplan, trace: Trace) -> list[int]:
    """The number of the kernel that stands in each region; -1 where it is none of the trace's.

    A region is named after its kernel, or begins with its name and a space: "conv (tile 3)".
    """
    numbers = {kernel.name: number for number, kernel in enumerate(trace.kernels)}
    found = []
    for region in plan.regions:
        name = region.name
        while name not in numbers and " " in name:
            name = name.rpartition(" ")[0]
        found.append(numbers.get(name, -1))
    return found


def program_lines(text: str, kernels: Iterable[str], regions: Iterable[str]) -> dict[str, int]:
    """The first line of a program's text, from 0, that defines a kernel or carries its label."""
    wanted, found = {*kernels, *regions}, dict[str, int]()
    for number, line in enumerate(text.splitlines()):
        match = _DEFINES.search(line)
        name = (match[1] or match[2]) if match else ""
        if name in wanted:
            found.setdefault(name, number)
    return found


def places(graph: Graph, kernels: Sequence[str]) -> dict[str, str]:
    """`file:line` of the model that a kernel comes from: of the node or module of its name, or of the first inside."""
    by_name: dict[str, str] = {}
    for node in graph:
        if not node.location.file or node.is_weight:
            continue
        place = f"{node.location.file}:{node.location.line}"
        for name in (*_prefixes(node.name), *_prefixes(node.location.module)):
            by_name.setdefault(name, place)
    return {name: place for name in kernels if (place := by_name.get(name) or _nearest(by_name, name))}


def _prefixes(name: str) -> list[str]:
    """a.b.c is in a.b and in a."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)] if name else []


def _nearest(by_name: dict[str, str], name: str) -> str:
    return next((by_name[prefix] for prefix in _prefixes(name) if prefix in by_name), "")
