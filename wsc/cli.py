"""The command line. Heavy imports are inside the commands, so that `wsc --help` answers at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="wsc",
    help="Compile PyTorch models to programs for wafer-scale machines, simulate their cycles, run them, look at them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_state = {"debug": False}

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
BuildFolder = Annotated[Path | None, typer.Argument(help="A build folder. [default: the latest in build/]")]


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Compile PyTorch models to programs for wafer-scale machines, simulate their cycles, run them, look at them."""
    _state["debug"] = debug
    if version:
        from wsc import __version__

        typer.echo(f"wsc {__version__}")
        raise typer.Exit


@app.command()
def compile(
    model: Annotated[
        str, typer.Argument(help="A Python file that defines model() and example_inputs(), or FILE:factory.")
    ],
    target: Annotated[
        str, typer.Option("--target", "-t", help="A machine (see `wsc targets`) or a machine file.")
    ] = "wse2",
    define: Annotated[
        list[str] | None,
        typer.Option("--define", "-D", metavar="KEY=VALUE", help="Keyword argument for the factory."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The build folder. [default: build/NAME]")
    ] = None,
    json: Json = False,
) -> None:
    """Compile a model, simulate the program and write a build folder."""
    from wsc.commands.compile import compile_file

    compile_file(model, target, define or [], output, json)


@app.command()
def run(
    build: BuildFolder = None,
    inputs: Annotated[
        Path | None,
        typer.Option("--input", "-i", help="A .npz file of inputs by name. [default: the example inputs]"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the outputs to this .npz file.")
    ] = None,
    json: Json = False,
) -> None:
    """Execute the emitted program on real tensors and compare its outputs with PyTorch's."""
    from wsc.commands.run import run_build

    run_build(build, inputs, output, json)


@app.command()
def inspect(
    build: BuildFolder = None,
    layer: Annotated[
        list[str] | None, typer.Option("--layer", "-l", help="What to draw. [default: all]")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the pictures. [default: BUILD/maps]")
    ] = None,
    format: Annotated[str, typer.Option("--format", help="png or svg.")] = "png",
    terminal: Annotated[bool, typer.Option(help="Also draw coarse pictures in the terminal.")] = True,
    json: Json = False,
) -> None:
    """Draw heat maps of the placement: picture files, and the same coarsely in the terminal."""
    from wsc.commands.inspect import inspect_build

    inspect_build(build, layer or [], output, format, terminal and not json, json)


@app.command()
def targets(json: Json = False) -> None:
    """List the machines a model can be compiled for."""
    from wsc.commands.targets import list_targets

    list_targets(json)


def main() -> None:
    """Run the command line: exit code 2 for a user's mistake, 1 for ours, 130 for Ctrl-C."""
    with _errors():
        app()


@contextmanager
def _errors() -> Iterator[None]:
    from wsc.compiler.errors import WscError

    try:
        yield
    except WscError as error:
        if _state["debug"]:
            raise
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing was written", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        if _state["debug"]:
            raise
        typer.echo(
            f"internal error: {type(error).__name__}: {error}. This is a defect of wsc; please report it with the "
            "output of the same command after `wsc --debug`.",
            err=True,
        )
        sys.exit(1)
