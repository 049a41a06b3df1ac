"""What `--expert-load` names: a TOML file of patterns of modules, each with the shares of its experts."""

from __future__ import annotations

import tomllib
from pathlib import Path

from wsc.compiler.errors import UserError
from wsc.compiler.passes.expert_load import ExpertLoad

UNIFORM = "uniform"


def read_expert_load(file: Path | None) -> ExpertLoad:
    """The load that a file says, uniform where there is none; raises UserError.

    An entry is `"model.layers.0.*" = [310, 95, ...]`, one number for each expert, or `= "uniform"`.
    """
    if file is None:
        return ExpertLoad()
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read {file}: {error.strerror or error}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{file} is no TOML: {error}.") from error
    return ExpertLoad(tuple((pattern, _shares(file, pattern, value)) for pattern, value in table.items()))


def _shares(file: Path, pattern: str, value: object) -> tuple[float, ...]:
    if value == UNIFORM:
        return ()
    given = value if isinstance(value, list) else []
    shares = tuple(float(share) for share in given if type(share) in (int, float) and share >= 0)
    if len(shares) < len(given) or not sum(shares):
        raise UserError(
            f'{file} must give each pattern "uniform" or shares, as "model.layers.*" = [3, 1, 0, 4]; '
            f"not so '{pattern}'."
        )
    return shares
