"""Pictures of a whole fabric: which kernel stands where, and one number a core as a heat map."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsc.compiler.quantities import Scale, format_count, format_percent, format_quantity, scale_for
from wsc.reports import palette
from wsc.reports.blocks import block_mean, block_sum
from wsc.reports.labels import SMALLEST, elide, fit_label, printable, shorten, text_width
from wsc.reports.palette import Paint
from wsc.reports.picture import LINE, POINTS, Grid, Picture, Sheet, drawing_style, make_sheet
from wsc.simulation.floorplan import BLOCKED, Field, Floorplan, Region, Share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SWATCH = 0.15625  # inches
LEGEND_NAMES = (0.625, 2.0)  # the least and most room for the names of groups
LEGEND_NUMBERS = 1.125  # their cores and shares
LEGEND_SHARE = 0.5
KEY_WIDTH = 0.9375
KEY_HEIGHT = 1.75
BAR_HEIGHT = 3.0

FILL, OVERLAY, EDGES, NAMES = 1, 2, 3, 4  # from the bottom up


def draw_kernels(plan: Floorplan) -> Picture:
    """The floor plan: each kernel in its group's colour with its name where it fits, and a legend of the groups."""
    rows = _legend_rows(plan)
    with drawing_style():
        legend = (_legend_width(rows), LINE * (len(rows) + 1))
        sheet = make_sheet(Grid.of(plan.width, plan.height), plan.title, _size_and_use(plan), legend)
        _draw_unused(sheet)
        _draw_fills(sheet, plan)
        _draw_blocked(sheet, plan)
        _draw_cell_lines(sheet)
        _draw_edges(sheet, plan, palette.EDGE)
        _draw_names(sheet, plan)
        _draw_legend(sheet, rows)
    return Picture(sheet.figure)


def draw_field(plan: Floorplan, field: Field, *, value_labels: bool = False) -> Picture:
    """The heat map of `field`, with the outlines of the kernels and a colour bar.

    `value_labels` writes the numbers into the cores, where cores are drawn large enough for that. Raises ValueError if
    the field does not cover the plan's fabric.
    """
    plan.check(field)
    grid = Grid.of(plan.width, plan.height)
    with drawing_style():
        sheet = make_sheet(
            grid,
            f"{plan.title}: {field.title}",
            _mean_and_max(field),
            (_key_width(field), KEY_HEIGHT),
            _summary(field, grid),
        )
        sheet.show(_shades(plan, field, grid), FILL)
        _draw_cell_lines(sheet)
        _draw_edges(sheet, plan, palette.BACKGROUND)
        _draw_colour_bar(sheet, field)
        _draw_field_key(sheet, plan, field)
        if value_labels and grid.cells_show:
            _draw_values(sheet, field)
    return Picture(sheet.figure)


def _size_and_use(plan: Floorplan) -> str:
    cores, kernels = plan.width * plan.height, len(plan.regions)
    used = (cores - plan.unused.cores - plan.dead.cores) / cores
    return (
        f"{plan.width} × {plan.height} cores  ·  {format_count(kernels)} kernel{'' if kernels == 1 else 's'}"
        f"  ·  {format_percent(used)} of cores used"
    )


def _draw_unused(sheet: Sheet) -> None:
    _fill(sheet.fabric, (-0.5, -0.5), (sheet.grid.width, sheet.grid.height), palette.UNUSED, 0)


def _draw_fills(sheet: Sheet, plan: Floorplan) -> None:
    for region in plan.regions:
        _fill(sheet.fabric, *_box(region), _paint(plan, region), FILL)


def _draw_edges(sheet: Sheet, plan: Floorplan, colour: str) -> None:
    for region in plan.regions:
        _frame(sheet.fabric, *_box(region), colour, 0.3)


def _paint(plan: Floorplan, region: Region) -> Paint:
    return palette.group_paint(plan.groups.index(region.group))


Point = tuple[float, float]


def _box(region: Region) -> tuple[Point, Point]:
    """The top left corner of a region, and its size; a core's middle is a whole number."""
    return (region.x - 0.5, region.y - 0.5), (region.width, region.height)


def _fill(axes: Axes, corner: Point, size: Point, paint: Paint, zorder: float) -> None:
    from matplotlib.patches import Rectangle

    style = Rectangle(corner, *size, facecolor=paint.colour, edgecolor=paint.hatch_colour, hatch=paint.hatch)
    style.set(linewidth=0, zorder=zorder)
    axes.add_patch(style)


def _frame(axes: Axes, corner: Point, size: Point, colour: str, linewidth: float) -> None:
    from matplotlib.patches import Rectangle

    frame = Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=linewidth)
    frame.set(zorder=EDGES, clip_on=False)
    axes.add_patch(frame)


def _draw_blocked(sheet: Sheet, plan: Floorplan) -> None:
    if not plan.blocked:
        return
    dead = _dead(plan, sheet.grid)
    rgba = np.zeros((*dead.shape, 4), dtype=np.uint8)
    rgba[dead] = (*palette.rgb(palette.BLOCKED.colour), 255)
    sheet.show(rgba, OVERLAY)


def _draw_cell_lines(sheet: Sheet) -> None:
    """Thin lines between cores that are large enough to be seen one by one."""
    grid = sheet.grid
    if not grid.cells_show:
        return
    across = sheet.fabric.vlines(np.arange(1, grid.width) - 0.5, -0.5, grid.height - 0.5)
    down = sheet.fabric.hlines(np.arange(1, grid.height) - 0.5, -0.5, grid.width - 0.5)
    for lines in (across, down):
        lines.set(color=palette.BACKGROUND, linewidth=0.4, alpha=0.7, zorder=OVERLAY)


def _draw_names(sheet: Sheet, plan: Floorplan) -> None:
    """Each name in the middle of its region, with a rim in the region's colour where something lies behind it."""
    from matplotlib.patheffects import withStroke

    short = shorten([region.name for region in plan.regions])
    points = sheet.grid.points_per_core
    for region in plan.regions:
        label = fit_label(short[region.name], region.width * points, region.height * points)
        if label is None:
            continue
        middle = region.x + (region.width - 1) / 2, region.y + (region.height - 1) / 2
        text = sheet.fabric.text(*middle, label.text, size=label.size, ha="center", va="center")
        text.set(rotation=90 if label.upright else 0, linespacing=1.1, color=palette.INK, zorder=NAMES)
        paint = _paint(plan, region)
        if paint.hatch or (plan.owners[region.cells] == BLOCKED).any():
            text.set_path_effects([withStroke(linewidth=1.5, foreground=paint.colour)])


def _legend_rows(plan: Floorplan) -> list[tuple[Share, Paint]]:
    rows = [(share, palette.group_paint(index)) for index, share in enumerate(plan.shares)]
    rest = [(plan.unused, palette.UNUSED), (plan.dead, palette.BLOCKED)]
    return rows + [row for row in rest if row[0].cores]


def _legend_width(rows: list[tuple[Share, Paint]]) -> float:
    """Inches, in sixteenths: the width of a picture is a whole number of pixels."""
    least, most = LEGEND_NAMES
    longest = max((text_width(share.group) for share, _ in rows), default=0.0) * 7.5 / POINTS
    return SWATCH + ceil(16 * min(max(longest, least), most)) / 16 + LEGEND_NUMBERS


def _draw_legend(sheet: Sheet, rows: list[tuple[Share, Paint]]) -> None:
    """Swatch, group, cores and share, in columns; the numbers end at their column's right side."""
    width = sheet.side_size[0]
    columns = ((SWATCH + 0.08, "left"), (width - LEGEND_SHARE, "right"), (width, "right"))
    room = (width - SWATCH - LEGEND_NUMBERS) * POINTS / 7.5

    def write(texts: tuple[str, str, str], y: float, colour: str) -> None:
        for text, (x, ha) in zip(texts, columns, strict=True):
            sheet.side.text(x, y, text, size=7.5, color=colour, ha=ha, va="center_baseline")

    write(("kernels", "cores", "share"), LINE / 2, palette.FAINT_INK)
    for number, (share, paint) in enumerate(rows, start=1):
        y = LINE * (number + 0.5)
        numbers = format_count(share.cores), format_percent(share.share)
        _swatch(sheet, y, paint)
        write((elide(share.group, room), *numbers), y, palette.INK)


def _swatch(sheet: Sheet, y: float, paint: Paint) -> None:
    corner, size = (0.01, y - SWATCH * 0.4), (SWATCH, SWATCH * 0.8)
    _fill(sheet.side, corner, size, paint, FILL)
    _frame(sheet.side, corner, size, palette.EDGE, 0.4)


def _mean_and_max(field: Field) -> str:
    if not field.known.size:
        return "no values"
    mean, most = float(field.known.mean()), float(field.known.max())
    return f"mean {format_quantity(mean, field.unit)}  ·  max {format_quantity(most, field.unit)}"


def _summary(field: Field, grid: Grid) -> list[str]:
    """The line below a heat map: how the values are spread, and how many cores have one."""
    items = []
    if field.known.size:
        spread = np.percentile(field.known, (0, 50, 99, 100))
        names = ("min", "median", "99 % below", "max")
        items += [
            f"{name} {format_quantity(float(v), field.unit)}" for name, v in zip(names, spread, strict=True)
        ]
    items.append(f"{format_count(field.known.size)} of {format_count(field.values.size)} cores have a value")
    if grid.block > 1:
        items.append(f"a pixel is the mean of {grid.block} × {grid.block} cores")
    return items


def _shades(plan: Floorplan, field: Field, grid: Grid) -> NDArray[np.uint8]:
    """[rows, columns, 4]: the colour of each block; grey where there is no value, red where cores are blocked."""
    blocks = block_mean(field.values, grid.block, grid.block)
    rgba = palette.shade(blocks, field.scale)
    unknown = np.isnan(blocks)
    rgba[unknown] = (*palette.rgb(palette.NO_VALUE.colour), 255)
    rgba[unknown & _dead(plan, grid)] = (*palette.rgb(palette.BLOCKED_ON_FIELD.colour), 255)
    return rgba


def _dead(plan: Floorplan, grid: Grid) -> NDArray[np.bool_]:
    """[rows, columns]: whether a block has a blocked core."""
    return block_sum((plan.owners == BLOCKED).astype(np.float64), grid.block, grid.block) > 0


def _bar_scale(field: Field) -> Scale:
    """The prefix that suits the colour bar's end that is farther from zero."""
    return scale_for(max(map(abs, field.scale)), field.unit)


def _key_width(field: Field) -> float:
    return max(KEY_WIDTH, ceil(16 * text_width(_bar_scale(field).unit) * 7.5 / POINTS) / 16)


def _draw_colour_bar(sheet: Sheet, field: Field) -> None:
    """The scale at the top of the side panel, with arrows where values exceed it; binary prefixes count in eights."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.ticker import MaxNLocator

    width, height = sheet.side_size
    scale = _bar_scale(field)
    box = sheet.side.get_position()
    top, tall = LINE * 1.25 if scale.unit else 0.0, min(BAR_HEIGHT, height - 3.5 * LINE)
    axes = sheet.figure.add_axes(
        (
            box.x0,
            box.y1 - box.height * (top + tall) / height,
            box.width * SWATCH / width,
            box.height * tall / height,
        )
    )
    low, high = field.scale
    shown = ScalarMappable(Normalize(low / scale.factor, high / scale.factor), colormaps[palette.FIELD_MAP])
    steps = [1, 2, 4, 8, 10] if scale.factor % 1024 == 0 else [1, 2, 2.5, 5, 10]
    ticks = MaxNLocator(max(2, int(tall * 3)), steps=steps)
    bar = sheet.figure.colorbar(shown, cax=axes, extend=_exceeded(field), ticks=ticks)
    bar.outline.set_linewidth(0.4)
    bar.ax.tick_params(labelsize=7, length=2, width=0.4, pad=2)
    sheet.side.text(0, LINE / 2, printable(scale.unit), size=7.5, color=palette.INK, va="center_baseline")


def _exceeded(field: Field) -> str:
    """Which ends of the colour scale some value lies beyond, in matplotlib's words."""
    low, high = field.scale
    below, above = bool((field.known < low).any()), bool((field.known > high).any())
    if below and above:
        return "both"
    return "min" if below else "max" if above else "neither"


def _draw_field_key(sheet: Sheet, plan: Floorplan, field: Field) -> None:
    """Under the colour bar: what grey and red cores are."""
    unknown, dead = np.isnan(field.values), plan.owners == BLOCKED
    y = min(BAR_HEIGHT + LINE * 2.75, sheet.side_size[1] - 1.5 * LINE)
    entries = (
        ("no value", palette.NO_VALUE, unknown & ~dead),
        ("blocked", palette.BLOCKED_ON_FIELD, unknown & dead),
    )
    for text, paint, cores in entries:
        if cores.any():
            _swatch(sheet, y, paint)
            sheet.side.text(SWATCH + 0.08, y, text, size=7.5, color=palette.INK, va="center_baseline")
            y += LINE


def _draw_values(sheet: Sheet, field: Field) -> None:
    """Each core's number in the prefix of the colour bar, dark on light or light on dark; none if too small to read."""
    factor = _bar_scale(field).factor
    texts = {cell: f"{v / factor:.3g}" for cell, v in np.ndenumerate(field.values) if not np.isnan(v)}
    widest = max(map(text_width, texts.values()), default=1.0)
    size = min(7.0, (sheet.grid.points_per_core - 3.0) / widest)
    if size < SMALLEST:
        return
    shades = palette.shade(field.values, field.scale)
    for (y, x), text in texts.items():
        colour = palette.BACKGROUND if palette.is_dark(shades[y, x]) else palette.INK
        sheet.fabric.text(x, y, text, size=size, color=colour, ha="center", va="center", zorder=NAMES)
