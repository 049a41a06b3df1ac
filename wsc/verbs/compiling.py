"""Commands that make something of a model or of a program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wsc.app import Command, app
from wsc.options import (
    Accumulate,
    AdcBits,
    AlgorithmName,
    Analog,
    Batch,
    BuildFolder,
    Calibrate,
    Context,
    Define,
    Download,
    DType,
    ExpertLoad,
    Extent,
    GridSize,
    InputArrays,
    IsTraining,
    Json,
    Labels,
    Level,
    Machine,
    ModelFile,
    Optimizer,
    OtherMachine,
    OutputArrays,
    OutputFolder,
    Overrides,
    Phase,
    Recompute,
    Schedule,
    Seconds,
    Seed,
    Seq,
    Wafers,
    WeightsDType,
    only_with,
    sizes,
)


@app.command(cls=Command)
def compile(
    model: ModelFile,
    target: Machine = "wse2",
    define: Define = None,
    phase: Phase = None,
    batch: Batch = None,
    context: Context = None,
    seq: Seq = None,
    schedule: Schedule = None,
    grid: GridSize = None,
    wafers: Wafers = None,
    download: Download = False,
    dtype: DType = "",
    weights_dtype: WeightsDType = "",
    dtype_overrides: Overrides = None,
    expert_load: ExpertLoad = None,
    training: IsTraining = False,
    optimizer: Optimizer = None,
    accumulate: Accumulate = None,
    recompute: Recompute = False,
    output: OutputFolder = None,
    page: Annotated[
        bool, typer.Option("--page/--no-page", help="Write report.html into the build folder.")
    ] = True,
    json: Json = False,
) -> None:
    """Compile and simulate a model; write a build folder."""
    from wsc.commands.compile import compile_file
    from wsc.commands.serve import serve_file
    from wsc.commands.source import Request, Training
    from wsc.precision import Wanted

    request = Request.of(
        model,
        [*(define or []), *sizes(phase, batch, context, seq)],
        download=download,
        expert_load=expert_load,
        training=Training.of(training, optimizer, accumulate, recompute),
    )
    make = serve_file if phase == "serve" else compile_file
    make(
        request,
        target,
        asked={"schedule": schedule, "grid": grid, "wafers": wafers},
        wanted=Wanted(dtype, weights_dtype, dtype_overrides),
        output=output,
        page=page,
        json=json,
    )


@app.command(cls=Command)
def run(
    build: BuildFolder = None,
    inputs: InputArrays = None,
    output: OutputArrays = None,
    analog: Analog = False,
    seed: Seed = None,
    adc_bits: AdcBits = None,
    seconds: Seconds = None,
    calibrate: Calibrate = None,
    labels: Labels = None,
    json: Json = False,
) -> None:
    """Execute a program on real tensors; compare it with PyTorch."""
    given = {"seed": seed, "adc-bits": adc_bits, "seconds": seconds, "calibrate": calibrate, "labels": labels}
    if not analog:
        from wsc.commands.run import run_build

        only_with("analog", given)
        run_build(build, inputs, output, json)
        return
    from wsc.backends.physical import Asked
    from wsc.commands.analog import Files, run_analog

    asked = Asked(seed or 0, adc_bits or 0, seconds or 0.0)
    run_analog(build, asked, Files(inputs, output, labels, calibrate), json)


@app.command(cls=Command)
def simulate(
    build: BuildFolder = None, machine: OtherMachine = None, level: Level = "fast", json: Json = False
) -> None:
    """Simulate a program again, on its machine or another."""
    from wsc.commands.simulate import simulate_build

    simulate_build(build, machine, level, json)


@app.command(cls=Command)
def compare(
    model: ModelFile,
    targets: Annotated[
        str,
        typer.Option(
            "--targets", "-t", metavar="NAMES", help="Machines or machine files, separated by commas."
        ),
    ],
    define: Define = None,
    phase: Phase = None,
    batch: Batch = None,
    context: Context = None,
    seq: Seq = None,
    download: Download = False,
    dtype: DType = "",
    weights_dtype: WeightsDType = "",
    dtype_overrides: Overrides = None,
    expert_load: ExpertLoad = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="For the tables. [default: comparison/NAME]"),
    ] = None,
    json: Json = False,
) -> None:
    """Compile a model for several machines and compare them."""
    from wsc.commands.compare import compare_file
    from wsc.commands.source import Request
    from wsc.precision import Wanted

    given = [*(define or []), *sizes(phase, batch, context, seq)]
    request = Request.of(model, given, download=download, expert_load=expert_load)
    wanted = Wanted(dtype, weights_dtype, dtype_overrides)
    compare_file(request, targets, wanted=wanted, output=output, json=json)


@app.command(cls=Command)
def emit(
    build: BuildFolder = None,
    torch: Annotated[bool, typer.Option("--torch", help="Write PyTorch code.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="For the code. [default: BUILD/torch]"),
    ] = None,
    json: Json = False,
) -> None:
    """Write a program as code for real machines."""
    from wsc.commands.emit import emit_build

    emit_build(build, torch, output, json)


@app.command(cls=Command)
def algorithm(
    name: AlgorithmName = None,
    machine: Annotated[
        str, typer.Option("--machine", "-m", metavar="NAME", help="A wafer, or its machine file.")
    ] = "wse2",
    parts: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Columns and rows of cores; P for P x P, or a line of P."),
    ] = None,
    m: Extent = None,
    k: Extent = None,
    n: Extent = None,
    heads: Extent = None,
    taps: Extent = None,
    groups: Annotated[int | None, typer.Option(help="Groups of columns: of a k-split, or of heads.")] = None,
    inner: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The product within a k-split's groups, or of scores."),
    ] = None,
    reduce: Annotated[
        str | None, typer.Option(metavar="NAME", help="How sums are made. [default: by modelled cycles]")
    ] = None,
    group: Annotated[int | None, typer.Option(help="Parts to a group of two-phase or k-tree.")] = None,
    root: Annotated[
        str | None, typer.Option(metavar="PART", help="Where an all-reduce leads to: a number, or middle.")
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Append to one row of cores, out of balance.")
    ] = False,
    shape: Annotated[
        str | None, typer.Option(metavar="AxB", help="Of the tensor that is laid out anew.")
    ] = None,
    source: Annotated[str | None, typer.Option("--from", metavar="LAYOUT", help="E.g. [i:16,j:16].")] = None,
    target: Annotated[str | None, typer.Option("--to", metavar="LAYOUT", help="E.g. [j:16,i:16].")] = None,
    mesh: Annotated[
        str | None, typer.Option(metavar="AXES", help="E.g. 'h=2x j=4x i=8y', in place of --parts.")
    ] = None,
    to_mesh: Annotated[
        str | None, typer.Option(metavar="AXES", help="The axes of --to, where they are others.")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(metavar="TYPE", help="f32, f16 or bf16. [default: f32]")
    ] = None,
    check: Annotated[
        bool | None, typer.Option("--check/--no-check", help="Run it on random numbers. [default: if small]")
    ] = None,
    program: Annotated[bool, typer.Option("--program", help="Print the program's text alone.")] = False,
    json: Json = False,
) -> None:
    """Make, simulate and check a mesh algorithm by name."""
    from wsc.commands.algorithm import list_algorithms, run_algorithm

    if name is None:
        list_algorithms(json)
        return
    sizes = {"m": m, "k": k, "n": n, "heads": heads, "taps": taps, "groups": groups, "group": group}
    names = {"inner": inner, "reduce": reduce, "root": root, "plain": plain or None}
    layouts = {"shape": shape, "source": source, "target": target, "mesh": mesh, "to_mesh": to_mesh}
    run_algorithm(name, machine, parts, {**sizes, **names, **layouts, "dtype": dtype}, check, program, json)


@app.command(cls=Command)
def place(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM", help="A .kgraph file (ISPD 2020 contest).")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the solution to this file.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write an HTML page with the floor plan."),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="SOLUTION", help="Check and score this solution; place nothing."),
    ] = None,
    effort: Annotated[
        str, typer.Option("--effort", "-e", metavar="EFFORT", help="low, medium or high.")
    ] = "medium",
    json: Json = False,
) -> None:
    """Size and place the kernels of a placement problem."""
    from wsc.commands.place import place_file

    place_file(problem, output, report, check, effort, json)
