"""The machine with more of one resource, to learn by simulation what it is worth; and what it offers in all."""

from __future__ import annotations

from typing import Any

from wsc.backends.cim.figures import area, peak_macs_per_second, watts
from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.program import Program
from wsc.backends.target import Variant
from wsc.compiler.machine import Capacity


def variants(program: Program, machine: CimMachine) -> tuple[Variant, ...]:
    """Twice of each resource that the simulation knows."""
    tile, array, adc, chip = machine.tile, machine.array, machine.adc, machine.chip
    changes: list[tuple[str, str, Any]] = [
        ("twice the converters' and arrays' speed", "array", {"phase_cycles": array.phase_cycles / 2}),
        ("twice the network's links", "tile", {"router_bytes_per_cycle": 2 * tile.router_bytes_per_cycle}),
        ("twice the bus", "tile", {"bus_bytes_per_cycle": 2 * tile.bus_bytes_per_cycle}),
        (
            "twice the digital lanes",
            "tile",
            {
                "vector_ops_per_cycle": 2 * tile.vector_ops_per_cycle,
                "digital_macs_per_cycle": 2 * tile.digital_macs_per_cycle,
                "adder_ops_per_cycle": 2 * tile.adder_ops_per_cycle,
            },
        ),
        ("twice the host's link", "chip", {"host_bytes_per_cycle": 2 * chip.host_bytes_per_cycle}),
    ]
    found = []
    for change, part, update in changes:
        parts = {part: getattr(machine, part).model_copy(update=update)}
        if part == "array":
            parts["adc"] = adc.model_copy(update={"conversions_per_cycle": 2 * adc.conversions_per_cycle})
        found.append(Variant(change, program, machine.model_copy(update=parts)))
    return tuple(found)


def capacity(program: Program, machine: CimMachine) -> Capacity:
    """What the chips that a program is for have."""
    bits = {(s.product.weight_bits, s.product.input_bits) for s in program.stages if s.product}
    weight_bits, input_bits = max(bits, default=(machine.array.weight_bits, machine.array.input_bits))
    tiles = program.chips * machine.tiles_per_chip
    lanes = machine.tile.digital_macs_per_cycle * tiles * machine.chip.clock_hz
    arrays = peak_macs_per_second(machine, weight_bits, input_bits) * program.chips
    return Capacity(
        unit="tile",
        units=tiles,
        chips=program.chips,
        memory_bytes=tiles * machine.tile.buffer_bytes,
        peak_macs_per_second=arrays + lanes,
        area_mm2=area(machine) * program.chips or None,
        rated_watts=watts(machine) * program.chips or None,
        network_bytes_per_second=tiles * machine.tile.router_bytes_per_cycle * machine.chip.clock_hz,
    )
