"""Commands that look at what was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wsc.app import Command, app
from wsc.options import (
    Batch,
    BuildFolder,
    Context,
    Define,
    DType,
    Format,
    GridSize,
    Json,
    Layers,
    Machine,
    OutputPictures,
    Phase,
    Schedule,
    Seq,
    Terminal,
    sizes,
)


@app.command(cls=Command)
def inspect(
    build: BuildFolder = None,
    layer: Layers = None,
    output: OutputPictures = None,
    format: Format = "png",
    terminal: Terminal = True,
    open: Annotated[bool, typer.Option("--open", help="Open the build's page in the browser.")] = False,
    wafer: Annotated[int, typer.Option(min=0, help="Of several wafers the one to draw, from 0.")] = 0,
    json: Json = False,
) -> None:
    """Draw where everything lies, and how busy it is."""
    from wsc.commands.inspect import inspect_build

    inspect_build(build, layer or [], output, format, terminal and not json, json, wafer)
    if open:
        from wsc.commands.report import open_page

        open_page(build)


@app.command(cls=Command)
def report(
    build: BuildFolder = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The page. [default: BUILD/report.html]"),
    ] = None,
    open: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    json: Json = False,
) -> None:
    """Write a page about a build, in one HTML file."""
    from wsc.commands.report import report_build

    report_build(build, output, open, json)


@app.command(cls=Command)
def trace(
    build: BuildFolder = None,
    inputs: Annotated[int, typer.Option("--inputs", "-n", min=1, help="How many inputs to follow.")] = 2,
    format: Annotated[
        str, typer.Option("--format", "-f", metavar="KIND", help="perfetto or json.")
    ] = "perfetto",
    most: Annotated[
        int, typer.Option("--spans", min=1, help="Put short spans together beyond so many.")
    ] = 200_000,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="[default: BUILD/timeline.perfetto-trace]"),
    ] = None,
    json: Json = False,
) -> None:
    """Write what happens when, for Perfetto."""
    from wsc.commands.trace import trace_build

    trace_build(build, inputs, format, most, output, json)


@app.command(cls=Command)
def explain(
    build: BuildFolder = None,
    why_not: Annotated[
        str | None,
        typer.Option(
            "--why-not", metavar="MODEL", help="Instead of a build: what this model needs, part by part."
        ),
    ] = None,
    target: Machine = "wse2",
    define: Define = None,
    phase: Phase = None,
    batch: Batch = None,
    context: Context = None,
    seq: Seq = None,
    schedule: Schedule = None,
    grid: GridSize = None,
    dtype: DType = "",
    json: Json = False,
) -> None:
    """Say what bounds a run, or why a model does not fit."""
    if why_not is None:
        from wsc.commands.explain import explain_build

        explain_build(build, json)
        return
    from wsc.commands.fit import explain_fit
    from wsc.precision import Wanted

    given = [*(define or []), *sizes(phase, batch, context, seq)]
    asked = {"schedule": schedule, "grid": grid}
    explain_fit(why_not, target, given, wanted=Wanted(dtype), asked=asked, json=json)


@app.command(cls=Command)
def diff(
    before: Annotated[Path, typer.Argument(metavar="BUILD_A", help="A build folder.")],
    after: Annotated[Path, typer.Argument(metavar="BUILD_B", help="The build folder to compare it with.")],
    json: Json = False,
) -> None:
    """Say what differs between two builds."""
    from wsc.commands.diff import diff_builds

    diff_builds(before, after, json)


@app.command(cls=Command)
def results(
    where: Annotated[
        str,
        typer.Option(
            "--where", "-w", metavar="CONDITION", help="SQL, as in \"machine='wse3' AND cycles < 1e5\"."
        ),
    ] = "",
    sort: Annotated[
        str, typer.Option("--sort", "-s", metavar="COLUMN", help="Smallest first. [default: newest first]")
    ] = "",
    descending: Annotated[bool, typer.Option("--descending", help="Largest first.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="At most so many rows.")] = None,
    builds: Annotated[
        Path | None, typer.Option("--builds", metavar="FOLDER", help="The folder of builds. [default: build]")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export", "-o", metavar="FILE", help="Write to a .csv, .json, .parquet or .duckdb file."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List what was compiled, with its figures."""
    from wsc.commands.results import show_results

    show_results(where, sort, descending, limit, builds, export, json)


@app.command(cls=Command)
def targets(json: Json = False) -> None:
    """List the machines a model can be compiled for."""
    from wsc.commands.targets import list_targets

    list_targets(json)
