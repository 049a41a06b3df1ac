"""`wsc place`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from wsc.commands.console import for_people, print_json
from wsc.compiler.errors import InternalError, PlacementError
from wsc.placement.check import check
from wsc.placement.effort import Effort
from wsc.placement.ispd2020.evaluate import Score, Spot, evaluate, faults
from wsc.placement.ispd2020.kgraph import KernelGraph, read_kgraph
from wsc.placement.ispd2020.shapes import problem_of
from wsc.placement.ispd2020.solution import read_solution, solution_text, spots_of
from wsc.placement.problem import Problem
from wsc.placement.result import Placement
from wsc.placement.solver import Progress as Standing
from wsc.placement.solver import solve
from wsc.reports.placement import PlacementPage, placement_page
from wsc.reports.tables import summary_panel


def place_file(
    problem: Path, output: Path | None, report: Path | None, solution: Path | None, effort: str, json: bool
) -> None:
    """Place the kernels of a `.kgraph` file, or check a solution of it where one is given."""
    chosen = next((it for it in Effort if it.value == effort), None)
    if chosen is None:
        raise PlacementError(f"--effort takes low, medium or high; '{effort}' was given.")
    graph = read_kgraph(problem)
    if solution is not None:
        _check(graph, solution, json)
        return
    for path in (output, report):
        if path is not None and not path.absolute().parent.is_dir():
            raise PlacementError(f"Cannot write {path}: there is no folder {path.parent}.")
    _place(graph, problem_of(graph), output, report, chosen, json)


def _check(graph: KernelGraph, solution: Path, json: bool) -> None:
    """Print the score of a solution; raises PlacementError where it breaks a rule."""
    spots = read_solution(solution, graph)
    if wrong := faults(graph, spots):
        raise PlacementError(f"{solution.name} breaks the rules: {'; '.join(wrong)}.")
    score = evaluate(graph, spots)
    if json:
        print_json({"problem": graph.name, "lawful": True, **_score_json(score)})
    else:
        for_people().print(summary_panel(f"{graph.name}: lawful", _score_items(score)))


def _place(
    graph: KernelGraph, problem: Problem, output: Path | None, report: Path | None, effort: Effort, json: bool
) -> None:
    with _bar(graph.name) as told:
        placement = solve(problem, effort, told)
    spots = spots_of(problem, placement)
    score = _verified(graph, problem, placement, spots)
    if output is not None:
        _write(output, solution_text(graph, spots))
    if report is not None:
        _write(report, placement_page(_page(graph, problem, placement, score)))
    if json:
        print_json(
            {"problem": graph.name, "effort": effort.value, **_placement_json(problem, placement, score)}
        )
        return
    items = [*_score_items(score), *_bound_items(problem, placement)]
    for_people().print(summary_panel(f"{graph.name}, effort {effort.value}", items))
    for path in (output, report):
        if path is not None:
            for_people().print(f"wrote {path}", soft_wrap=True, markup=False, highlight=False)


def _verified(graph: KernelGraph, problem: Problem, placement: Placement, spots: tuple[Spot, ...]) -> Score:
    """The contest's score of our placement, after both checkers found nothing wrong with it."""
    wrong = check(problem, placement) + faults(graph, spots)
    score = evaluate(graph, spots)
    if wrong or score.total != placement.total:
        told = "; ".join(wrong) or f"the total is {score.total}, not {placement.total}"
        raise InternalError(f"the placement of {graph.name} is not right: {told}")
    return score


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PlacementError(f"Cannot write {path}: {error.strerror or error}.") from error


@contextmanager
def _bar(title: str) -> Iterator[Callable[[Standing], None]]:
    """A bar with the incumbent and the bound, on standard error where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{title}: sizing", total=1.0)
        yield lambda at: bar.update(
            task,
            completed=at.done,
            description=f"{title}: {at.incumbent:,.1f} found, none below {at.bound:,.1f}",
        )


def _score_json(score: Score) -> dict[str, Any]:
    return {
        "time_cycles": _number(score.time),
        "wire_length_tiles": _number(score.wire),
        "adapters": score.adapters,
        "total": _number(score.total),
    }


def _placement_json(problem: Problem, placement: Placement, score: Score) -> dict[str, Any]:
    ticks = problem.ticks_per_cycle
    return {
        **_score_json(score),
        "time_bound_cycles": _number(Fraction(placement.bound, ticks)),
        "wire_bound_tiles": placement.half_hops_bound / 2,
        "total_bound": None if placement.total_bound is None else _number(placement.total_bound),
        "gap": placement.gap,
        "time_optimal": placement.status == "optimal",
        "interrupted": placement.interrupted,
        "kernels": [
            {"name": block.name, "x": at.x, "y": at.y, "width": at.width, "height": at.height}
            for block, at in zip(problem.blocks, placement.placed, strict=True)
        ],
    }


def _number(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


def _score_items(score: Score) -> list[tuple[str, str]]:
    return [
        ("total", f"{float(score.total):,.2f}"),
        ("slowest time", f"{float(score.time):,.2f} cycles"),
        ("wire length", f"{float(score.wire):,.1f} tiles"),
        ("adapters", f"{score.adapters:,}"),
    ]


def _bound_items(problem: Problem, placement: Placement) -> list[tuple[str, str]]:
    cores = problem.fabric.free
    items = [(name, bound) for name, _, bound in _terms(problem, placement) if bound]
    items = [(f"no {name} below", bound) for name, bound in items]
    items.append(("gap of the total", f"{placement.gap:.2%}"))
    items.append(
        ("cores used", f"{placement.cores_used:,} of {cores:,} ({placement.cores_used / cores:.1%})")
    )
    if placement.interrupted:
        items.append(("interrupted", "the best so far"))
    return items


def _terms(problem: Problem, placement: Placement) -> tuple[tuple[str, str, str], ...]:
    """Rows (term, ours, its bound)."""
    ticks = problem.ticks_per_cycle
    rows = [
        (
            "slowest time",
            f"{placement.slowest / ticks:,.2f} cycles",
            f"{placement.bound / ticks:,.2f} cycles",
        ),
        (
            "wire length",
            f"{placement.half_hops / 2:,.1f} tiles",
            f"{placement.half_hops_bound / 2:,.1f} tiles",
        ),
        ("adapters", f"{placement.adapters:,}", ""),
    ]
    if placement.total is not None and placement.total_bound is not None:
        rows.append(("total", f"{float(placement.total):,.2f}", f"{float(placement.total_bound):,.2f}"))
    return tuple(rows)


def _page(graph: KernelGraph, problem: Problem, placement: Placement, score: Score) -> PlacementPage:
    kinds = [kernel.kind for kernel in graph.kernels]
    names = [block.name for block in problem.blocks]
    note = f"Total {float(score.total):,.2f}, {placement.gap:.2%} above the lower bound."
    if placement.interrupted:
        note += " The search was interrupted: this is the best it had found."
    return PlacementPage(
        title=graph.name,
        terms=_terms(problem, placement),
        width=problem.fabric.width,
        height=problem.fabric.height,
        kernels=tuple(zip(names, kinds, placement.placed, strict=True)),
        nets=tuple((net.source, net.target) for net in problem.nets),
        blocked=problem.fabric.blocked,
        note=note,
    )
