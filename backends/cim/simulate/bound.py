"""A bound on the interval from the work and the machine's peak alone."""

from __future__ import annotations

from math import ceil

from wsc.backends.cim.machine import CimMachine
from wsc.backends.cim.program import Program
from wsc.backends.cim.simulate.prepare import step_types
from wsc.backends.cim.simulate.product import product_timing


def lower_bound(program: Program, machine: CimMachine) -> int:
    """Cycles between inputs that no mapping of the products and steps onto all units and lanes can beat."""
    tiles = machine.tiles_per_chip * machine.chip.chips
    units = lanes = 0.0
    for stage in program.stages:
        types = step_types(program, stage)
        for step in stage.steps:
            macs, ops = step.op.arithmetic([types[name] for name in step.operands], step.type)
            lanes += macs / machine.tile.digital_macs_per_cycle + ops / machine.tile.vector_ops_per_cycle
        if stage.product is not None:
            full = machine.unit_rows * machine.unit_weights(stage.product.weight_bits)
            products = stage.product.macs / full
            units += products * product_timing(stage.product, machine).interval
    return max(1, ceil(max(units / (machine.units_per_tile * tiles), lanes / tiles)) // 1)
