"""Where the blocks ended up, with its JSON form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from wsc.compiler.errors import BuildError, VerificationError
from wsc.placement.problem import Problem

FORMAT = "wsc.placement"
VERSION = 2


@dataclass(frozen=True, slots=True)
class Placed:
    """A block's rectangle: lower corner and sides in cores, time in ticks an input, payload of the chosen shape.

    `memory` and `ports` are the shape's. Raises VerificationError for a negative corner or a side that is not
    positive.
    """

    x: int
    y: int
    width: int
    height: int
    time: int
    payload: int
    memory: int = 0
    ports: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if min(self.x, self.y, self.time) < 0 or min(self.width, self.height) < 1:
            raise VerificationError(f"not a rectangle on a fabric: {self}")


@dataclass(frozen=True, slots=True)
class Placement:
    """The rectangles, in the order of the problem's blocks, how good they are, and what none can beat.

    `slowest` is the time of the slowest block and `bound` the least there can be, both in ticks an input.
    `half_hops` is twice the sum over the nets of weight times hops between centres, and `half_hops_bound` the least
    of any placement. `adapters` counts port entries that differ. `total` is the weighted objective and `total_bound`
    what no placement is below; both None where the problem has no weights. `status` is "optimal" where the slowest
    time is proved shortest, else "feasible"; neither speaks of the wire. `interrupted` says that the search was cut
    short. Raises VerificationError where the figures contradict one another.
    """

    placed: tuple[Placed, ...]
    slowest: int
    half_hops: int
    bound: int
    cores_used: int
    status: str
    adapters: int = 0
    half_hops_bound: int = 0
    total: Fraction | None = None
    total_bound: Fraction | None = None
    interrupted: bool = False

    def __post_init__(self) -> None:
        if not self.placed or min(self.half_hops, self.bound, self.adapters, self.half_hops_bound) < 0:
            raise VerificationError("a placement needs a block and figures of at least 0")
        if self.bound > self.slowest:
            raise VerificationError(f"lower bound {self.bound} is above the slowest time {self.slowest}")
        if self.status != ("optimal" if self.bound == self.slowest else "feasible"):
            raise VerificationError(
                f"status {self.status!r} with bound {self.bound} and slowest {self.slowest}"
            )
        if self.total is not None and self.total_bound is not None and self.total_bound > self.total:
            raise VerificationError(f"lower bound {self.total_bound} is above the total {self.total}")

    @property
    def wire_length(self) -> int:
        """The sum over the nets of weight times hops between centres, rounded up to a whole hop."""
        return -(-self.half_hops // 2)

    @property
    def gap(self) -> float:
        """By what share of its bound the total, or the slowest time where there is none, is above it."""
        if self.total is None or self.total_bound is None:
            return self.slowest / self.bound - 1 if self.bound else 0.0
        return float(self.total / self.total_bound - 1) if self.total_bound else 0.0

    def to_json(self) -> str:
        """The placement as text: one JSON object, a line a block; equal placements give equal text."""
        head = {"format": FORMAT, "version": VERSION, **asdict(self)}
        for key in ("total", "total_bound"):
            head[key] = None if head[key] is None else str(head[key])
        rows = ",\n  ".join(json.dumps(row) for row in head.pop("placed"))
        return f'{json.dumps(head)[:-1]}, "placed": [\n  {rows}\n]}}\n'


def total_of(problem: Problem, slowest: int, half_hops: int, adapters: int) -> Fraction | None:
    """The weighted objective of these figures; None where the problem has no weights."""
    weights = problem.weights
    if weights is None:
        return None
    time = weights.time * Fraction(slowest, problem.ticks_per_cycle)
    return time + weights.wire * Fraction(half_hops, 2) + weights.adapter * adapters


def from_json(text: str) -> Placement:
    """The placement that `to_json` wrote; raises BuildError where the text is anything else."""
    try:
        body = json.loads(text)
        if (body.pop("format"), body.pop("version")) != (FORMAT, VERSION):
            raise BuildError(f"a placement of another format or version; this wsc reads {FORMAT} {VERSION}")
        return _checked(body)
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError, VerificationError) as error:
        raise BuildError(f"not a placement: {error}") from error


def _fraction(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


def _checked(body: dict[str, Any]) -> Placement:
    rows = [row | {"ports": tuple(row["ports"])} for row in body.pop("placed")]
    total, total_bound = (_fraction(body.pop(key)) for key in ("total", "total_bound"))
    placed = tuple(Placed(**row) for row in rows)
    placement = Placement(placed, total=total, total_bound=total_bound, **body)
    numbers = [number for row in rows for key, number in row.items() if key != "ports"]
    numbers += [entry for row in rows for entry in row["ports"]]
    numbers += [number for key, number in body.items() if key not in {"status", "interrupted"}]
    if not all(type(number) is int for number in numbers) or type(body["interrupted"]) is not bool:
        raise ValueError("a figure is not an integer")
    return placement
