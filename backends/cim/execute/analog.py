"""Products as the arrays make them: digit by digit and slice by slice, through converters that clip and round.

A block's cells are programmed once. In each phase every position's digits are multiplied by all columns at once, read
noise is added (independent for each cell: its variance over a column is sigma^2 times the sum of squared digits), the
converter clips and rounds, and shift-and-add weighs the numbers. Work is in 32-bit floats on whole batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from wsc.backends.cim.encoding import Cells, drive, encode
from wsc.backends.cim.execute.physics import Conditions, Floats, program_cells
from wsc.backends.cim.execute.run import exact, run_stages
from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.program import Product, Program, Stage
from wsc.backends.physical import Asked, Batches, LayerError, PhysicalRun
from wsc.compiler.ops.base import Array

_ROWS_AT_ONCE = 4096  # positions of a batch, so that what is at work stays in the cache


@dataclass(frozen=True)
class Range:
    """What a converter can tell apart: `bits` bits from `low` to `high`, in levels of a cell times units of a digit."""

    low: float
    high: float
    bits: int

    @property
    def step(self) -> float:
        """Between two numbers; never finer than one level, which is all there is to tell."""
        numbers: int = 2**self.bits - 1
        return max(1.0, (self.high - self.low) / numbers)


@dataclass(frozen=True)
class AnalogRun:
    """Outputs, and the error of every product in order."""

    outputs: tuple[Array, ...]
    layers: tuple[LayerError, ...]


@dataclass
class _Noted:
    """What a product's error is made of, over all groups and batches."""

    noise: float = 0.0
    power: float = 0.0
    clipped: int = 0
    conversions: int = 0

    def error(self, name: str) -> LayerError:
        ratio = 10 * np.log10(self.power / self.noise) if self.noise and self.power else -np.inf
        clipped = self.clipped / max(1, self.conversions)
        return LayerError(name, float(ratio if self.noise else np.inf), clipped, self.conversions)


@dataclass
class Converters:
    """Converts columns in place; counts, or while calibrating only watches."""

    range: Range | None
    highest: float = 0.0
    lowest: float = 0.0
    conversions: int = 0
    clipped: int = 0

    def convert(self, columns: Floats) -> Floats:
        """Numbers for the currents of columns, in levels."""
        self.conversions += columns.size
        if self.range is None:
            self.highest = max(self.highest, float(columns.max(initial=0.0)))
            self.lowest = min(self.lowest, float(columns.min(initial=0.0)))
            return columns
        low, step = np.float32(self.range.low), np.float32(self.range.step)
        top = np.float32(2**self.range.bits - 1)
        columns -= low
        columns /= step
        np.rint(columns, out=columns)
        self.clipped += int(np.count_nonzero(columns > top)) + int(np.count_nonzero(columns < 0))
        np.clip(columns, np.float32(0), top, out=columns)
        columns *= step
        columns += low
        return columns


@dataclass
class Analog:
    """Makes the products of a program on a machine; `ranges` by product, without one the full scale of a column."""

    machine: CimMachine
    conditions: Conditions
    ranges: Mapping[str, Range] = field(default_factory=dict)
    watching: bool = False
    noted: dict[str, _Noted] = field(default_factory=dict)
    seen: dict[str, Range] = field(default_factory=dict)
    batch: int = 0  # cells are programmed alike in each, reads differ

    @property
    def layers(self) -> tuple[LayerError, ...]:
        """The error of every product so far, in order."""
        return tuple(noted.error(name) for name, noted in self.noted.items())

    def multiply(self, stage: Stage, product: Product, group: int, inputs: Array, weights: Array) -> Array:
        """[positions, columns] of one group, and a note of how far from exact they are."""
        bits = self.conditions.adc_bits or self.machine.adc.bits
        chosen = self.ranges.get(product.result) or full_scale(product, self.machine, bits)
        converters = Converters(None if self.watching else chosen)
        out = np.zeros((len(inputs), product.columns))
        for row in range(product.row_blocks):
            rows = slice(row * product.block_rows, (row + 1) * product.block_rows)
            out += self._block(product, group, row, inputs[:, rows], weights[rows], converters)
        self._note(stage, product, group, inputs, weights, out, converters)
        return np.rint(out).astype(np.int64)

    def _block(
        self, product: Product, group: int, row: int, inputs: Array, weights: Array, converters: Converters
    ) -> NDArray[np.float64]:
        place = [self.conditions.seed, crc32(product.result.encode()), group, row]
        rng, reads = np.random.default_rng(place), np.random.default_rng([*place, 1 + self.batch])
        cells = encode(weights.astype(np.int64), product.weight_bits, product.cell_bits, product.encoding)
        columns, factors = self._columns(product, cells, rng)
        out = np.zeros((len(inputs), product.columns))
        for first in range(0, len(inputs), _ROWS_AT_ONCE):
            some = inputs[first : first + _ROWS_AT_ONCE].astype(np.int64)
            digits = drive(some, product.input_bits, product.dac_bits, product.input_encoding)
            part = out[first : first + _ROWS_AT_ONCE]
            for values, weight in zip(digits.values, digits.factors, strict=True):
                read = self._read(values.astype(np.float32), columns, reads)
                numbers = converters.convert(read).reshape(len(some), len(factors), product.columns)
                part += weight * np.einsum("psc,s->pc", numbers, factors)
            part -= cells.offset * some.sum(axis=1, keepdims=True)
        return out

    def _columns(
        self, product: Product, cells: Cells, rng: np.random.Generator
    ) -> tuple[Floats, NDArray[np.float64]]:
        """Programmed cells [rows, slices * columns] and the factors of the slices; signs of a pair are taken inside."""
        top = (1 << product.cell_bits) - 1
        if product.encoding in ("differential_rows", "differential_cells"):
            half = len(cells.factors) // 2
            pairs = [(cells.levels[i], cells.levels[i + half]) for i in range(half)]
            programmed = [
                program_cells(plus, top, self.machine, self.conditions, rng)
                - program_cells(minus, top, self.machine, self.conditions, rng)
                for plus, minus in pairs
            ]
            factors = cells.factors[:half]
        else:
            programmed = [
                program_cells(level, top, self.machine, self.conditions, rng) for level in cells.levels
            ]
            factors = cells.factors
        return np.concatenate(programmed, axis=1), np.array(factors, np.float64)

    def _read(self, digits: Floats, columns: Floats, rng: np.random.Generator) -> Floats:
        """Currents of all columns for each position's digits, in levels."""
        read = digits @ columns
        sigma = self.machine.physics.read_sigma
        if sigma and not self.conditions.ideal:
            top = (1 << self.machine.array.cell_bits) - 1
            spread = np.sqrt(np.square(digits).sum(axis=1, keepdims=True)) * np.float32(sigma * top)
            read += spread * rng.standard_normal(read.shape, np.float32)
        return read

    def _note(
        self,
        stage: Stage,
        product: Product,
        group: int,
        inputs: Array,
        weights: Array,
        out: NDArray[np.float64],
        converters: Converters,
    ) -> None:
        if self.watching:
            before = self.seen.get(product.result, Range(0.0, 0.0, 1))
            bits = self.conditions.adc_bits or self.machine.adc.bits
            low, high = min(before.low, converters.lowest), max(before.high, converters.highest)
            self.seen[product.result] = Range(low, high, bits)
            return
        wanted = exact(stage, product, group, inputs, weights).astype(np.float64)
        noted = self.noted.setdefault(stage.name, _Noted())
        noted.noise += float(np.square(out - wanted).sum())
        noted.power += float(np.square(wanted).sum())
        noted.clipped += converters.clipped
        noted.conversions += converters.conversions


def full_scale(product: Product, machine: CimMachine, bits: int) -> Range:
    """The range that no column leaves, were every cell and every digit at its largest."""
    rows = min(product.rows, product.block_rows)
    digit = 1 << min(product.dac_bits, product.input_bits)
    high = float(rows * ((1 << product.cell_bits) - 1) * (digit - 1))
    signed = (
        product.encoding in ("differential_rows", "differential_cells") or product.input_encoding == "bipolar"
    )
    low = (
        -high
        if signed
        else -high
        if product.dac_bits > 1 and product.input_encoding == "twos_complement"
        else 0.0
    )
    return Range(low, high, bits)


def calibrate(
    program: Program,
    machine: CimMachine,
    weights: Mapping[str, Array],
    samples: Sequence[Sequence[Array]],
    conditions: Conditions,
) -> dict[str, Range]:
    """A range for each product, from what its columns reach for sample inputs."""
    watch = Analog(machine, conditions, watching=True)
    for inputs in samples:
        run_stages(program, weights, inputs, watch.multiply)
    return watch.seen


def execute_analog(
    program: Program,
    machine: CimMachine,
    weights: Mapping[str, Array],
    inputs: Sequence[Array],
    conditions: Conditions | None = None,
    ranges: Mapping[str, Range] | None = None,
) -> AnalogRun:
    """Outputs with the machine's physics and converters; the same for the same seed. Raises InputMismatch."""
    analog = Analog(machine, conditions or Conditions(), ranges or {})
    outputs = run_stages(program, weights, inputs, analog.multiply)
    return AnalogRun(outputs, analog.layers)


def execute_batches(
    program: Program, machine: CimMachine, weights: Mapping[str, Array], batches: Batches, asked: Asked
) -> PhysicalRun:
    """Batch after batch through the same programmed cells, ranges set by the samples; raises InputMismatch."""
    conditions = Conditions(asked.seed, asked.seconds, adc_bits=asked.adc_bits)
    ranges = calibrate(program, machine, weights, asked.samples, conditions)
    analog = Analog(machine, conditions, ranges)
    outputs = []
    for number, inputs in enumerate(batches):
        analog.batch = number
        outputs.append(run_stages(program, weights, inputs, analog.multiply))
    return PhysicalRun(tuple(outputs), analog.layers)
