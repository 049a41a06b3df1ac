"""Throughput, energy and area of single macros of silicon, by voltage and bits, from a few constants in their files.

Three ways to compute in memory, each with the law that follows from its circuit; no constant belongs to one row of
a measurement. A machine file has the table `macro` where its chip was measured as a macro.

digital     one bit of the input a cycle through a chain of adders: a result of `weight + log2(rows)` bits takes as many
            columns, and the longest path grows with the rows between registers.
charge      charge redistribution on whole columns: cycles a column at a clock that depends on the supply, energy with
            the square of the supply.
integrate   one sample-and-integrate step for each unit of an input's magnitude, then one step of a counting converter
            for each output bit; inputs of many bits go in two phases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log2
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from wsc.compiler.machine import Part, Positive, Rate, sourced

Condition = Mapping[str, float]
Metric = Callable[[Condition], float]
Volts = Annotated[dict[str, float], BeforeValidator(sourced)]


class DigitalMacro(Part):
    """Bit-serial adders between the cells of a column."""

    kind: Literal["digital"]
    rows: Positive
    columns: Positive
    adder_seconds: Rate  # one full adder of the chain
    register_adders: Rate  # the delay of a register, in adders
    registers: Positive  # in a column, where the condition does not say
    used_column_joules: Rate  # one column of a result, one bit of the input, at the reference supply
    idle_column_joules: Rate  # a column that no result fits into
    energy_factors: Volts  # by supply

    def results(self, weight_bits: float) -> int:
        """Results side by side: each takes its weight's bits and those of the sum over the rows."""
        return int(self.columns // (weight_bits + log2(self.rows)))

    def gops(self, c: Condition) -> float:
        """Operations a nanosecond; a multiply-add counts two."""
        between = self.rows / c.get("regs", self.registers)
        path = c["w_bits"] + log2(self.rows) + between + self.register_adders
        seconds = c["in_bits"] * path * self.adder_seconds
        return 2 * self.rows * self.results(c["w_bits"]) / seconds / 1e9

    def energy_per_mac(self, c: Condition) -> float:
        """fJ of a multiply-add."""
        results = self.results(c["w_bits"])
        used = results * (c["w_bits"] + log2(self.rows))
        column = used * self.used_column_joules + (self.columns - used) * self.idle_column_joules
        joules = c["in_bits"] * column / (self.rows * results) * self.energy_factors[f"{c['V']:g}"]
        return joules * 1e15

    def metrics(self) -> dict[str, Metric]:
        """What can be derived, by the metric's name."""
        return {"gops": self.gops, "energy_per_mac": self.energy_per_mac}


class ChargeMacro(Part):
    """Charge redistribution on columns, a converter for each."""

    kind: Literal["charge"]
    rows: Positive
    columns: Positive
    cycles: Positive  # of a product with inputs of one bit
    clocks_hz: Volts  # by supply
    reference_volts: Rate
    array_joules: Rate  # a column, at the reference supply
    adc_joules: Rate
    digital_joules: Rate
    array_mm2: Rate
    adc_mm2: Rate
    digital_mm2: Rate
    sparsity_mm2: Rate

    def tops(self, c: Condition) -> float:
        """Tera-operations a second; inputs go in bit by bit."""
        volts = c.get("V", self.reference_volts)
        bits = c.get("input_bits", 1.0)
        return 2 * self.rows * self.columns * self.clocks_hz[f"{volts:g}"] / self.cycles / bits / 1e12

    def _scaled(self, joules: float, c: Condition) -> float:
        return joules * (c["V"] / self.reference_volts) ** 2

    def tops_per_watt(self, c: Condition) -> float:
        """Of array and converters, as published."""
        return 2 * self.rows / self._scaled(self.array_joules + self.adc_joules, c) / 1e12

    def metrics(self) -> dict[str, Metric]:
        """What can be derived, by the metric's name."""
        return {
            "tops": self.tops,
            "tops_1b": self.tops,
            "tops_per_w_1b": self.tops_per_watt,
            "tops_per_mm2_1b": lambda c: self.tops(c) / (self.array_mm2 + self.adc_mm2),
            "energy_adc": lambda c: self._scaled(self.adc_joules, c) * 1e12,
            "energy_cim": lambda c: self._scaled(self.array_joules, c) * 1e12,
            "energy_nmc": lambda c: self._scaled(self.digital_joules, c) * 1e12,
            "area_adc": lambda _: self.adc_mm2,
            "area_cim": lambda _: self.array_mm2,
            "area_nmc": lambda _: self.digital_mm2,
            "area_sparsity": lambda _: self.sparsity_mm2,
        }


class IntegrateMacro(Part):
    """Voltage sensing by integration of pulses, and converters that count."""

    kind: Literal["integrate"]
    rows: Positive  # inputs: pairs of word lines
    columns: Positive
    cores: Positive
    step_seconds: Rate  # one sample-and-integrate, or one step of the converter
    whole_bits: Positive  # bits of magnitude up to which one phase is taken
    phase_output_bits: Positive  # of the converter in a first phase, beyond its bits of magnitude
    wordline_joules: Rate  # of a product, once
    wordline_bit_joules: Annotated[
        float, BeforeValidator(sourced), Field(ge=0)
    ]  # and for each bit of magnitude
    pulse_bit_joules: Rate  # for each bit of magnitude
    neuron_bit_joules: Rate  # for each bit of magnitude
    neuron_step_joules: Rate  # for each step of the converter

    def _phases(self, c: Condition) -> list[tuple[int, float]]:
        """(bits of magnitude, output bits) of each phase."""
        bits = max(1, int(c["in_bits"]) - 1)
        if c.get("one_phase", 0) or bits <= self.whole_bits:
            return [(bits, c["out_bits"])]
        low = bits // 2
        return [(bits - low, c["out_bits"]), (low, low + self.phase_output_bits)]

    def tops(self, c: Condition) -> float:
        """Tera-operations a second of all cores; a step more samples the result of each phase."""
        steps = sum((1 << bits) - 1 + out + 1 for bits, out in self._phases(c))
        return 2 * self.rows * self.columns * self.cores / (steps * self.step_seconds) / 1e12

    def _bits(self, c: Condition) -> int:
        return sum(bits for bits, _ in self._phases(c))

    def wordlines(self, c: Condition) -> float:
        """fJ an operation."""
        return (self.wordline_joules + self._bits(c) * self.wordline_bit_joules) * 1e15

    def pulses(self, c: Condition) -> float:
        """fJ an operation."""
        return self._bits(c) * self.pulse_bit_joules * 1e15

    def neurons(self, c: Condition) -> float:
        """fJ an operation."""
        steps = sum(out for _, out in self._phases(c))
        return (self._bits(c) * self.neuron_bit_joules + steps * self.neuron_step_joules) * 1e15

    def metrics(self) -> dict[str, Metric]:
        """What can be derived, by the metric's name."""
        return {
            "tops_48core": self.tops,
            "tops_per_w": lambda c: 1e3 / (self.wordlines(c) + self.pulses(c) + self.neurons(c)),
            "energy_wl": self.wordlines,
            "energy_input_pulse": self.pulses,
            "energy_neuron": self.neurons,
        }


Macro = Annotated[DigitalMacro | ChargeMacro | IntegrateMacro, Field(discriminator="kind")]


def condition(text: str) -> dict[str, float]:
    """The numbers of a row's condition, `V=0.6;in_bits=1;100MHz`; what has no name is left out."""
    pairs = (part.split("=") for part in text.split(";") if "=" in part)
    return {name.strip(): float(value) for name, value in pairs}
