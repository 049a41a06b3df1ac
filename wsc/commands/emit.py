"""`wsc emit`."""

from __future__ import annotations

from pathlib import Path

from wsc.build import read_build
from wsc.commands.console import chosen_build, print_json
from wsc.compiler.errors import BuildError, UserError


def emit_build(folder: Path | None, torch: bool, output: Path | None, json: bool) -> None:
    """Write the program of a build as code that runs on real machines, into BUILD/torch."""
    if not torch:
        raise UserError("Say what to write: --torch writes PyTorch code.")
    path = chosen_build(folder)
    build = read_build(path)
    target = build.selection.target
    write = getattr(target, "write_torch", None)
    if write is None:
        raise UserError(
            f"The program of '{build.name}' is for the target '{target.name}', which no PyTorch code is written for: "
            "compile the model for a cluster of GPUs, as with --target h100x8."
        )
    place = output or path / "torch"
    try:
        files = write(build.program, place)
    except OSError as error:
        raise BuildError(f"Cannot write the code to {place}: {error.strerror or error}.") from error
    if json:
        print_json({"build": str(path), "files": [str(file) for file in files]})
        return
    for file in files:
        print(f"wrote {file}")  # noqa: T201
