"""`wsc compile`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from wsc.api import build_of
from wsc.backends.registry import Selection, select
from wsc.build import Build, write_build
from wsc.commands.console import DEFAULT_FOLDER, for_people, print_json, stages
from wsc.commands.report import FILE as PAGE
from wsc.commands.report import write_page
from wsc.commands.source import Request
from wsc.commands.summary import kernel_rows, parts_json, result_row, summary_items, summary_json
from wsc.commands.training import training_items, training_json
from wsc.compiler.errors import DoesNotFit
from wsc.driver import Stage
from wsc.folder import check_place
from wsc.precision import Wanted
from wsc.reports.tables import kernel_table, summary_panel
from wsc.store import add_row, store_of


def compile_file(
    request: Request,
    target: str,
    *,
    wanted: Wanted,
    asked: Mapping[str, object] | None = None,
    output: Path | None = None,
    page: bool = True,
    json: bool = False,
) -> None:
    """Compile the model of a file, write its build folder and its page, print the summary.

    `asked` are options of the target, those that are None left out. Of a training step over several inputs the program
    that sums gradients goes into a folder of its own, beside that of the step.
    """
    selection = select(target)
    given = {key: str(value) for key, value in (asked or {}).items() if value is not None}
    selection = replace(selection, target=selection.target.configured(given))
    if output is not None:
        check_place(output)
    made: list[tuple[Build, Path]] = []
    with stages() as stage, redirect_stdout(sys.stderr):  # what the model prints is not our result
        try:
            found = _builds(request, selection, wanted, output, stage)
        except DoesNotFit as error:
            more = f"`wsc explain --why-not {request.spec} -t {target}` shows what each part needs"
            raise DoesNotFit(f"{error} {more}; give it the same options.") from error
        for build, folder in found:
            stage(f"writing {folder}")
            write_build(build, folder)
            add_row(store_of(folder), result_row(build, folder))
            if page:
                stage(f"writing {folder / PAGE}")
                write_page(build, folder / PAGE)
            made.append((build, folder))
    if json:
        print_json(_json(request, made))
        return
    for build, folder in made:
        _print(build, folder)
    if request.training:
        items = training_items([build for build, _ in made], request.training)
        for_people().print(summary_panel("Training", items))


def _builds(
    request: Request, selection: Selection, wanted: Wanted, output: Path | None, stage: Stage
) -> list[tuple[Build, Path]]:
    """What was asked for, compiled, with the folder for each."""
    precision, integers = wanted.for_machine(selection)
    recipe = request.training.recipe() if request.training else None  # refused before any work is done
    stage("loading PyTorch")
    stage(f"loading {request.spec}")
    source = request.source()
    folder = output or DEFAULT_FOLDER / source.name
    check_place(folder)
    stage("capturing the model" if recipe is None else "capturing the model with its gradients")
    found = request.captured(source, precision)
    made = []
    for captured in found:
        last = captured is found[-1]
        place = folder if last else folder.with_name(f"{folder.name}.accumulate")
        check_place(place)
        made.append((build_of(captured, selection, stage, integers), place))
    return made


def _json(request: Request, made: list[tuple[Build, Path]]) -> dict[str, Any]:
    build, folder = made[-1]
    found = {**summary_json(build, folder), "parts": parts_json(build.graph)}
    if request.training:
        found["training"] = training_json([build for build, _ in made], request.training)
        found["training"]["folders"] = [str(folder) for _, folder in made]
    return found


def _print(build: Build, folder: Path) -> None:
    console = for_people()
    console.print(kernel_table(kernel_rows(build)))
    console.print(summary_panel(f"{build.name} on {build.selection.machine.name}", summary_items(build)))
    uses = [f"`wsc run {folder}` executes it"] if build.inputs is not None else []
    told = f"wrote {folder}: {', '.join([*uses, f'`wsc inspect {folder}` draws it'])}"
    console.print(told, soft_wrap=True, markup=False, highlight=False)
