"""`wsc compile`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

from wsc.api import build_of
from wsc.backends.registry import select
from wsc.build import Build, write_build
from wsc.commands.console import DEFAULT_FOLDER, for_people, print_json, stages
from wsc.commands.report import FILE as PAGE
from wsc.commands.report import write_page
from wsc.commands.source import load_source, options_of
from wsc.commands.summary import kernel_rows, result_row, summary_items, summary_json
from wsc.compiler.errors import DoesNotFit
from wsc.folder import check_place
from wsc.precision import Wanted
from wsc.reports.tables import kernel_table, summary_panel
from wsc.store import add_row, store_of


def compile_file(
    spec: str,
    target: str,
    defines: list[str],
    *,
    wanted: Wanted,
    asked: Mapping[str, object] | None = None,
    output: Path | None = None,
    page: bool = True,
    json: bool = False,
    download: bool = False,
) -> None:
    """Compile the model of a file, write its build folder and its page, print the summary.

    `asked` are options of the target, those that are None left out.
    """
    options = options_of(defines)
    selection = select(target)
    given = {key: str(value) for key, value in (asked or {}).items() if value is not None}
    selection = replace(selection, target=selection.target.configured(given))
    precision, integers = wanted.for_machine(selection)
    if output is not None:
        check_place(output)
    with stages() as stage, redirect_stdout(sys.stderr):  # what the model prints is not our result
        stage("loading PyTorch")
        from wsc.frontend.capture import capture

        stage(f"loading {spec}")
        source = load_source(spec, options, download)
        folder = output or DEFAULT_FOLDER / source.name
        check_place(folder)
        stage("capturing the model")
        captured = capture(source.module, source.example_inputs, source.name)
        try:
            build = build_of(captured.in_precision(precision), selection, stage, integers)
        except DoesNotFit as error:
            more = f"`wsc explain --why-not {spec} -t {target}` shows what each part needs"
            raise DoesNotFit(f"{error} {more}; give it the same options.") from error
        stage(f"writing {folder}")
        write_build(build, folder)
        add_row(store_of(folder), result_row(build, folder))
        if page:
            stage(f"writing {folder / PAGE}")
            write_page(build, folder / PAGE)
    if json:
        print_json(summary_json(build, folder))
    else:
        _print(build, folder)


def _print(build: Build, folder: Path) -> None:
    console = for_people()
    console.print(kernel_table(kernel_rows(build)))
    console.print(summary_panel(f"{build.name} on {build.selection.machine.name}", summary_items(build)))
    uses = [f"`wsc run {folder}` executes it"] if build.inputs is not None else []
    told = f"wrote {folder}: {', '.join([*uses, f'`wsc inspect {folder}` draws it'])}"
    console.print(told, soft_wrap=True, markup=False, highlight=False)
