"""Resources that transfers hold for a while: links, edges, ports. A transfer takes all of its own at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Path:
    """What one transfer holds, and when it is through.

    `resources` are held for `loads` cycles each; the source has let go after `drain` cycles and everything is at the
    target after `arrival` cycles.
    """

    resources: NDArray[np.int64]
    loads: NDArray[np.int64]
    drain: int
    arrival: int


class Links:
    """When each resource is free again.

    A transfer starts when all its resources are free and then holds each for its load: worm-hole blocking, seen from
    the safe side, since a real transfer would start on the links that are free.
    """

    def __init__(self, count: int) -> None:
        self.free = np.zeros(count, np.int64)

    def reserve(self, now: int, path: Path) -> int:
        """Take the resources of a path as soon as all are free; returns when the transfer starts, in cycles."""
        if not path.resources.size:
            return now
        start = max(now, int(self.free[path.resources].max()))
        self.free[path.resources] = start + path.loads
        return start
