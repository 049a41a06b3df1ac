"""`wsc compare`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from wsc.backends.registry import select
from wsc.commands.console import for_people, print_json, stages
from wsc.commands.source import Request
from wsc.comparison import Told, compare_machines
from wsc.compiler.errors import BuildError, UserError
from wsc.compiler.passes.precision import Precision
from wsc.precision import Wanted
from wsc.reports.comparison import (
    Figures,
    Refusal,
    comparison_csv,
    comparison_json,
    comparison_markdown,
    comparison_page,
    comparison_table,
)

if TYPE_CHECKING:
    from wsc.api import Compilable

DEFAULT_FOLDER = Path("comparison")


def compare_file(
    request: Request,
    targets: str,
    *,
    wanted: Wanted,
    output: Path | None = None,
    json: bool = False,
) -> None:
    """Compile the model of a file for several machines, print their figures side by side, write them to a folder."""
    names = list(dict.fromkeys(name.strip() for name in targets.split(",") if name.strip()))
    if not names:
        raise UserError("--targets takes machines separated by commas, as in --targets wse2,wse3.")
    for name in names:
        wanted.for_machine(select(name))  # what is unknown is an error before any work is done
    captured = _captured(request)
    model = captured.model
    folder = output or DEFAULT_FOLDER / model.graph.name
    with _bars(names) as told:
        rows = compare_machines(model, names, told, inputs=captured.example_inputs or (), wanted=wanted)
    _write(folder, f"{model.graph.name} on {', '.join(names)}", rows)
    if json:
        print_json({"model": model.graph.name, "folder": str(folder), "machines": comparison_json(rows)})
    else:
        _print(rows, folder)


def _captured(request: Request) -> Compilable:
    with stages() as stage, redirect_stdout(sys.stderr):  # what the model prints is not our result
        stage("loading PyTorch")
        stage(f"loading {request.spec}")
        source = request.source()
        stage("capturing the model")
        return request.captured(source, Precision())[-1]


@contextmanager
def _bars(names: list[str]) -> Iterator[Told]:
    """A line for each machine on a terminal, with what it is doing and for how long."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.fields[machine]}"), TimeElapsedColumn())
    with Progress(
        *columns,
        TextColumn("{task.description}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        tasks = {name: bars.add_task("waiting", total=1, machine=name) for name in names}

        def told(name: str, what: str) -> None:
            bars.update(tasks[name], description=what, completed=int(what in ("done", "cannot run it")))

        yield told


def _write(folder: Path, title: str, rows: list[Figures | Refusal]) -> None:
    texts = {
        "comparison.json": dumps(comparison_json(rows), indent=1, allow_nan=False) + "\n",
        "comparison.csv": comparison_csv(rows),
        "comparison.md": comparison_markdown(title, rows),
        "comparison.html": comparison_page(title, rows),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BuildError(f"Cannot write the comparison into {folder}: {error.strerror or error}.") from error


def _print(rows: list[Figures | Refusal], folder: Path) -> None:
    console = for_people()
    if any(isinstance(row, Figures) for row in rows):
        console.print(comparison_table(rows))
    for row in rows:
        if isinstance(row, Refusal):
            console.print(f"{row.machine} cannot run it: {row.reason}", markup=False, highlight=False)
    told = f"wrote comparison.json, .csv, .md and .html to {folder}"
    console.print(told, soft_wrap=True, markup=False, highlight=False)
