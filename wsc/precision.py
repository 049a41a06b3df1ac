"""What `--dtype` and its kin ask for: other element types, or products by weights in integers."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from wsc.backends.registry import Selection
from wsc.compiler.errors import UserError
from wsc.compiler.passes.precision import Pairs, Precision
from wsc.driver import AS_IT_IS

INTEGERS = ("int8", "int16")


@dataclass(frozen=True)
class Wanted:
    """Options as given; empty where not.

    `dtype` fp32, fp16 or bf16 is of weights and activations, fp8 of weights alone; int8 and int16 make products by
    weights integer on machines that need integers, elsewhere int8 is of weights alone; "float" asks for no integers.
    `weights` is of weights alone. `overrides` names a TOML file: a type for each pattern of weights' names, and under
    [activations] one for each pattern of operations' names in the graph.
    """

    dtype: str = ""
    weights: str = ""
    overrides: Path | None = None

    def for_machine(self, selection: Selection) -> tuple[Precision, str]:
        """Element types, and the integers of products ("" for what the machine needs); raises UserError."""
        integers = selection.target.integers(selection.machine)
        whole, products = Precision(), ""
        if self.dtype == AS_IT_IS or (self.dtype in INTEGERS and (integers or self.dtype == "int16")):
            products = self.dtype
        elif self.dtype:
            whole = Precision.of(self.dtype)
        weights = self.weights or whole.weights
        overrides, computed = _overrides(self.overrides)
        return replace(whole, weights=weights, overrides=overrides, computed=computed), products


def _overrides(file: Path | None) -> tuple[Pairs, Pairs]:
    """Patterns with types: of weights, and of operations."""
    if file is None:
        return (), ()
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read {file}: {error.strerror or error}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{file} is no TOML: {error}.") from error
    computed = table.pop("activations", {})
    pairs = {**table, **computed} if isinstance(computed, dict) else {"activations": computed}
    if wrong := [key for key, value in pairs.items() if not isinstance(value, str)]:
        raise UserError(
            f'{file} must give each pattern a type, as "lm_head.*" = "bf16"; not so \'{wrong[0]}\'.'
        )
    return tuple(table.items()), tuple(computed.items())
