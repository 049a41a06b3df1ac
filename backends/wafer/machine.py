"""What a wafer is, in figures; the figures themselves are in machines/*.toml, each with its source."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from wsc.backends.wafer.defects import Box, Defects, keep_outs, repaired
from wsc.backends.wafer.spares import Repair
from wsc.compiler.ir.types import DType
from wsc.compiler.machine import Count, Grid, Part, Positive, Rate, Thermal


class Core(Part):
    """One core: a clock, a memory for data and code, and a vector unit that streams operands from memory."""

    clock_hz: Rate
    sram_bytes: Positive
    runtime_code_bytes: Count  # start-up code and the task table, in the same memory
    instruction_code_bytes: Count  # code of one instruction of a kernel, its descriptors included
    f32_macs_per_cycle: Rate  # peak
    f16_macs_per_cycle: Rate  # peak
    vector_bytes: Positive  # a vector multiply-add takes its vector in pieces of this size
    f32_mac_cycles: Rate  # sustained cycles for one multiply-add of a running vector instruction
    f16_mac_cycles: Rate
    f32_vector_ops_per_cycle: Rate
    f16_vector_ops_per_cycle: Rate
    vector_startup_cycles: Count  # issue of one vector instruction on 32-bit elements
    f16_vector_startup_cycles: Count  # on 16-bit elements
    task_startup_cycles: Count  # activation of a task when its data is there
    root_move_cycles: Count  # control of a broadcast whose root moves from step to step
    memory_banks: Positive  # each serves one word a cycle
    read_bytes_per_cycle: Positive  # ports of the memory
    write_bytes_per_cycle: Positive
    exchange_cycles_per_word: Rate  # of a core that sends a tile while it receives one


class Fabric(Part):
    """The mesh network and the wafer's edge."""

    link_bytes_per_cycle: Positive  # each direction
    hop_cycles: Positive
    ramp_cycles: Count  # between a core and its router
    colors: Positive  # routes a core can use at once
    switch_positions: Positive  # of a colour at a router
    queue_wavelets: Positive  # room of a router for each colour and input port
    edge_bytes_per_second: Rate  # each direction, all edges together


class Energy(Part):
    """What things cost besides time."""

    f32_mac_pj: Rate  # the arithmetic alone, without its operands
    f16_mac_pj: Rate
    f32_vector_op_pj: Rate
    f16_vector_op_pj: Rate
    sram_pj_per_byte: Rate  # read or written
    hop_pj_per_byte: Rate  # a router and the link to the next core
    edge_pj_per_byte: Rate  # off the wafer or onto it
    static_watts: Rate  # the whole wafer: leakage, clocks, and what runs whether or not there is work


class Whole(Part):
    """The machine as it is sold."""

    area_mm2: Rate
    rated_watts: Rate


class Cluster(Part):
    """Several wafers in a row."""

    link_bytes_per_second: Rate  # from one wafer to the next, each direction
    link_seconds: Rate  # from the last core of one to the first of the next


class Wafer(Part):
    """A wafer-scale engine."""

    name: str
    target: Literal["wafer"]
    grid: Grid
    core: Core
    fabric: Fabric
    cluster: Cluster
    energy: Energy
    whole: Whole
    thermal: Thermal | None = None  # without it there is no temperature
    defects: Defects = Defects()

    @model_validator(mode="after")
    def _usable(self) -> Self:
        try:
            keep_outs(self.defects, self.grid.width_cores, self.grid.height_cores)
        except ValueError as error:
            raise ValueError(f"defects: {error}") from error
        return self

    @property
    def keep_outs(self) -> tuple[Box, ...]:
        """Rectangles that no kernel may use and that streams go round."""
        return keep_outs(self.defects, self.grid.width_cores, self.grid.height_cores)

    @property
    def repair(self) -> Repair:
        """Where spare cores stand in for dead ones."""
        return repaired(self.defects, self.grid.width_cores, self.grid.height_cores)

    @property
    def cores(self) -> int:
        """Number of cores, those out of use included."""
        return self.grid.width_cores * self.grid.height_cores

    @property
    def usable_cores(self) -> int:
        """Number of cores that a kernel may use."""
        return self.cores - sum(box.cores for box in self.keep_outs)

    @property
    def edge_bytes_per_cycle(self) -> float:
        """Bytes a core-clock cycle over the wafer's edge, each direction."""
        return self.fabric.edge_bytes_per_second / self.core.clock_hz

    def link_cycles(self, size_bytes: int) -> float:
        """Cycles of the core clock for bytes from one wafer to the next."""
        seconds = self.cluster.link_seconds + size_bytes / self.cluster.link_bytes_per_second
        return seconds * self.core.clock_hz

    def peak_macs_per_cycle(self, dtype: DType) -> float:
        """Peak multiply-adds a cycle and core."""
        return self.core.f32_macs_per_cycle if dtype.bytes >= 4 else self.core.f16_macs_per_cycle

    def mac_cycles(self, dtype: DType) -> float:
        """Sustained cycles for one multiply-add."""
        return self.core.f32_mac_cycles if dtype.bytes >= 4 else self.core.f16_mac_cycles

    def vector_startup_cycles(self, dtype: DType) -> int:
        """Cycles to issue one vector instruction."""
        return self.core.vector_startup_cycles if dtype.bytes >= 4 else self.core.f16_vector_startup_cycles

    def mac_vector_elements(self, dtype: DType) -> int:
        """Elements in the pieces that a vector multiply-add takes its vector in."""
        return max(1, self.core.vector_bytes // dtype.bytes)

    def vector_ops_per_cycle(self, dtype: DType) -> float:
        """Elementary vector operations a cycle and core."""
        return self.core.f32_vector_ops_per_cycle if dtype.bytes >= 4 else self.core.f16_vector_ops_per_cycle

    def mac_pj(self, dtype: DType) -> float:
        """Energy of one multiply-add."""
        return self.energy.f32_mac_pj if dtype.bytes >= 4 else self.energy.f16_mac_pj

    def vector_op_pj(self, dtype: DType) -> float:
        """Energy of one elementary vector operation."""
        return self.energy.f32_vector_op_pj if dtype.bytes >= 4 else self.energy.f16_vector_op_pj
