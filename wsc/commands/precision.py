"""The precision that the options of a command ask for."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

from wsc.compiler.errors import UserError
from wsc.compiler.passes.precision import Precision

_WHOLE = ("fp32", "fp16", "bf16", "fp8")  # the other names of --dtype are for quantised products


def chosen_precision(dtype: str, weights: str | None, overrides: Path | None) -> tuple[Precision, str]:
    """What to make of the model before it is compiled, and the --dtype that is left; raises UserError."""
    whole = Precision.of(dtype) if dtype in _WHOLE else Precision()
    precision = replace(whole, weights=weights or whole.weights, overrides=_overrides(overrides))
    return precision, "" if dtype in _WHOLE else dtype


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
            f'{file} must give each pattern a type, as "lm_head.*" = "bf16"; not so "{wrong[0]}".'
        )
    return tuple(table.items())
