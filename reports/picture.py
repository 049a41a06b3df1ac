"""A finished picture, and the sheet it is drawn on, where a core is a whole number of pixels.

All lengths are inches. There are 256 dots an inch because sums and ratios of such lengths are exact in binary:
a grid that misses the pixels by a rounding error shows as moire.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsc.compiler.errors import UserError
from wsc.reports import palette
from wsc.reports.labels import FONT, elide, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 256
POINTS = 72  # an inch
LONGEST = 2400  # pixels of a fabric's longer side
LARGEST_CELL = 80  # pixels a core

LEFT, RIGHT, TOP, BOTTOM = 0.625, 0.125, 0.9375, 0.1875
GAP = 0.25
NARROWEST = 3.0  # room for a title
LINE = 0.1875  # a line of the legend or the footer


@dataclass(frozen=True, eq=False)
class Picture:
    """A drawing to save or to show in a notebook; the same input gives the same bytes."""

    figure: Figure

    def save(self, path: str | Path) -> None:
        """Write a .png or .svg file; UserError for any other name, or where it cannot be written."""
        path = Path(path)
        formats = {".png": self.png_bytes, ".svg": self.svg_bytes}
        if path.suffix.lower() not in formats:
            raise UserError(f"cannot draw '{path}': pictures are written as .png or .svg")
        data = formats[path.suffix.lower()]()
        try:
            path.write_bytes(data)
        except OSError as error:
            raise UserError(f"cannot write '{path}': {error.strerror}") from error

    def png_bytes(self) -> bytes:
        """The picture as a PNG file."""
        return self._render("png", {"Software": None})

    def svg_bytes(self) -> bytes:
        """The picture as an SVG file."""
        return self._render("svg", {"Date": None, "Creator": None})

    def _repr_png_(self) -> bytes:
        return self.png_bytes()

    def _render(self, kind: str, metadata: dict[str, str | None]) -> bytes:
        stream = BytesIO()
        with drawing_style():
            self.figure.savefig(stream, format=kind, metadata=metadata, dpi=DPI)
        return stream.getvalue()


@contextmanager
def drawing_style() -> Iterator[None]:
    """Our settings of matplotlib, whatever the user's are; they are put back at the end."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rc("font", family=[FONT])
        matplotlib.rc("text", parse_math=False)  # a $ in a name is a $
        matplotlib.rc("hatch", linewidth=0.5)
        matplotlib.rc("svg", hashsalt="wsc")
        yield


@dataclass(frozen=True)
class Grid:
    """A fabric in pixels: `cell` pixels stand for `block` cores, in both directions; one of the two is 1."""

    width: int
    height: int
    cell: int
    block: int

    @staticmethod
    def of(width: int, height: int) -> Grid:
        """The largest cells with which width x height cores stay within LONGEST pixels."""
        longest = max(width, height)
        return Grid(width, height, min(LARGEST_CELL, max(1, LONGEST // longest)), -(-longest // LONGEST))

    @property
    def pixels(self) -> tuple[int, int]:
        """Columns and rows of pixels."""
        return -(-self.width // self.block) * self.cell, -(-self.height // self.block) * self.cell

    @property
    def points_per_core(self) -> float:
        """The side of a core, in the points that font sizes are in."""
        return self.cell / self.block / DPI * POINTS

    @property
    def cells_show(self) -> bool:
        """Whether cores are large enough to be told apart by lines between them."""
        return self.cell >= 12


@dataclass(frozen=True)
class Sheet:
    """An empty figure with a title, axes over the fabric in cores, and a side panel in inches from its top."""

    grid: Grid
    figure: Figure
    fabric: Axes
    side: Axes
    side_size: tuple[float, float]

    def show(self, rgba: NDArray[np.uint8], zorder: float) -> None:
        """Draw one colour a block of cores, exactly on the pixels."""
        rows, columns = rgba.shape[0] * self.grid.block, rgba.shape[1] * self.grid.block
        extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
        self.fabric.imshow(rgba, interpolation="none", extent=extent, zorder=zorder, aspect="auto")


def make_sheet(
    grid: Grid, title: str, subtitle: str, side: tuple[float, float], footer: Sequence[str] = ()
) -> Sheet:
    """A sheet whose side panel has at least this width and height; `footer` is broken into lines between its items."""
    from matplotlib.figure import Figure

    columns, rows = grid.pixels
    body_width, body_height = max(columns / DPI + GAP + side[0], NARROWEST), max(rows / DPI, side[1])
    lines = break_lines(footer, body_width * POINTS / 7.5)
    width = LEFT + body_width + RIGHT
    height = TOP + body_height + BOTTOM + LINE * len(lines)
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=palette.BACKGROUND)

    def axes(x: float, y: float, wide: float, high: float) -> Axes:
        return figure.add_axes((x / width, 1 - (y + high) / height, wide / width, high / height))

    fabric = axes(LEFT, TOP, columns / DPI, rows / DPI)
    panel = axes(LEFT + columns / DPI + GAP, TOP, side[0], body_height)
    _scale_in_cores(fabric, grid)
    panel.set(xlim=(0, side[0]), ylim=(body_height, 0))
    panel.set_axis_off()

    def write(text: str, y: float, size: float, colour: str, weight: str = "normal") -> None:
        fitting = elide(text, body_width * POINTS / size / (1.12 if weight == "bold" else 1))
        figure.text(
            LEFT / width, 1 - y / height, fitting, size=size, color=colour, weight=weight, va="baseline"
        )

    write(title, 0.3125, 11, palette.INK, "bold")
    write(subtitle, 0.5, 7.5, palette.FAINT_INK)
    for number, line in enumerate(lines, start=1):
        write(line, TOP + body_height + LINE * number, 7.5, palette.FAINT_INK)
    return Sheet(grid, figure, fabric, panel, (side[0], body_height))


def _scale_in_cores(axes: Axes, grid: Grid) -> None:
    """Ticks and names of the axes: the origin top left, a tick at the middle of its core."""
    from matplotlib.ticker import MaxNLocator

    columns, rows = grid.pixels
    wide, high = columns * grid.block / grid.cell, rows * grid.block / grid.cell
    axes.set(xlim=(-0.5, wide - 0.5), ylim=(high - 0.5, -0.5), autoscale_on=False)
    axes.set_facecolor("none")
    for axis, pixels in ((axes.xaxis, columns), (axes.yaxis, rows)):
        bins = min(10, max(1, pixels // 64))
        axis.set_major_locator(MaxNLocator(bins, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
        axis.set_tick_params(
            labelsize=6.5, length=2, width=0.5, pad=1.5, color=palette.EDGE, labelcolor=palette.INK
        )
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("x (cores)", size=7, color=palette.INK, labelpad=3)
    axes.set_ylabel("y (cores)", size=7, color=palette.INK, labelpad=3)
    for spine in axes.spines.values():
        spine.set_visible(False)


def break_lines(items: Sequence[str], width: float) -> list[str]:
    """`items` with dots between them, on as few lines of `width` times the font size as they need."""
    lines: list[str] = []
    for item in items:
        longer = f"{lines[-1]}  ·  {item}" if lines else item
        if lines and text_width(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(item)
    return lines
