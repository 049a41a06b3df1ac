"""What a compute-in-memory chip is, in figures; the figures themselves are in machines/*.toml, each with its source.

A chip is a grid of tiles on a mesh; a tile has cores, a buffer, a bus and digital lanes; a core has units. A unit is
what does one matrix-vector product: `arrays_per_unit` arrays read at once. A product drives the input's digits one
after another (phases) while converters read the columns of the phase before and shift-and-add units weigh them.
"""

from __future__ import annotations

from math import ceil
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from wsc.backends.cim.macro import Macro
from wsc.compiler.machine import Count, Part, Positive, Rate, sourced

Amount = Annotated[float, BeforeValidator(sourced), Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, BeforeValidator(sourced), Field(ge=0, le=1, allow_inf_nan=False)]

Encoding = Literal[
    "offset", "differential_columns", "differential_rows", "differential_cells", "twos_complement"
]
InputEncoding = Literal["twos_complement", "sign_phases", "bipolar"]
Flag = Annotated[bool, BeforeValidator(sourced)]


class Chip(Part):
    """The grid of tiles, how many chips there are, and what joins them."""

    clock_hz: Rate
    width_tiles: Positive
    height_tiles: Positive
    chips: Positive
    chip_link_bytes_per_cycle: Rate  # between neighbouring chips, each direction
    reload: Flag  # whether arrays may be rewritten between layers where a model does not fit
    host_bytes_per_cycle: Rate  # inputs and outputs, all chips together


class Tile(Part):
    """Cores around a buffer, with a router of the mesh."""

    cores: Positive
    buffer_bytes: Positive
    bus_bytes_per_cycle: Rate  # between the buffer and the cores
    router_bytes_per_cycle: Rate  # each direction of each link
    hop_cycles: Positive
    adder_ops_per_cycle: Rate  # additions of partial sums
    vector_ops_per_cycle: Rate  # other scalar operations
    digital_macs_per_cycle: Rate  # multiply-adds of two activations


class Core(Part):
    """Units that share an instruction stream."""

    units: Positive
    issue_cycles: Count  # between the starts of two products in a core; 0 where every unit runs by itself


class Array(Part):
    """A crossbar and the cells in it."""

    rows: Positive
    columns: Positive
    cell_bits: Positive
    arrays_per_unit: Positive
    weight_bits: Positive  # what published figures count with
    input_bits: Positive
    encoding: Annotated[
        Encoding, BeforeValidator(sourced)
    ]  # how a cell, which stores no sign, holds signed weights
    input_encoding: Annotated[InputEncoding, BeforeValidator(sourced)]
    dac_bits: Positive  # digits of an input driven at once
    phase_cycles: Rate  # to drive and settle one digit
    accumulate_cycles: Amount  # of the last stage of the pipeline: shift and add
    overlap: Flag  # whether a product's first phases overlap with the last ones of the product before

    @model_validator(mode="after")
    def _possible(self) -> Array:
        if self.encoding == "twos_complement" and self.cell_bits != 1:
            raise ValueError("two's complement columns need cells of 1 bit (cell_bits)")
        if self.columns * self.arrays_per_unit < self.slices(self.weight_bits):
            raise ValueError(
                f"{self.columns} columns cannot hold one weight of {self.weight_bits} bits (columns)"
            )
        if self.encoding == "differential_rows" and self.rows < 2:
            raise ValueError("pairs of rows need two of them (rows)")
        return self

    def slices(self, weight_bits: int) -> int:
        """Cells that one weight takes in its row, a pair of columns counted twice."""
        signed = self.encoding in ("offset", "twos_complement")
        digits = ceil((weight_bits if signed else max(1, weight_bits - 1)) / self.cell_bits)
        return digits * (2 if self.encoding == "differential_columns" else 1)


class Adc(Part):
    """Converters of column currents or charges; digital macros count their adders' bits."""

    bits: Positive
    columns_per_adc: Positive
    conversions_per_cycle: Rate


class Write(Part):
    """Programming of cells."""

    row_cycles: Rate  # one row of an array
    cell_joules: Rate
    endurance_writes: Rate
    at_run_time: Flag = (
        False  # whether cells bear being written for every input, as products of activations need
    )


class Physics(Part):
    """First-order figures of the cells, relative to the largest conductance where no unit is said."""

    on_off_ratio: Annotated[float, BeforeValidator(sourced), Field(gt=1)]
    programming_sigma: Fraction
    read_sigma: Fraction
    stuck_fraction: Fraction
    drift_exponent: Fraction  # conductance falls as (t / drift_start_seconds) ** -exponent
    drift_start_seconds: Rate
    drift_sigma: Fraction = 0.0  # of the exponents, from cell to cell
    wire_ohm: Amount  # between two neighbouring cells
    on_siemens: Rate  # the largest conductance


class Component(Part):
    """A part of the table of power and area: `count` of them in each `level`, together `milliwatts` and `mm2`.

    `active` says when it draws its power: while products run, while lanes work, while bytes pass, or always. `carries`
    is for links that draw theirs always.
    """

    name: str
    level: Literal["unit", "core", "tile", "chip"]
    active: Literal["product", "vector", "bus", "network", "link", "always"]
    milliwatts: Amount
    mm2: Amount
    carries: bool = False

    @property
    def moves_data(self) -> bool:
        """Whether it moves bits rather than computes with them."""
        return self.carries or self.active in ("bus", "network", "link")


class Published(Part):
    """A published figure, to hold the derived one against."""

    figure: Literal[
        "tops", "tops_per_watt", "watts", "mm2", "tile_watts", "tile_mm2", "product_ns", "megaweights"
    ]
    value: Rate
    comparable: bool = True  # False where the source counts otherwise; the page says how
    input_bits: int = 0  # that the figure counts with; 0: the machine's own
    tiles: int = 0  # of a chip, where the grid has more than are published; 0: all
    product_ns: float = 0.0  # that the figure counts with; 0: the machine's own


class CimMachine(Part):
    """A compute-in-memory machine."""

    name: str
    target: Literal["cim"]
    chip: Chip
    tile: Tile
    core: Core
    array: Array
    adc: Adc
    write: Write
    physics: Physics
    components: tuple[Component, ...] = ()
    published: tuple[Published, ...] = ()
    macro: Macro | None = None

    @property
    def tiles_per_chip(self) -> int:
        """Tiles of one chip."""
        return self.chip.width_tiles * self.chip.height_tiles

    @property
    def units_per_tile(self) -> int:
        """Units of one tile."""
        return self.tile.cores * self.core.units

    @property
    def units_per_chip(self) -> int:
        """Units of one chip."""
        return self.tiles_per_chip * self.units_per_tile

    @property
    def unit_rows(self) -> int:
        """Inputs that a unit takes: one a row, or one for two rows."""
        return self.array.rows // (2 if self.array.encoding == "differential_rows" else 1)

    def slices(self, weight_bits: int) -> int:
        """Cells that one weight takes in its row, a pair of columns counted twice."""
        return self.array.slices(weight_bits)

    def unit_weights(self, weight_bits: int) -> int:
        """Weights that a unit holds for each input."""
        return self.array.columns * self.array.arrays_per_unit // self.slices(weight_bits)

    def phases(self, input_bits: int, signed: bool = True) -> int:
        """Digits of an input, driven one after another."""
        array = self.array
        if not signed or array.input_encoding == "twos_complement":
            return ceil(input_bits / array.dac_bits)
        digits = ceil(max(1, input_bits - 1) / array.dac_bits)
        return digits * (2 if array.input_encoding == "sign_phases" else 1)
