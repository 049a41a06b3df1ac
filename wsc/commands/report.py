"""`wsc report`."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from wsc.build import Build, read_build
from wsc.commands.console import chosen_build, for_people, print_json, stages
from wsc.commands.summary import summary_items
from wsc.compiler.errors import BuildError
from wsc.compiler.evidence import sentence
from wsc.reports.page import Report, report_page

FILE = "report.html"
_INPUTS = 2  # that the time line follows


def report_build(folder: Path | None, output: Path | None, open: bool, json: bool) -> None:
    """Write the page of a build, and open it in the browser if asked."""
    path = chosen_build(folder)
    with stages() as stage:
        stage("reading the build")
        build = read_build(path)
        stage("writing the page")
        page = write_page(build, output or path / FILE)
    if json:
        print_json({"build": str(path), "page": str(page), "bytes": page.stat().st_size})
    else:
        for_people().print(f"wrote {page}", soft_wrap=True, markup=False, highlight=False)
    if open:
        webbrowser.open(page.resolve().as_uri())


def open_page(folder: Path | None) -> None:
    """Open the page of a build in the browser, written first where it is not there."""
    path = chosen_build(folder)
    page = path / FILE
    if not page.is_file():
        with stages() as stage:
            stage("writing the page")
            write_page(read_build(path), page)
    webbrowser.open(page.resolve().as_uri())


def write_page(build: Build, file: Path) -> Path:
    """Write the page of a build into a file, and return it; raises BuildError."""
    target, machine = build.selection.target, build.selection.machine
    report = Report(
        title=f"{build.name} on {machine.name}",
        summary=summary_items(build),
        graph=build.graph,
        trace=build.trace,
        plan=build.floorplan(),
        capacity=target.capacity(build.program, machine),
        program=target.print(build.program),
        bound_cycles=target.lower_bound(build.program, machine),
        validated=sentence(target.validated(machine), "cycles"),
        timeline=target.timeline(build.program, machine, _INPUTS),
    )
    try:
        file.write_text(report_page(report), encoding="utf-8")
    except OSError as error:
        raise BuildError(f"Cannot write the page {file}: {error.strerror or error}.") from error
    return file
