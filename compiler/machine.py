"""The vocabulary of hardware descriptions: quantities that carry their source, read from TOML files.

A machine file has one table a part of the machine; each entry is `key = { value = ..., source = "..." }`, with the
unit in the key (`link_bytes_per_cycle`). Unknown keys, missing keys and absurd values are errors that name the key.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from wsc.compiler.errors import MachineError


def sourced(entry: Any) -> Any:
    """The bare value of an entry { value = ..., source = ... }; raises ValueError for anything else."""
    if not isinstance(entry, dict) or set(entry) != {"value", "source"} or not str(entry["source"]).strip():
        raise ValueError('expected { value = ..., source = "where the figure comes from" }')
    return entry["value"]


Count = Annotated[int, BeforeValidator(sourced), Field(ge=0, strict=True)]
Positive = Annotated[int, BeforeValidator(sourced), Field(gt=0, strict=True)]
Flag = Annotated[bool, BeforeValidator(sourced), Field(strict=True)]
Share = Annotated[float, BeforeValidator(sourced), Field(ge=0, le=1)]
Text = Annotated[str, BeforeValidator(sourced), Field(min_length=1)]
Rate = Annotated[float, BeforeValidator(sourced), Field(gt=0, allow_inf_nan=False)]


class Part(BaseModel):
    """A part of a machine: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Grid(Part):
    """Units in a rectangle."""

    width_cores: Positive
    height_cores: Positive


class Thermal(Part):
    """How a die is cooled: what heat meets on its way from the transistors to the coolant."""

    coolant_celsius: Rate
    resistance_k_mm2_per_watt: (
        Rate  # of a mm2, from the transistors through die, interface and plate to the coolant
    )
    silicon_watts_per_m_k: Rate  # conductivity of the die, sideways
    silicon_mm: Rate  # its thickness


@dataclass(frozen=True)
class Capacity:
    """What the part of a machine that a program runs on has; None where nothing is published.

    `unit` is what one of the `units` is called (core, GPU, array); `chips` are wafers, packages or dies as they are
    sold; `peak_macs_per_second` is dense and in the program's element type; `network_bytes_per_second` is what all
    units together can take from the network between them, `memory_bytes_per_second` from their memories where those are
    far from the arithmetic.
    """

    unit: str
    units: int
    chips: int
    memory_bytes: int
    peak_macs_per_second: float
    area_mm2: float | None = None
    rated_watts: float | None = None
    network_bytes_per_second: float | None = None
    memory_bytes_per_second: float | None = None


MachineT = TypeVar("MachineT", bound=BaseModel)


def read_machine(path: Path, schema: type[MachineT]) -> MachineT:
    """The machine that a TOML file describes; raises MachineError naming the file and every bad key."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MachineError(f"cannot read the machine file {path}: {error}") from error
    try:
        return schema.model_validate({"name": path.stem, **data})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise MachineError(f"the machine file {path} is not valid: {faults}") from error
