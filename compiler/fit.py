"""What a model needs of a machine's memories, part by part, beside what there is: why it fits, or why it does not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """What one part of a model (a kernel, a stage, a rank's share) takes at the least.

    It takes `units` units and on each of them the bytes of `parts`, by name ("weights", "buffers", "code"), of
    `limit_bytes` that a unit has; both are empty and 0 where bytes of a unit are not what binds.
    """

    name: str
    group: str
    units: int
    parts: tuple[tuple[str, int], ...] = ()
    limit_bytes: int = 0

    @property
    def bytes(self) -> int:
        """Bytes on one unit."""
        return sum(size for _, size in self.parts)

    @property
    def over_bytes(self) -> int:
        """Bytes too many on one unit; 0 where it fits."""
        return max(0, self.bytes - self.limit_bytes) if self.parts else 0


@dataclass(frozen=True)
class Fit:
    """A way to lay a model out (`how`): its needs, and the units of the machine, called `unit`, that there are."""

    how: str
    unit: str
    units: int
    needs: tuple[Need, ...]
    shared: bool = False  # the parts take turns on the same units, so that the units of one are enough

    @property
    def needed_units(self) -> int:
        """Units that all parts take at the least."""
        counts = [need.units for need in self.needs]
        return max(counts, default=0) if self.shared else sum(counts)

    @property
    def missing_units(self) -> int:
        """Units too few; 0 where there are enough."""
        return max(0, self.needed_units - self.units)

    @property
    def too_large(self) -> tuple[Need, ...]:
        """The parts that exceed the memory of a unit, the one that does so by most first."""
        return tuple(sorted((n for n in self.needs if n.over_bytes), key=lambda n: -n.over_bytes))

    @property
    def fits(self) -> bool:
        """Whether nothing is missing; shapes and places may still stand in the way."""
        return not self.missing_units and not self.too_large
