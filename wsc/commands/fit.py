"""`wsc explain --why-not`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

from rich import box
from rich.table import Table

from wsc.backends.registry import Selection, select
from wsc.commands.console import for_people, print_json, stages
from wsc.commands.source import Request
from wsc.commands.summary import pattern
from wsc.compiler.fit import Fit, Need
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.compiler.quantities import format_bytes, format_count, format_percent
from wsc.driver import quantized
from wsc.precision import Wanted

_ROWS = 16


def explain_fit(
    spec: str, target: str, defines: list[str], *, wanted: Wanted, asked: Mapping[str, str | None], json: bool
) -> None:
    """Say what a model needs of a machine's memories at the least, and by how much that is too much."""
    selection = select(target)
    given = {key: value for key, value in asked.items() if value is not None}
    selection = replace(selection, target=selection.target.configured(given))
    name, found = _fits(spec, selection, defines, wanted)
    if json:
        machine = selection.machine.name
        print_json({"model": name, "machine": machine, "ways": [_json(fit) for fit in found]})
        return
    console = for_people()
    if not found:
        told = f"The target '{selection.target.name}' does not say what a model needs of its machines."
        console.print(told, highlight=False)
    for fit in found:
        console.print(f"{name} on {selection.machine.name}, {told_of(fit)}", highlight=False, markup=False)
        console.print(_table(fit))


def _fits(spec: str, selection: Selection, defines: list[str], wanted: Wanted) -> tuple[str, tuple[Fit, ...]]:
    precision, integers = wanted.for_machine(selection)
    with stages() as stage, redirect_stdout(sys.stderr):  # what the model prints is not our result
        stage("loading PyTorch")
        from wsc.frontend.capture import capture

        stage(f"loading {spec}")
        source = Request.of(spec, defines).source()
        stage("capturing the model")
        captured = capture(source.module, source.example_inputs, source.name).in_precision(precision)
        samples = [] if captured.example_inputs is None else [captured.example_inputs]
        simple = quantized(run_pipeline(captured.model), selection, stage, dtype=integers, samples=samples)
        stage("sizing every part")
        legal = selection.target.legalize(simple, selection.machine)
        return source.name, selection.target.fits(legal, selection.machine)


def told_of(fit: Fit) -> str:
    """A way to lay out a model in one sentence: what it needs, and what is missing."""
    said = (
        f"{fit.how}: needs at least {format_count(fit.needed_units)} of {format_count(fit.units)} {fit.unit}s"
    )
    if fit.missing_units:
        said += f", {format_count(fit.missing_units)} too few"
    if fit.too_large:
        worst = fit.too_large[0]
        said += (
            f"; {len(fit.too_large)} of {len(fit.needs)} parts exceed the {format_bytes(worst.limit_bytes)} of a "
            f"{fit.unit}, '{worst.name}' by {format_bytes(worst.over_bytes)}"
        )
    return said + ("; it fits." if fit.fits else "; it does not fit.")


def _table(fit: Fit) -> Table:
    """Parts that are alike in one row; those too large first, then those of most units."""
    rows: dict[tuple[object, ...], list[Need]] = {}
    for need in fit.needs:
        rows.setdefault((pattern(need.name), need.group, need.units, need.parts), []).append(need)
    order = sorted(rows.values(), key=lambda n: (-n[0].over_bytes, -n[0].units * len(n)))
    kinds = list(dict.fromkeys(name for need in fit.needs for name, _ in need.parts))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("part", overflow="fold")
    for title in ("times", f"{fit.unit}s each", *kinds, *(("of its memory", "too many") if kinds else ())):
        table.add_column(title, justify="right", overflow="fold")
    for needs in order[:_ROWS]:
        table.add_row(*_cells(needs, kinds))
    if len(order) > _ROWS:
        table.add_row(f"and {len(order) - _ROWS} kinds more")
    return table


def _cells(needs: list[Need], kinds: list[str]) -> list[str]:
    need, sizes = needs[0], dict(needs[0].parts)
    name = pattern(need.name) if len(needs) > 1 else need.name
    cells = [name, str(len(needs)), format_count(need.units)]
    cells += [format_bytes(sizes[kind]) if kind in sizes else "" for kind in kinds]
    if need.limit_bytes:
        over = format_bytes(need.over_bytes) if need.over_bytes else ""
        cells += [format_percent(need.bytes / need.limit_bytes), over]
    return cells


def _json(fit: Fit) -> dict[str, Any]:
    return {
        "how": fit.how,
        "fits": fit.fits,
        "unit": fit.unit,
        "units": fit.units,
        "needed_units": fit.needed_units,
        "missing_units": fit.missing_units,
        "parts": [
            {
                "name": need.name,
                "group": need.group,
                "units": need.units,
                "bytes": dict(need.parts),
                "limit_bytes": need.limit_bytes,
                "over_bytes": need.over_bytes,
            }
            for need in fit.needs
        ],
    }
