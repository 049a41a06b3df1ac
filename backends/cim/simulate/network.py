"""Routes over the mesh of each chip, between chips and to the host, and the bytes that a transfer puts on every link.

Routes go along x, then y, or along y, then x, whichever adds less to the busiest link of a transfer. What one tile
sends to many goes as a multicast: a link carries each byte of it once. Chips
stand in a row; a link joins neighbours at the middle of their facing edges. The host's bytes enter in the row of the
tile that they are for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np

from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.program import Program
from wsc.simulation.links import Path

Place = tuple[int, int, int]
Link = tuple[str, int, int, int]  # direction or kind, chip, x, y


@dataclass(frozen=True)
class Load:
    """Bytes on every link for one transfer, and the most links that a byte passes."""

    bytes: Mapping[Link, float]
    hops: int

    @property
    def hop_bytes(self) -> float:
        """Bytes times links."""
        return sum(self.bytes.values())


class Network:
    """The links of a program's chips; numbers them as they are met."""

    def __init__(self, program: Program, machine: CimMachine) -> None:
        self.program = program
        self.machine = machine
        self.numbers: dict[Link, int] = {}

    def balanced(self, sends: Iterable[tuple[int, Mapping[int, float], float]]) -> list[Load]:
        """The multicasts (source, bytes for each target, bytes of the source) of one transfer, routed by turns."""
        total: dict[Link, float] = defaultdict(float)
        loads = []
        for source, targets, data in sends:
            ways = [self.multicast(source, targets, data, x_first) for x_first in (True, False)]
            best = min(
                ways, key=lambda load: max((total[link] + b for link, b in load.bytes.items()), default=0.0)
            )
            for link, amount in best.bytes.items():
                total[link] += amount
            loads.append(best)
        return loads

    def multicast(self, source: int, targets: Mapping[int, float], data: float, x_first: bool = True) -> Load:
        """Bytes for each target tile out of `data` bytes that the source has: no link carries more than those."""
        loads: dict[Link, float] = defaultdict(float)
        hops = 0
        start = self.program.places[source]
        by_chip: dict[int, dict[Place, float]] = defaultdict(dict)
        for tile, amount in targets.items():
            place = self.program.places[tile]
            by_chip[place[0]][place] = by_chip[place[0]].get(place, 0.0) + amount
        for chip, places in by_chip.items():
            if chip == start[0]:
                hops = max(hops, self._spread(start, places, data, loads, x_first))
            else:
                total = min(data, sum(places.values()))
                way, entry = self._between(start, chip, total, loads)
                hops = max(hops, way + self._spread(entry, places, total, loads))
        return Load(loads, hops)

    def host(self, targets: Mapping[int, float], out: bool) -> Load:
        """Bytes from the host to tiles, or from tiles to the host where `out`."""
        loads: dict[Link, float] = defaultdict(float)
        hops = 0
        for tile, amount in targets.items():
            chip, x, y = self.program.places[tile]
            loads[("out" if out else "in", 0, 0, 0)] += amount
            for step in range(x):
                loads[("w" if out else "e", chip, step + 1 if out else step, y)] += amount
            hops = max(hops, x + 1)
        return Load(loads, hops)

    def path(self, loads: Iterable[Load]) -> Path:
        """All of a transfer as one reservation."""
        total: dict[Link, float] = defaultdict(float)
        hops = 0
        for load in loads:
            hops = max(hops, load.hops)
            for link, amount in load.bytes.items():
                total[link] += amount
        cycles = {link: ceil(amount / self._rate(link)) for link, amount in total.items() if amount > 0}
        numbers = [self.numbers.setdefault(link, len(self.numbers)) for link in cycles]
        longest = max(cycles.values(), default=0)
        arrival = longest + hops * self.machine.tile.hop_cycles
        return Path(np.array(numbers, np.int64), np.array(list(cycles.values()), np.int64), longest, arrival)

    def _rate(self, link: Link) -> float:
        if link[0] in ("in", "out"):
            return self.machine.chip.host_bytes_per_cycle
        if link[0] in ("next", "back"):
            return self.machine.chip.chip_link_bytes_per_cycle
        return self.machine.tile.router_bytes_per_cycle

    def _spread(
        self,
        start: Place,
        places: Mapping[Place, float],
        data: float,
        loads: dict[Link, float],
        x_first: bool = True,
    ) -> int:
        """A multicast on one chip: along the first dimension, and from there along the other; returns the most hops."""
        chip, x0, y0 = start
        first, second = (x0, y0) if x_first else (y0, x0)
        lines: dict[int, dict[int, float]] = defaultdict(dict)
        for (_, x, y), amount in places.items():
            a, b = (x, y) if x_first else (y, x)
            lines[a][b] = lines[a].get(b, 0.0) + amount
        wanted = {a: sum(others.values()) for a, others in lines.items()}
        self._line(first, wanted, data, (chip, second, x_first), loads)
        for a, others in lines.items():
            self._line(second, others, min(data, wanted[a]), (chip, a, not x_first), loads)
        return max(abs(x - x0) + abs(y - y0) for _, x, y in places)

    def _line(
        self,
        start: int,
        wanted: Mapping[int, float],
        data: float,
        where: tuple[int, int, bool],
        loads: dict[Link, float],
    ) -> None:
        """A multicast along a line, both ways from `start`: each link carries what is wanted beyond it.

        `where` is the chip, the other coordinate, and whether the line runs along x.
        """
        chip, other, along_x = where
        for way, name in ((1, "e" if along_x else "s"), (-1, "w" if along_x else "n")):
            beyond = {at: amount for at, amount in wanted.items() if (at - start) * way > 0}
            if not beyond:
                continue
            total = sum(beyond.values())
            end = max(beyond, key=lambda at: (at - start) * way)
            for at in range(start, end, way):
                link = (name, chip, at, other) if along_x else (name, chip, other, at)
                loads[link] += min(data, total)
                total -= beyond.get(at + way, 0.0)

    def _between(self, start: Place, chip: int, amount: float, loads: dict[Link, float]) -> tuple[int, Place]:
        """Bytes from a place to the entry of another chip; returns the hops and the entry."""
        way = 1 if chip > start[0] else -1
        middle, width = self.program.height // 2, self.program.width
        hops, at = 0, start
        while at[0] != chip:
            gate = (at[0], width - 1 if way > 0 else 0, middle)
            if gate != at:
                hops += self._spread(at, {gate: amount}, amount, loads)
            loads[("next" if way > 0 else "back", at[0], 0, 0)] += amount
            hops += 1
            at = (at[0] + way, 0 if way > 0 else width - 1, middle)
        return hops, at
