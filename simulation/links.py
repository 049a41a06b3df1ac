"""Resources that transfers hold for a while: links, edges, ports. A transfer queues at all of its own."""

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

    Transfers of different streams have queues of their own at every link (virtual channels), so that one which waits
    for a link holds up none of the others: each resource serves its transfers in the order in which they came. A
    transfer is through when the last of its resources has served it.
    """

    def __init__(self, count: int) -> None:
        self.free = np.zeros(count, np.int64)

    def reserve(self, now: int, path: Path) -> int:
        """Queue at the resources of a path; returns when the last of them begins to serve it, in cycles."""
        if not path.resources.size:
            return now
        free = np.maximum(self.free[path.resources], now)
        self.free[path.resources] = free + path.loads
        return int(free.max())
