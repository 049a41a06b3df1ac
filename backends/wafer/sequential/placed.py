"""A laid out segment with its place."""

from __future__ import annotations

from dataclasses import dataclass

from wsc.backends.wafer.sequential.region import Laid


@dataclass(frozen=True)
class PlacedSegment:
    """A laid out segment on a wafer, with the corner of its region."""

    laid: Laid
    x: int
    y: int
    wafer: int

    @property
    def width(self) -> int:
        """Cores along x."""
        return self.laid.drafted.mesh.width

    @property
    def height(self) -> int:
        """Cores along y."""
        return self.laid.drafted.mesh.height
