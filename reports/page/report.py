"""What a report page is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wsc.compiler.ir.graph import Graph
from wsc.compiler.machine import Capacity
from wsc.simulation.floorplan import Floorplan
from wsc.simulation.timeline import Timeline
from wsc.simulation.trace import Trace


@dataclass(frozen=True, eq=False)
class Report:
    """All that a page tells: the build's artefacts, its summary in words, and the text of its program.

    `bound_cycles` is the machine's own lower bound of the interval, 0 for not said; `validated` is what the cycles were
    held against, empty for nothing; `timeline` is what happens when in the first inputs.
    """

    title: str
    summary: Sequence[tuple[str, str]]
    graph: Graph
    trace: Trace
    plan: Floorplan
    capacity: Capacity
    program: str
    bound_cycles: int = 0
    validated: str = ""
    timeline: Timeline | None = None
