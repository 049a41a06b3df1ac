"""Where the blocks ended up, with its JSON form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from wsc.compiler.errors import BuildError, VerificationError

FORMAT = "wsc.placement"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Placed:
    """A block's rectangle: lower corner and sides in cores, time in cycles an input, payload of the chosen shape.

    Raises VerificationError for a negative corner or a side that is not positive.
    """

    x: int
    y: int
    width: int
    height: int
    time: int
    payload: int

    def __post_init__(self) -> None:
        if min(self.x, self.y, self.time) < 0 or min(self.width, self.height) < 1:
            raise VerificationError(f"not a rectangle on a fabric: {self}")


@dataclass(frozen=True, slots=True)
class Placement:
    """The rectangles, in the order of the problem's blocks, and how good they are.

    `slowest` is the time of the slowest block and `bound` what no placement can beat, both in cycles an input.
    `wire_length` is the sum over the nets of bytes times hops between centres, rounded up to a whole byte-hop.
    `status` is "optimal" where the slowest time is proved shortest, else "feasible"; neither speaks of the wire.
    Raises VerificationError where the figures contradict one another.
    """

    placed: tuple[Placed, ...]
    slowest: int
    wire_length: int
    bound: int
    cores_used: int
    status: str

    def __post_init__(self) -> None:
        if not self.placed or min(self.wire_length, self.bound) < 0:
            raise VerificationError("a placement needs a block and figures of at least 0")
        if self.bound > self.slowest:
            raise VerificationError(f"lower bound {self.bound} is above the slowest time {self.slowest}")
        if self.status != ("optimal" if self.bound == self.slowest else "feasible"):
            raise VerificationError(
                f"status {self.status!r} with bound {self.bound} and slowest {self.slowest}"
            )

    def to_json(self) -> str:
        """The placement as text: one JSON object, a line a block; equal placements give equal text."""
        head = {"format": FORMAT, "version": VERSION, **asdict(self)}
        rows = ",\n  ".join(json.dumps(row) for row in head.pop("placed"))
        return f'{json.dumps(head)[:-1]}, "placed": [\n  {rows}\n]}}\n'


def from_json(text: str) -> Placement:
    """The placement that `to_json` wrote; raises BuildError where the text is anything else."""
    try:
        body = json.loads(text)
        if (body.pop("format"), body.pop("version")) != (FORMAT, VERSION):
            raise BuildError(f"a placement of another format or version; this wsc reads {FORMAT} {VERSION}")
        return _checked(body)
    except (AttributeError, KeyError, TypeError, ValueError, VerificationError) as error:
        raise BuildError(f"not a placement: {error}") from error


def _checked(body: dict[str, Any]) -> Placement:
    placed = tuple(Placed(**row) for row in body.pop("placed"))
    placement = Placement(placed, **body)
    numbers = [number for row in placed for number in asdict(row).values()]
    numbers += [number for key, number in asdict(placement).items() if key not in {"placed", "status"}]
    if not all(type(number) is int for number in numbers):
        raise ValueError("a figure is not an integer")
    return placement
