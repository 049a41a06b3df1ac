"""Runs with the physics of a machine's cells: what is asked, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wsc.compiler.errors import UserError
from wsc.compiler.ops.base import Array


@dataclass(frozen=True)
class Asked:
    """Of one run: the seed of every draw, converters of so many bits (0: the machine's), seconds since programming.

    `samples` are sets of inputs that converters' ranges are set by; without any, a range is all that columns can reach.
    Raises UserError for figures that cannot be.
    """

    seed: int = 0
    adc_bits: int = 0
    seconds: float = 0.0
    samples: Sequence[Sequence[Array]] = ()

    def __post_init__(self) -> None:
        if self.seed < 0 or not 0 <= self.adc_bits <= 24 or not 0 <= self.seconds < float("inf"):
            raise UserError(
                "A run with physics takes a seed and seconds of at least 0 and converters of 1 to 24 bits, not "
                f"{self.seed}, {self.seconds:g} and {self.adc_bits}."
            )


@dataclass(frozen=True)
class LayerError:
    """A product's error against exact arithmetic on the same inputs; `clipped`: share of conversions at an end."""

    name: str
    sqnr_db: float
    clipped: float
    conversions: int


@dataclass(frozen=True, eq=False)
class PhysicalRun:
    """Outputs of each batch, and the error of every product over all of them, in order."""

    outputs: tuple[tuple[Array, ...], ...]
    layers: tuple[LayerError, ...]


Batches = Sequence[Sequence[Array]]
Weights = Mapping[str, Array]
