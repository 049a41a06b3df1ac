"""Machines side by side for one model: a table for the terminal, Markdown, CSV, JSON and a page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich import box
from rich.table import Table
from rich.text import Text

from wsc.compiler.quantities import (
    NOTHING,
    format_bytes,
    format_count,
    format_percent,
    format_quantity,
    format_rate,
    format_seconds,
)


@dataclass(frozen=True)
class Figures:
    """What a machine does with a model; None where the target does not say. Seconds are of the target's clock.

    `energy_joules` and `moving_share` (of it, 0 to 1) are of one input; `tokens` are those of one input, where the
    model takes tokens; `chips` as they are sold; `bound_share` is the machine's own lower bound over the interval;
    `validated` and `energy_validated` say what of the machine's cycles and energy was held against measurements and how
    far off it was, empty for nothing.
    """

    machine: str
    target: str
    precision: str
    latency_cycles: int
    interval_cycles: int
    clock_hz: float
    bounded_by: str
    bound_share: float
    utilisation: float
    chips: int
    unit: str
    units: int
    memory_used_bytes: int
    memory_bytes: int
    energy_joules: float | None = None
    moving_share: float | None = None
    area_mm2: float | None = None
    rated_watts: float | None = None
    tokens: int | None = None
    validated: str = ""
    energy_validated: str = ""

    @property
    def latency_seconds(self) -> float:
        """Time of one input alone."""
        return self.latency_cycles / self.clock_hz

    @property
    def inputs_per_second(self) -> float:
        """Throughput of the steady state."""
        return self.clock_hz / self.interval_cycles

    @property
    def tokens_per_second(self) -> float | None:
        """Throughput in tokens."""
        return None if self.tokens is None else self.inputs_per_second * self.tokens

    @property
    def watts(self) -> float | None:
        """Mean power of the steady state."""
        return None if self.energy_joules is None else self.energy_joules * self.inputs_per_second

    @property
    def joules_per_token(self) -> float | None:
        """Energy of one token."""
        return None if self.energy_joules is None or not self.tokens else self.energy_joules / self.tokens

    @property
    def inputs_per_joule(self) -> float | None:
        """Throughput per watt."""
        return 1 / self.energy_joules if self.energy_joules else None

    @property
    def inputs_per_second_and_chip(self) -> float:
        """Throughput per chip."""
        return self.inputs_per_second / self.chips

    @property
    def memory_free_bytes(self) -> int:
        """Memory that nothing uses."""
        return self.memory_bytes - self.memory_used_bytes


@dataclass(frozen=True)
class Refusal:
    """A machine that cannot run the model, and why."""

    machine: str
    target: str
    reason: str


Row = Figures | Refusal


@dataclass(frozen=True)
class Column:
    """One figure: its name for people, how it is written, and whether more of it is better (None: neither)."""

    title: str
    value: Callable[[Figures], Any]
    format: Callable[[Any], str]
    more_is_better: bool | None = None
    key: str = field(default="")


def _per(unit: str) -> Callable[[Any], str]:
    return lambda value: format_quantity(value, unit)


def _free(size: int) -> str:
    return format_bytes(size) if size >= 0 else f"none, {format_bytes(-size)} too little"


COLUMNS = (
    Column("latency", lambda f: f.latency_seconds, format_seconds, False, "latency_seconds"),
    Column(
        "throughput",
        lambda f: f.inputs_per_second,
        lambda v: format_rate(v, "inputs"),
        True,
        "inputs_per_second",
    ),
    Column(
        "tokens/s",
        lambda f: f.tokens_per_second,
        lambda v: format_rate(v, "tokens"),
        True,
        "tokens_per_second",
    ),
    Column("cycles an input", lambda f: f.interval_cycles, format_count, None, "interval_cycles"),
    Column("clock", lambda f: f.clock_hz, _per("Hz"), None, "clock_hz"),
    Column("energy an input", lambda f: f.energy_joules, _per("J"), False, "energy_joules"),
    Column("energy a token", lambda f: f.joules_per_token, _per("J"), False, "joules_per_token"),
    Column("moving data", lambda f: f.moving_share, format_percent, None, "moving_share"),
    Column("power", lambda f: f.watts, _per("W"), None, "watts"),
    Column("inputs a joule", lambda f: f.inputs_per_joule, _per("inputs"), True, "inputs_per_joule"),
    Column("chips", lambda f: f.chips, format_count, None, "chips"),
    Column(
        "per chip",
        lambda f: f.inputs_per_second_and_chip,
        lambda v: format_rate(v, "inputs"),
        True,
        "per_chip",
    ),
    Column("area", lambda f: f.area_mm2, lambda v: f"{v:,.0f} mm²", None, "area_mm2"),
    Column("memory used", lambda f: f.memory_used_bytes, format_bytes, None, "memory_used_bytes"),
    Column("memory free", lambda f: f.memory_free_bytes, _free, None, "memory_free_bytes"),
    Column("of peak", lambda f: f.utilisation, format_percent, True, "utilisation"),
    Column("of its bound", lambda f: f.bound_share, format_percent, True, "bound_share"),
    Column("precision", lambda f: f.precision, str, None, "precision"),
    Column("error of cycles", lambda f: f.validated or None, str, None, "validated"),
    Column("error of energy", lambda f: f.energy_validated or None, str, None, "energy_validated"),
    Column("bounded by", lambda f: f.bounded_by, str, None, "bounded_by"),
)
NOT_VALIDATED = "not validated"
_EVIDENCE = ("validated", "energy_validated")  # columns that are shown where they are empty


def comparison_table(rows: Sequence[Row]) -> Table:
    """Machines across, figures down, the best of each figure in bold; why a machine cannot run the model below."""
    able = [row for row in rows if isinstance(row, Figures)]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", style="dim", no_wrap=True)
    for figures in able:
        table.add_column(Text(figures.machine), overflow="fold")
    for column in shown_columns(able):
        best = best_of(column, able)
        cells = [Text(brief(column, f), style="bold" if column.value(f) == best else "") for f in able]
        table.add_row(column.title, *cells)
    return table


def shown_columns(able: Sequence[Figures]) -> list[Column]:
    """The figures that at least one machine has."""
    return [c for c in COLUMNS if c.key in _EVIDENCE or any(c.value(f) is not None for f in able)]


def cell(column: Column, figures: Figures) -> str:
    """A figure as text."""
    value = column.value(figures)
    if value is None:
        return NOT_VALIDATED if column.key in _EVIDENCE else NOTHING
    return column.format(value)


def brief(column: Column, figures: Figures) -> str:
    """A figure as text for a narrow table: of what it was held against, the errors alone."""
    text = cell(column, figures)
    return re.sub(r" \([^)]*\)", "", text) if column.key in _EVIDENCE else text


def best_of(column: Column, able: Sequence[Figures]) -> Any:
    """The best of a figure, where one is better than another and there are two to compare; else None."""
    values = [column.value(f) for f in able if column.value(f) is not None]
    if column.more_is_better is None or len(set(values)) < 2:
        return None
    return max(values) if column.more_is_better else min(values)


def comparison_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every machine's figures as numbers; `error` where it cannot run the model."""
    found: list[dict[str, Any]] = []
    for row in rows:
        if isinstance(row, Refusal):
            found.append({"machine": row.machine, "target": row.target, "error": row.reason})
        else:
            found.append({**asdict(row), **{c.key: c.value(row) for c in COLUMNS}, "error": None})
    return found


def comparison_csv(rows: Sequence[Row]) -> str:
    """One line a machine, the columns those of the JSON."""
    records = comparison_json(rows)
    names = list(dict.fromkeys(key for record in sorted(records, key=len, reverse=True) for key in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def comparison_markdown(title: str, rows: Sequence[Row]) -> str:
    """A table that reads as text, with the machines that cannot run the model below."""
    able = [row for row in rows if isinstance(row, Figures)]
    lines = [f"# {title}", ""]
    if able:
        lines += [_line("", *(f.machine for f in able)), _line(*["---"] * (len(able) + 1))]
        lines += [_line(c.title, *(cell(c, f) for f in able)) for c in shown_columns(able)]
    for row in rows:
        if isinstance(row, Refusal):
            lines += ["", f"**{row.machine}** cannot run it: {row.reason}"]
    return "\n".join(lines) + "\n"


def _line(*cells: str) -> str:
    return f"| {' | '.join(text.replace('|', '/') for text in cells)} |"


def comparison_page(title: str, rows: Sequence[Row]) -> str:
    """One self-contained HTML file: the table, and a bar for each figure that can be better or worse."""
    environment = Environment(
        loader=PackageLoader("wsc.reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    able = [row for row in rows if isinstance(row, Figures)]
    return environment.get_template("comparison.html").render(
        title=title,
        machines=[f.machine for f in able],
        lines=[_page_line(column, able) for column in shown_columns(able)],
        refusals=[row for row in rows if isinstance(row, Refusal)],
    )


def _page_line(column: Column, able: Sequence[Figures]) -> dict[str, Any]:
    best = best_of(column, able)
    most = max((abs(v) for f in able if isinstance(v := column.value(f), int | float)), default=0)
    cells = []
    for f in able:
        value = column.value(f)
        bar = 100 * value / most if column.more_is_better is not None and value is not None and most else None
        cells.append({"text": cell(column, f), "bar": bar, "best": best is not None and value == best})
    better = {True: "more is better", False: "less is better", None: ""}[column.more_is_better]
    return {"title": column.title, "better": better, "cells": cells}
