"""`wsc inspect`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from wsc.build import read_build
from wsc.commands.console import chosen_build, print_json, stages
from wsc.compiler.errors import BuildError, UserError
from wsc.reports.layers import draw_layer, layer_names, terminal_layer

_COLUMNS = 100


def inspect_build(
    folder: Path | None, layers: list[str], output: Path | None, format: str, terminal: bool, json: bool
) -> None:
    """Write a picture of each layer, and show each in the terminal if asked."""
    if format not in ("png", "svg"):
        raise UserError(f"pictures are written as png or svg, not '{format}'")
    path = chosen_build(folder)
    build = read_build(path)
    plan = build.floorplan()
    wanted = layers or list(layer_names(plan))
    where = output or path / "maps"
    files = []
    with stages() as stage:
        for layer in wanted:
            stage(f"drawing {layer}")
            picture = draw_layer(plan, layer)
            files.append(_write(picture.save, where, f"{layer}.{format}"))
    if json:
        print_json({"build": str(path), "files": [str(f) for f in files]})
        return
    console = Console()
    if terminal:
        for layer in wanted:
            console.print(terminal_layer(plan, layer, min(console.width, _COLUMNS)))
    for file in files:
        console.print(f"wrote {file}", soft_wrap=True, highlight=False)


def _write(save, folder: Path, name: str) -> Path:  # type: ignore[no-untyped-def]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save(folder / name)
    except OSError as error:
        raise BuildError(f"cannot write {folder / name}: {error.strerror or error}") from error
    return folder / name
