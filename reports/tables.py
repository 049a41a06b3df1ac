"""Tables and panels for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from rich import box
from rich.console import JustifyMethod, OverflowMethod
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from wsc.compiler.quantities import format_bytes, format_count, format_percent
from wsc.reports.labels import shorten

COLUMNS: tuple[tuple[str, JustifyMethod], ...] = (
    ("kernel", "left"),
    ("×", "right"),
    ("group", "left"),
    ("cores", "right"),
    ("cycles", "right"),
    ("SRAM/core", "right"),
    ("use", "left"),
)
EIGHTHS = " ▏▎▍▌▋▊▉█"
BAR = 4  # columns, so that a table of usual names fits in 80


@dataclass(frozen=True)
class KernelRow:
    """One line of the table: a kernel, or `count` of them with all their cores and the figures of the slowest.

    `cycles` are those an input takes in it; `utilisation` is from 0 to 1, NaN where it is not known.
    """

    name: str
    group: str
    cores: int
    cycles: int
    bytes_per_core: int
    utilisation: float
    count: int = 1

    def __post_init__(self) -> None:
        if min(self.cores, self.cycles, self.bytes_per_core, self.count) < 0 or self.utilisation < 0:
            raise ValueError(f"negative figure in the row of kernel '{self.name}'")


def kernel_table(rows: Sequence[KernelRow], title: str | None = None) -> Table:
    """The kernels in the order given, the slowest in bold, with totals below; names lose what they share."""
    slowest = max((row.cycles for row in rows), default=0)
    count = sum(row.count for row in rows)
    totals = {
        "kernel": "total",
        "×": format_count(count),
        "cores": format_count(sum(row.cores for row in rows)),
    }
    shown = [column for column in COLUMNS if column[0] != "×" or count > len(rows)]
    table = Table(
        title=Text(title) if title else None, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_footer=True
    )
    for name, justify in shown:
        narrows = name in {"kernel", "group"}  # and the others keep their figures whole
        overflow: OverflowMethod = "fold" if name == "kernel" else "ellipsis"
        footer = Text(totals.get(name, ""))
        table.add_column(name, footer, justify=justify, overflow=overflow, no_wrap=not narrows)
    names = shorten([row.name for row in rows])
    for row in rows:
        cells = _cells(row, names[row.name])
        table.add_row(
            *(cells[name] for name, _ in shown), style="bold" if row.cycles == slowest > 0 else None
        )
    return table


def _cells(row: KernelRow, name: str) -> dict[str, Text]:
    """What a row shows in each of COLUMNS."""
    return {
        "kernel": Text(name),
        "×": Text(format_count(row.count)),
        "group": Text(row.group),
        "cores": Text(format_count(row.cores)),
        "cycles": Text(format_count(row.cycles)),
        "SRAM/core": Text(format_bytes(row.bytes_per_core)),
        "use": percent_bar(row.utilisation, BAR),
    }


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
