"""The command line. Heavy imports are inside the commands, so that `wsc --help` answers at once."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from wsc import __version__
from wsc.compiler.errors import InternalError, WscError

_INTERRUPTED = 130  # as shells count: 128 and the number of SIGINT

ModelFile = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A file that defines model() and example_inputs(), or FILE:factory; hf:NAME or hf:FOLDER for a "
        "configuration of transformers or diffusers.",
    ),
]
BuildFolder = Annotated[
    Path | None, typer.Argument(metavar="BUILD", help="A build folder. [default: the last in build/]")
]
Machine = Annotated[
    str,
    typer.Option("--target", "-t", metavar="NAME", help="A machine (see `wsc targets`) or a machine file."),
]
OtherMachine = Annotated[
    str | None,
    typer.Option(
        "--machine", "-m", metavar="NAME", help="Another machine or machine file. [default: the build's]"
    ),
]
Define = Annotated[
    list[str] | None,
    typer.Option(
        "--define", "-D", metavar="KEY=VALUE", help="A keyword argument for the factory; may be repeated."
    ),
]
Phase = Annotated[
    str | None,
    typer.Option(
        "--phase", metavar="PHASE", help="prefill or decode, for models that generate token by token."
    ),
]
Batch = Annotated[int | None, typer.Option("--batch", metavar="N", min=1, help="Inputs taken at once.")]
Context = Annotated[
    int | None,
    typer.Option("--context", metavar="N", min=1, help="Positions that keys and values are kept for."),
]
Seq = Annotated[int | None, typer.Option("--seq", metavar="N", min=1, help="Tokens in the input.")]
DType = Annotated[
    str | None,
    typer.Option(
        "--dtype", metavar="TYPE", help="fp32, fp16, bf16, fp8 or int8; the last two for weights alone."
    ),
]
WeightsDType = Annotated[
    str | None, typer.Option("--weights-dtype", metavar="TYPE", help="What weights are stored in.")
]
Overrides = Annotated[
    Path | None,
    typer.Option(
        "--dtype-overrides",
        metavar="FILE",
        help="A TOML file of patterns of weights' names, each with a type or keep.",
    ),
]
Download = Annotated[
    bool, typer.Option("--download", help="Fetch the configuration of hf:NAME where it is not cached.")
]
OutputFolder = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FOLDER", help="The build folder. [default: build/NAME]"),
]
OutputArrays = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the outputs to this .npz file.")
]
OutputPictures = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FOLDER", help="For the pictures. [default: BUILD/maps]"),
]
InputArrays = Annotated[
    Path | None,
    typer.Option(
        "--input", "-i", metavar="FILE", help="A .npz file of inputs. [default: the example inputs]"
    ),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--layer", "-l", metavar="NAME", help="What to draw; may be repeated. [default: every layer]"
    ),
]
Format = Annotated[str, typer.Option("--format", "-f", metavar="KIND", help="png or svg.")]
Terminal = Annotated[
    bool, typer.Option("--terminal/--no-terminal", help="Draw coarsely in the terminal too.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


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


@app.command(cls=_Command)
def compile(
    model: ModelFile,
    target: Machine = "wse2",
    define: Define = None,
    phase: Phase = None,
    batch: Batch = None,
    context: Context = None,
    seq: Seq = None,
    dtype: DType = None,
    weights_dtype: WeightsDType = None,
    dtype_overrides: Overrides = None,
    download: Download = False,
    output: OutputFolder = None,
    json: Json = False,
) -> None:
    """Compile and simulate a model; write a build folder."""
    from wsc.commands.compile import chosen_precision, compile_file

    sizes = {"phase": phase, "batch": batch, "context": context, "seq": seq}
    given = [f"{key}={value}" for key, value in sizes.items() if value is not None]
    precision = chosen_precision(dtype, weights_dtype, dtype_overrides)
    compile_file(model, target, [*(define or []), *given], output, json, download, precision)


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
def targets(json: Json = False) -> None:
    """List the machines a model can be compiled for."""
    from wsc.commands.targets import list_targets

    list_targets(json)


def main() -> None:
    """Run the command line."""
    app()
