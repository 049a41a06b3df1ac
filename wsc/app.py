"""The application of the command line: its options, and how errors are told."""

from __future__ import annotations

import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from wsc import __version__
from wsc.compiler.errors import InternalError, WscError
from wsc.silence import SILENT

_INTERRUPTED = 130  # as shells count: 128 and the number of SIGINT


class Group(TyperGroup):
    """Commands before or after which --debug may stand."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As click does, with --debug in front of the command."""
        rest = [arg for arg in args if arg != "--debug"]
        return super().parse_args(ctx, ["--debug", *rest] if len(rest) < len(args) else args)


class Command(TyperCommand):
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
    cls=Group,
    no_args_is_help=True,
    add_completion=True,
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
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing for people: no results as text, no progress.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Compile PyTorch models to programs for machines after the GPU, simulate their cycles, run them, draw them."""
    SILENT.set(quiet)
