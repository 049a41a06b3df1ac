"""How a kernel is cut over its region: along which axes, in what tiles, in which direction and how many chunks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from wsc.backends.wafer.kernels import FusedKernel
from wsc.compiler.layout import Cut, Mesh, MeshAxis
from wsc.compiler.ops import AxisKind, Window


@dataclass(frozen=True)
class AxisCut:
    """Kernel axis `axis` in tiles of `tile` positions over `parts` parts along "x" or "y"."""

    axis: int
    tile: int
    parts: int
    along: str

    @property
    def name(self) -> str:
        """Name of the mesh axis."""
        return f"a{self.axis}"


@dataclass(frozen=True)
class Chunking:
    """The kernel axis that passes chunk by chunk, and the number of chunks; axis -1 is the whole tensor at once."""

    axis: int = -1
    chunks: int = 1


@dataclass(frozen=True)
class Cutting:
    """All cuts of a kernel, slowest mesh axis first, and its chunking; `depths[i]` chunks of stream i are buffered."""

    cuts: tuple[AxisCut, ...]
    chunking: Chunking
    depths: tuple[int, ...] = ()

    @cached_property
    def mesh(self) -> Mesh:
        """The mesh the cuts make."""
        return Mesh(tuple(MeshAxis(c.name, c.parts, c.along) for c in self.cuts))

    def of(self, axis: int | None) -> AxisCut | None:
        """The cut of a kernel axis, if it is cut."""
        return next((c for c in self.cuts if c.axis == axis), None)


def extent(kernel: FusedKernel, chunking: Chunking, axis: int) -> int:
    """Positions of an axis that one chunk has."""
    whole = kernel.axes[axis].extent
    return whole // chunking.chunks if axis == chunking.axis else whole


def windows_on(kernel: FusedKernel, axis: int) -> list[tuple[Window, int]]:
    """Windows that slide along an axis, with the extent of the dimension they slide over."""
    return [
        (window, feed.type.shape[d])
        for feed in kernel.feeds
        for d, window in enumerate(feed.windows)
        if window is not None and feed.axes[d] == axis
    ]


def overlap(window: Window) -> tuple[int, int]:
    """Elements a tile needs from before and after its own, for its outputs."""
    after = window.dilation * (window.taps - 1) - window.lo - (window.stride - 1)
    return window.lo, max(after, 0)


def halo_serves(window: Window) -> bool:
    """Whether tiles with their overlap have as many positions as they own: not where windows lie in padding alone."""
    return window.lo <= window.dilation * (window.taps - 1)


def dimension_cut(cut: AxisCut, window: Window | None) -> Cut:
    """The cut of a dimension that an axis walks: under a window, a tile owns the inputs its stride moves over."""
    return Cut(cut.name, cut.tile * (window.stride if window else 1))


def is_sum(kernel: FusedKernel, axis: int) -> bool:
    """Whether the parts of an axis give partial results."""
    return kernel.axes[axis].kind is AxisKind.SUM
