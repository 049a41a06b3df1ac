"""What is drawn: kernels in rectangles of cores, and one number a core.

Cores are counted from the top left corner, x to the right and y down. Arrays are indexed [y, x].
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

UNUSED = -1
BLOCKED = -2


@dataclass(frozen=True)
class Region:
    """A kernel's rectangle of cores; `group` is the class of kernel that gives its colour, such as "linear"."""

    name: str
    x: int
    y: int
    width: int
    height: int
    group: str

    def __post_init__(self) -> None:
        if self.x < 0 or self.y < 0 or self.width < 1 or self.height < 1:
            raise ValueError(
                f"region '{self.name}' is no rectangle of cores: {self.width} x {self.height} at ({self.x}, {self.y})"
            )

    @property
    def cores(self) -> int:
        """Number of cores."""
        return self.width * self.height

    @property
    def cells(self) -> tuple[slice, slice]:
        """Where the region lies in an array [height, width]."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


@dataclass(frozen=True, eq=False)
class Field:
    """One number a core, in `unit`; NaN where there is none.

    `values` is [height, width] and is copied. `low` and `high` are the ends of the colour scale; None takes
    them from the values. Units "B" and "bytes" count in KiB, others in k and M.
    """

    title: str
    unit: str
    values: NDArray[np.float64]
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        if values.ndim != 2 or values.size == 0:
            raise ValueError(f"field '{self.title}' must be [height, width], not {list(values.shape)}")
        if np.isinf(values).any():
            raise ValueError(f"field '{self.title}' has infinite values; write NaN where there is none")
        ends = [end for end in (self.low, self.high) if end is not None]
        if not np.isfinite(ends).all() or ends != sorted(ends):
            raise ValueError(f"field '{self.title}' has no scale from {self.low} to {self.high}")
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    @cached_property
    def known(self) -> NDArray[np.float64]:
        """The values that are not NaN, in one row."""
        return self.values[~np.isnan(self.values)]

    @cached_property
    def scale(self) -> tuple[float, float]:
        """The lower and upper end of the colour scale; the lower is below the upper even for a constant field."""
        known = self.known if self.known.size else np.array([0.0, 1.0])
        low = float(known.min()) if self.low is None else self.low
        high = float(known.max()) if self.high is None else self.high
        if low < high:
            return low, high
        room = abs(high if self.low is None else low) or 1.0
        return (high - room, high) if self.low is None and self.high is not None else (low, low + room)


@dataclass(frozen=True)
class Share:
    """The cores of one group, and their share of the fabric (0 to 1)."""

    group: str
    cores: int
    share: float


@dataclass(frozen=True, eq=False)
class Floorplan:
    """A fabric of width x height cores, the kernels on it, and fields over it; `blocked` are (x, y) of dead cores.

    Regions may overlap, where kernels take turns: the later one is drawn on top and counted.
    """

    title: str
    width: int
    height: int
    regions: tuple[Region, ...] = ()
    fields: tuple[Field, ...] = ()
    blocked: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a fabric of {self.width} x {self.height} cores")
        for region in self.regions:
            if region.x + region.width > self.width or region.y + region.height > self.height:
                raise ValueError(
                    f"region '{region.name}' leaves the fabric of {self.width} x {self.height} cores"
                )
        for field in self.fields:
            self.check(field)
        outside = [
            cell for cell in self.blocked if not (0 <= cell[0] < self.width and 0 <= cell[1] < self.height)
        ]
        if outside:
            raise ValueError(f"blocked cores outside the fabric: {outside}")
        titles = [field.title for field in self.fields]
        if len(set(titles)) < len(titles):
            raise ValueError(f"two fields have one title: {titles}")

    def check(self, field: Field) -> None:
        """Raise ValueError unless `field` covers this fabric exactly."""
        if field.values.shape != (self.height, self.width):
            raise ValueError(
                f"field '{field.title}' is {list(field.values.shape)}, the fabric [{self.height}, {self.width}]"
            )

    def field(self, title: str) -> Field:
        """The field of this title; KeyError where there is none."""
        for field in self.fields:
            if field.title == title:
                return field
        raise KeyError(title)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The groups in order of first appearance, which is the order of their colours."""
        return tuple(dict.fromkeys(region.group for region in self.regions))

    @cached_property
    def owners(self) -> NDArray[np.int32]:
        """[height, width]: the index in `groups` of what stands on each core, or UNUSED or BLOCKED."""
        owners = np.full((self.height, self.width), UNUSED, dtype=np.int32)
        index = {group: number for number, group in enumerate(self.groups)}
        for region in self.regions:
            rows, columns = (
                slice(region.y, region.y + region.height),
                slice(region.x, region.x + region.width),
            )
            owners[rows, columns] = index[region.group]
        for x, y in self.blocked:
            owners[y, x] = BLOCKED
        owners.setflags(write=False)
        return owners

    @cached_property
    def turns(self) -> NDArray[np.int32]:
        """[height, width]: 0 and 1 by turns for the kernels of one group, so that neighbours can be told apart."""
        turns = np.zeros((self.height, self.width), dtype=np.int32)
        seen = dict.fromkeys(self.groups, 0)
        for region in self.regions:
            turns[region.cells] = seen[region.group] % 2
            seen[region.group] += 1
        turns.setflags(write=False)
        return turns

    @cached_property
    def shares(self) -> tuple[Share, ...]:
        """The cores of each group, in the order of `groups`."""
        return tuple(self._share(group, number) for number, group in enumerate(self.groups))

    @cached_property
    def unused(self) -> Share:
        """The cores that no kernel takes and that are not blocked."""
        return self._share("unused", UNUSED)

    @cached_property
    def dead(self) -> Share:
        """The blocked cores."""
        return self._share("blocked", BLOCKED)

    def _share(self, name: str, owner: int) -> Share:
        cores = int(np.count_nonzero(self.owners == owner))
        return Share(name, cores, cores / self.owners.size)


def paint(width: int, height: int, parts: Iterable[tuple[Region, float]]) -> NDArray[np.float64]:
    """[height, width] with one value a region, NaN elsewhere; what most fields are made from."""
    values = np.full((height, width), np.nan)
    for region, value in parts:
        values[region.cells] = value
    return values
