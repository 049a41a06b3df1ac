"""`wsc inspect`."""

from __future__ import annotations

from pathlib import Path

from wsc.build import read_build
from wsc.commands.console import chosen_build, for_people, print_json, stages
from wsc.compiler.errors import BuildError, UserError
from wsc.reports.layers import check_layer, draw_layer, layer_names, terminal_layer
from wsc.simulation.floorplan import Floorplan

_FORMATS = ("png", "svg")
_WIDEST = 100  # columns, on however wide a terminal


def inspect_build(
    folder: Path | None,
    layers: list[str],
    output: Path | None,
    format: str,
    terminal: bool,
    json: bool,
    wafer: int = 0,
) -> None:
    """Write a picture of each layer, and show each in the terminal if asked."""
    if format not in _FORMATS:
        raise UserError(f"Pictures are written as {' or '.join(_FORMATS)}, not '{format}'.")
    path = chosen_build(folder)
    plan = read_build(path).floorplan(wafer)
    wanted = list(dict.fromkeys(layers)) or list(layer_names(plan))
    for layer in wanted:
        check_layer(plan, layer)
    files = _write(plan, wanted, output or path / "maps", format)
    if json:
        print_json(
            {"build": str(path), "layers": list(layer_names(plan)), "files": [str(file) for file in files]}
        )
        return
    console = for_people()
    if terminal:
        for layer in wanted:
            console.print(terminal_layer(plan, layer, min(console.width, _WIDEST)))
    for file in files:
        console.print(f"wrote {file}", soft_wrap=True, markup=False, highlight=False)


def _write(plan: Floorplan, layers: list[str], folder: Path, format: str) -> list[Path]:
    """Write a picture of each layer into a folder; raises UserError if that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(f"Cannot write pictures into {folder}: {error.strerror or error}.") from error
    files = [folder / f"{layer}.{format}" for layer in layers]
    with stages() as stage:
        for layer, file in zip(layers, files, strict=True):
            stage(f"drawing {layer}")
            draw_layer(plan, layer).save(file)
    return files
