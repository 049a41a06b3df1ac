"""`wsc compile`."""

from __future__ import annotations

import sys
import tomllib
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from wsc.api import build_of
from wsc.backends.registry import select
from wsc.build import Build, write_build
from wsc.commands.console import DEFAULT_FOLDER, print_json, stages
from wsc.commands.summary import kernel_rows, summary_items, summary_json
from wsc.compiler.errors import UserError
from wsc.compiler.passes.precision import Precision
from wsc.folder import check_place
from wsc.reports.tables import kernel_table, summary_panel

if TYPE_CHECKING:
    from wsc.frontend.model_file import ModelSource


def compile_file(
    spec: str,
    target: str,
    defines: list[str],
    output: Path | None,
    json: bool,
    download: bool,
    precision: Precision,
) -> None:
    """Compile the model of a file, write its build folder, print the summary."""
    options = _options(defines)
    selection = select(target)
    if output is not None:
        check_place(output)
    with stages() as stage, redirect_stdout(sys.stderr):  # what the model prints is not our result
        stage("loading PyTorch")
        from wsc.frontend.capture import capture

        stage(f"loading {spec}")
        source = _source(spec, options, download)
        folder = output or DEFAULT_FOLDER / source.name
        check_place(folder)
        stage("capturing the model")
        captured = capture(source.module, source.example_inputs, source.name)
        captured = captured.in_precision(precision)
        build = build_of(captured, selection, stage)
        stage(f"writing {folder}")
        write_build(build, folder)
    if json:
        print_json(summary_json(build, folder))
    else:
        _print(build, folder)


def chosen_precision(dtype: str | None, weights: str | None, overrides: Path | None) -> Precision:
    """The precision that the options ask for; raises UserError."""
    whole = Precision.of(dtype) if dtype else Precision()
    return replace(whole, weights=weights or whole.weights, overrides=_overrides(overrides))


def _overrides(file: Path | None) -> tuple[tuple[str, str], ...]:
    if file is None:
        return ()
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read {file}: {error.strerror or error}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{file} is no TOML: {error}.") from error
    if wrong := [key for key, value in table.items() if not isinstance(value, str)]:
        raise UserError(
            f'{file} must give each pattern a type, as "lm_head.*" = "bf16"; not so \'{wrong[0]}\'.'
        )
    return tuple(table.items())


def _source(spec: str, options: dict[str, str], download: bool) -> ModelSource:
    """The model of a file, or of a configuration."""
    from wsc.frontend import hf, model_file

    if spec.startswith(hf.PREFIX):
        return hf.load_hf(spec, options, download)
    if download:
        raise UserError(f"--download is for hf: models; '{spec}' is a file.")
    return model_file.load(spec, options)


def _options(defines: list[str]) -> dict[str, str]:
    """The options by key; raises UserError for one that is given twice with different values."""
    options: dict[str, str] = {}
    for key, value in map(_split, defines):
        if options.setdefault(key, value) != value:
            raise UserError(f"The option '{key}' is given twice, as {options[key]} and as {value}.")
    return options


def _split(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise UserError(f"-D takes KEY=VALUE, as in -D seq=512; '{text}' was given.")
    return key, value


def _print(build: Build, folder: Path) -> None:
    console = Console()
    console.print(kernel_table(kernel_rows(build)))
    console.print(summary_panel(f"{build.name} on {build.selection.machine.name}", summary_items(build)))
    uses = [f"`wsc run {folder}` executes it"] if build.inputs is not None else []
    told = f"wrote {folder}: {', '.join([*uses, f'`wsc inspect {folder}` draws it'])}"
    console.print(told, soft_wrap=True, markup=False, highlight=False)
