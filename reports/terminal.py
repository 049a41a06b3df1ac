"""Coarse pictures of a fabric for a terminal: two square pixels a character, or letters and shades without colour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.style import Style
from rich.text import Text

from wsc.compiler.quantities import format_count, format_percent, format_quantity
from wsc.reports import palette
from wsc.reports.blocks import block_majority, block_mean
from wsc.simulation.floorplan import BLOCKED, UNUSED, Field, Floorplan, Share

LARGEST_CELL = 2  # columns a core, on fabrics smaller than the terminal
SHADES, ASCII_SHADES = "░▒▓█", "-+*#"
GRADIENT = 16  # columns of a field's legend
SECOND_TURN = 0.85  # the brightness of every other kernel of a group
BLOCKED_GREY = "#6E6E6E"  # seen on black and on white


@dataclass(frozen=True)
class TerminalPicture:
    """What rich prints, at most `columns` wide: lines for a console with colours, or for one without.

    `coloured` takes the width; `plain` takes it too, and whether only ASCII can be printed.
    """

    columns: int
    coloured: Callable[[int], Iterable[Text]]
    plain: Callable[[int, bool], Iterable[Text]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        width = max(1, min(self.columns, options.max_width))
        has_colour = console.color_system is not None and not console.no_color and not options.ascii_only
        for line in self.coloured(width) if has_colour else self.plain(width, options.ascii_only):
            line.truncate(width, overflow="crop" if options.ascii_only else "ellipsis")
            yield line

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, max(1, min(self.columns, options.max_width)))


def terminal_floorplan(plan: Floorplan, columns: int = 80) -> TerminalPicture:
    """The floor plan with its legend; the most frequent group of a pixel's cores gives its colour."""
    return TerminalPicture(columns, partial(_coloured_kernels, plan), partial(_plain_kernels, plan))


def terminal_field(plan: Floorplan, field: Field, columns: int = 80) -> TerminalPicture:
    """The heat map of `field` with its scale; a pixel is the mean of its cores' values.

    Raises ValueError if the field does not cover the plan's fabric.
    """
    plan.check(field)
    return TerminalPicture(columns, partial(_coloured_field, plan, field), partial(_plain_field, plan, field))


def _coloured_kernels(plan: Floorplan, columns: int) -> Iterator[Text]:
    cell, block = _grid(plan, columns)
    owners, turns = _kernels(plan, block, block)
    rgba = np.zeros((*owners.shape, 4), dtype=np.uint8)
    for owner in np.unique(owners[owners != UNUSED]):
        rgba[owners == owner] = (*palette.rgb(_colour(int(owner))), 255)
    rgba[turns == 1, :3] = rgba[turns == 1, :3] * SECOND_TURN
    yield Text(plan.title, style="bold")
    yield from _half_blocks(rgba.repeat(cell, axis=0).repeat(cell, axis=1))
    for owner, share in _shares(plan):
        mark = ("·", "dim") if owner == UNUSED else ("█", _colour(owner))
        yield Text.assemble(mark, _share_text(plan, share))


def _plain_kernels(plan: Floorplan, columns: int, ascii_only: bool) -> Iterator[Text]:
    cell, block = _grid(plan, columns)
    owners, turns = _kernels(plan, _rows_a_line(cell, block), block)
    letters = {owner: _letter(owner, ascii_only) for owner in (BLOCKED, UNUSED, *range(len(plan.groups)))}
    yield Text(plan.title)
    for owners_row, turns_row in zip(owners.tolist(), turns.tolist(), strict=True):
        pairs = zip(owners_row, turns_row, strict=True)
        yield Text(
            "".join((letters[owner].upper() if turn else letters[owner]) * cell for owner, turn in pairs)
        )
    for owner, share in _shares(plan):
        yield Text(letters[owner] + _share_text(plan, share))


def _kernels(plan: Floorplan, rows: int, columns: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Who owns most of each block, and whether the kernel is its group's second by turns."""
    both = block_majority(2 * plan.owners + np.where(plan.owners >= 0, plan.turns, 0), rows, columns)
    return both // 2, both % 2


def _coloured_field(plan: Floorplan, field: Field, columns: int) -> Iterator[Text]:
    cell, block = _grid(plan, columns)
    rgba = palette.shade(block_mean(field.values, block, block), field.scale)
    yield Text(f"{plan.title}: {field.title}", style="bold")
    yield from _half_blocks(rgba.repeat(cell, axis=0).repeat(cell, axis=1))
    steps = palette.shade(np.linspace(*field.scale, GRADIENT), field.scale)
    yield _scale_text(field, Text.assemble(*(("█", _style(_pixel(step), None)) for step in steps)))


def _plain_field(plan: Floorplan, field: Field, columns: int, ascii_only: bool) -> Iterator[Text]:
    cell, block = _grid(plan, columns)
    shades, nothing = (ASCII_SHADES, ".") if ascii_only else (SHADES, "·")
    low, high = field.scale
    blocks = block_mean(field.values, _rows_a_line(cell, block), block)
    levels = np.clip((blocks - low) / (high - low) * len(shades), 0, len(shades) - 1)
    yield Text(f"{plan.title}: {field.title}")
    for row in levels:
        yield Text("".join((nothing if np.isnan(level) else shades[int(level)]) * cell for level in row))
    yield _scale_text(field, Text(shades))


def _grid(plan: Floorplan, columns: int) -> tuple[int, int]:
    """Columns a core, and cores a column; one of the two is 1."""
    return max(1, min(LARGEST_CELL, columns // plan.width)), -(-plan.width // columns)


def _rows_a_line(cell: int, block: int) -> int:
    """Rows of cores in a line of text, which is as high as two columns are wide."""
    return 2 * block if cell == 1 else 1


def _half_blocks(rgba: NDArray[np.uint8]) -> Iterator[Text]:
    """Two rows of pixels a line; dots where both are empty."""
    if len(rgba) % 2:
        rgba = np.concatenate([rgba, np.zeros_like(rgba[:1])])
    for upper, lower in zip(rgba[::2], rgba[1::2], strict=True):
        pairs = zip(map(_pixel, upper), map(_pixel, lower), strict=True)
        runs = ((_character(*pair), len(list(run))) for pair, run in groupby(pairs))
        yield Text.assemble(*((character * length, style) for (character, style), length in runs))


Pixel = tuple[int, int, int] | None


def _pixel(rgba: NDArray[np.uint8]) -> Pixel:
    red, green, blue, alpha = rgba.tolist()
    return (red, green, blue) if alpha else None


def _character(top: Pixel, bottom: Pixel) -> tuple[str, Style]:
    if top is None:
        return ("·", Style(dim=True)) if bottom is None else ("▄", _style(bottom, None))
    return ("█", _style(top, None)) if top == bottom else ("▀", _style(top, bottom))


@lru_cache(maxsize=4096)
def _style(ink: Pixel, ground: Pixel) -> Style:
    return Style(
        color=None if ink is None else Color.from_rgb(*ink),
        bgcolor=None if ground is None else Color.from_rgb(*ground),
    )


def _shares(plan: Floorplan) -> Iterator[tuple[int, Share]]:
    """The lines of the legend, each with its number in the plan's map of owners."""
    yield from enumerate(plan.shares)
    for owner, share in ((UNUSED, plan.unused), (BLOCKED, plan.dead)):
        if share.cores:
            yield owner, share


def _share_text(plan: Floorplan, share: Share) -> str:
    widest = max(map(len, ("blocked", *plan.groups)))
    return f" {share.group:<{widest}} {format_count(share.cores):>9} cores {format_percent(share.share):>8}"


def _scale_text(field: Field, gradient: Text) -> Text:
    low, high = (format_quantity(end, field.unit) for end in field.scale)
    mean = format_quantity(float(field.known.mean()), field.unit) if field.known.size else "of nothing"
    return Text.assemble(f"{low} ", gradient, f" {high}   mean {mean}")


def _colour(owner: int) -> str:
    return BLOCKED_GREY if owner == BLOCKED else palette.group_paint(owner).colour


def _letter(owner: int, ascii_only: bool) -> str:
    if owner == BLOCKED:
        return "#" if ascii_only else "█"
    if owner == UNUSED:
        return "." if ascii_only else "·"
    return ascii_lowercase[owner % len(ascii_lowercase)]
