"""Tables and panels for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from rich import box
from rich.console import JustifyMethod
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from wsc.reports.labels import shorten
from wsc.reports.quantities import format_bytes, format_count, format_percent

COLUMNS: tuple[tuple[str, JustifyMethod], ...] = (
    ("kernel", "left"),
    ("group", "left"),
    ("cores", "right"),
    ("cycles", "right"),
    ("SRAM a core", "right"),
    ("use", "left"),
)
EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True)
class KernelRow:
    """One line of the table of kernels: its cores, the cycles an input takes in it, its memory, its use of cores.

    `utilisation` is from 0 to 1, NaN where it is not known.
    """

    name: str
    group: str
    cores: int
    cycles: int
    bytes_per_core: int
    utilisation: float

    def __post_init__(self) -> None:
        if min(self.cores, self.cycles, self.bytes_per_core) < 0 or self.utilisation < 0:
            raise ValueError(f"negative figure in the row of kernel '{self.name}'")


def kernel_table(rows: Sequence[KernelRow], title: str | None = None) -> Table:
    """The kernels in the order given, the slowest in bold, with totals below; names lose what they share."""
    slowest = max((row.cycles for row in rows), default=0)
    totals = (
        f"{format_count(len(rows))} kernel{'' if len(rows) == 1 else 's'}",
        "",
        format_count(sum(row.cores for row in rows)),
        f"max {format_count(slowest)}",
        f"max {format_bytes(max((row.bytes_per_core for row in rows), default=0))}",
        "",
    )
    table = Table(title=Text(title) if title else None, box=box.SIMPLE_HEAD, show_footer=True)
    for (name, justify), total in zip(COLUMNS, totals, strict=True):
        narrows = name in {"kernel", "group"}  # and the others keep their figures whole
        table.add_column(name, Text(total), justify=justify, overflow="ellipsis", no_wrap=not narrows)
    names = shorten([row.name for row in rows])
    for row in rows:
        table.add_row(
            Text(names[row.name]), *_figures(row), style="bold" if row.cycles == slowest > 0 else None
        )
    return table


def _figures(row: KernelRow) -> tuple[Text, ...]:
    return (
        Text(row.group),
        Text(format_count(row.cores)),
        Text(format_count(row.cycles)),
        Text(format_bytes(row.bytes_per_core)),
        percent_bar(row.utilisation),
    )


def percent_bar(fraction: float, width: int = 10) -> Text:
    """A bar of `width` columns that is full at 1, and the percentage; a dash where it is NaN."""
    full = 0.0 if isnan(fraction) else min(max(fraction, 0.0), 1.0)
    eighths = round(full * width * 8)
    bar = EIGHTHS[8] * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")
    return Text.assemble((f"{bar:<{width}}", "cyan"), f" {format_percent(fraction):>8}")


def summary_panel(title: str, items: Sequence[tuple[str, str]]) -> Panel:
    """Names and values in two columns, in a frame."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in items:
        grid.add_row(Text(name), Text(value))
    return Panel(grid, title=Text(title, style="bold"), title_align="left", expand=False)
