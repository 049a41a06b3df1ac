"""What follows from a machine file: peak throughput, power and area; to be held against the published ones."""

from __future__ import annotations

from dataclasses import dataclass

from wsc.backends.cim.estimate import product_interval
from wsc.backends.cim.machine import CimMachine, Component, Published


@dataclass(frozen=True)
class Comparison:
    """A published figure beside the derived one."""

    published: Published
    derived: float

    @property
    def error(self) -> float:
        """Derived over published, less one."""
        return self.derived / self.published.value - 1


def peak_macs_per_second(
    machine: CimMachine, weight_bits: int, input_bits: int, tiles: int = 0, seconds: float = 0.0
) -> float:
    """Multiply-adds a second of a chip (or of so many tiles) with every unit busy, `seconds` a product if given."""
    units = (tiles or machine.tiles_per_chip) * machine.units_per_tile
    macs = machine.unit_rows * machine.unit_weights(weight_bits)
    cycles = product_interval(machine, input_bits)
    if machine.core.issue_cycles:
        cycles = max(cycles, machine.core.issue_cycles)
    return units * macs / (seconds or cycles / machine.chip.clock_hz)


def _amount(machine: CimMachine, component: Component, tiles: int) -> int:
    each = {
        "chip": 1,
        "tile": tiles,
        "core": tiles * machine.tile.cores,
        "unit": tiles * machine.units_per_tile,
    }
    return each[component.level]


def watts(machine: CimMachine, tiles: int = 0) -> float:
    """Power of a chip with everything at work."""
    count = tiles or machine.tiles_per_chip
    return sum(c.milliwatts * _amount(machine, c, count) for c in machine.components) / 1e3


def area(machine: CimMachine, tiles: int = 0) -> float:
    """mm2 of a chip."""
    count = tiles or machine.tiles_per_chip
    return sum(c.mm2 * _amount(machine, c, count) for c in machine.components)


def compared(machine: CimMachine) -> tuple[Comparison, ...]:
    """Every published figure with the derived one."""
    return tuple(Comparison(published, _derived(machine, published)) for published in machine.published)


def _derived(machine: CimMachine, published: Published) -> float:
    """The figure that follows from the machine's other figures, in the published one's unit."""
    array, tiles = machine.array, published.tiles
    tops = 2e-12 * peak_macs_per_second(
        machine,
        array.weight_bits,
        published.input_bits or array.input_bits,
        tiles,
        published.product_ns / 1e9,
    )
    inside = machine.model_copy(
        update={"components": tuple(c for c in machine.components if c.level != "chip")}
    )
    match published.figure:
        case "tops":
            return tops
        case "watts":
            return watts(machine, tiles)
        case "tops_per_watt":
            return tops / watts(machine, tiles)
        case "mm2":
            return area(machine, tiles)
        case "tile_watts":
            return watts(inside, 1)
        case "tile_mm2":
            return area(inside, 1)
        case "product_ns":
            return product_interval(machine, array.input_bits) / machine.chip.clock_hz * 1e9
    rows = machine.unit_rows * machine.unit_weights(array.weight_bits)
    return (tiles or machine.tiles_per_chip) * machine.units_per_tile * rows / 1e6
