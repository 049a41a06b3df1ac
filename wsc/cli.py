"""The command line. Heavy imports are inside the commands, so that `wsc --help` answers at once."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from wsc import __version__
from wsc.compiler.errors import InternalError, WscError
from wsc.options import (
    AlgorithmName,
    Batch,
    BuildFolder,
    Context,
    Define,
    Download,
    DType,
    Extent,
    Format,
    InputArrays,
    Json,
    Layers,
    Machine,
    ModelFile,
    OtherMachine,
    OutputArrays,
    OutputFolder,
    OutputPictures,
    Overrides,
    Phase,
    Seq,
    Terminal,
    WeightsDType,
)

_INTERRUPTED = 130  # as shells count: 128 and the number of SIGINT


class _Group(TyperGroup):
    """Commands before or after which --debug may stand."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As click does, with --debug in front of the command."""
        rest = [arg for arg in args if arg != "--debug"]
        return super().parse_args(ctx, ["--debug", *rest] if len(rest) < len(args) else args)


class _Command(TyperCommand):
    """A command whose errors are told in one paragraph, with an exit code that says whose fault they are."""

    def invoke(self, ctx: Any) -> Any:
        """Call the command; exit code 2 for a user's mistake, 1 for ours, 130 for Ctrl-C."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # typer leaves quietly: whoever read our output has enough
        except (Exception, KeyboardInterrupt) as error:
            if ctx.find_root().params["debug"]:
                traceback.print_exception(error)
            message, code = _told(error)
        typer.echo(message, err=True)
        raise typer.Exit(code)


def _told(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted: no build folder was left half written.", _INTERRUPTED
    if isinstance(error, WscError) and not isinstance(error, InternalError):
        return f"Error: {error}", error.exit_code
    said = str(error) if isinstance(error, WscError) else f"{type(error).__name__}: {error}".rstrip(": ")
    report = "This is a defect of wsc: please report it, with the traceback that the same command prints with --debug."
    return f"Internal error: {said.rstrip('.')}. {report}", 1


app = typer.Typer(
    name="wsc",
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wsc {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Compile PyTorch models to programs for wafer-scale machines, simulate their cycles, run them, draw them."""


def _sizes(phase: str | None, batch: int | None, context: int | None, seq: int | None) -> list[str]:
    """The options that models which generate token by token take, as -D gives them."""
    sizes = {"phase": phase, "batch": batch, "context": context, "seq": seq}
    return [f"{key}={value}" for key, value in sizes.items() if value is not None]


@app.command(cls=_Command)
def compile(
    model: ModelFile,
    target: Machine = "wse2",
    define: Define = None,
    phase: Phase = None,
    batch: Batch = None,
    context: Context = None,
    seq: Seq = None,
    download: Download = False,
    dtype: DType = "",
    weights_dtype: WeightsDType = None,
    dtype_overrides: Overrides = None,
    output: OutputFolder = None,
    page: Annotated[
        bool, typer.Option("--page/--no-page", help="Write report.html into the build folder.")
    ] = True,
    json: Json = False,
) -> None:
    """Compile and simulate a model; write a build folder."""
    from wsc.commands.compile import compile_file
    from wsc.commands.precision import chosen_precision

    precision, quantised = chosen_precision(dtype, weights_dtype, dtype_overrides)
    compile_file(
        model,
        target,
        [*(define or []), *_sizes(phase, batch, context, seq)],
        precision=precision,
        dtype=quantised,
        output=output,
        page=page,
        json=json,
        download=download,
    )


@app.command(cls=_Command)
def run(
    build: BuildFolder = None, inputs: InputArrays = None, output: OutputArrays = None, json: Json = False
) -> None:
    """Execute a program on real tensors; compare it with PyTorch."""
    from wsc.commands.run import run_build

    run_build(build, inputs, output, json)


@app.command(cls=_Command)
def simulate(build: BuildFolder = None, machine: OtherMachine = None, json: Json = False) -> None:
    """Simulate a program again, on its machine or another."""
    from wsc.commands.simulate import simulate_build

    simulate_build(build, machine, json)


@app.command(cls=_Command)
def inspect(
    build: BuildFolder = None,
    layer: Layers = None,
    output: OutputPictures = None,
    format: Format = "png",
    terminal: Terminal = True,
    json: Json = False,
) -> None:
    """Draw where everything lies, and how busy it is."""
    from wsc.commands.inspect import inspect_build

    inspect_build(build, layer or [], output, format, terminal and not json, json)


@app.command(cls=_Command)
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
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="For the tables. [default: comparison/NAME]"),
    ] = None,
    json: Json = False,
) -> None:
    """Compile a model for several machines and compare them."""
    from wsc.commands.compare import compare_file

    given = [*(define or []), *_sizes(phase, batch, context, seq)]
    compare_file(model, targets, given, dtype=dtype, output=output, json=json, download=download)


@app.command(cls=_Command)
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


@app.command(cls=_Command)
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
    """Write what happens when, to look at in Perfetto."""
    from wsc.commands.trace import trace_build

    trace_build(build, inputs, format, most, output, json)


@app.command(cls=_Command)
def explain(build: BuildFolder = None, json: Json = False) -> None:
    """Say what bounds a program, and simulate what would help most."""
    from wsc.commands.explain import explain_build

    explain_build(build, json)


@app.command(cls=_Command)
def diff(
    before: Annotated[Path, typer.Argument(metavar="BUILD_A", help="A build folder.")],
    after: Annotated[Path, typer.Argument(metavar="BUILD_B", help="The build folder to compare it with.")],
    json: Json = False,
) -> None:
    """Say what differs between two builds."""
    from wsc.commands.diff import diff_builds

    diff_builds(before, after, json)


@app.command(cls=_Command)
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


@app.command(cls=_Command)
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
    """Make a mesh algorithm by name, simulate it and check its numbers; without a name, list all."""
    from wsc.commands.algorithm import list_algorithms, run_algorithm

    if name is None:
        list_algorithms(json)
        return
    sizes = {"m": m, "k": k, "n": n, "heads": heads, "taps": taps, "groups": groups, "group": group}
    names = {"inner": inner, "reduce": reduce, "root": root, "plain": plain or None}
    layouts = {"shape": shape, "source": source, "target": target, "mesh": mesh, "to_mesh": to_mesh}
    run_algorithm(name, machine, parts, {**sizes, **names, **layouts, "dtype": dtype}, check, program, json)


@app.command(cls=_Command)
def targets(json: Json = False) -> None:
    """List the machines a model can be compiled for."""
    from wsc.commands.targets import list_targets

    list_targets(json)


def main() -> None:
    """Run the command line."""
    app()
