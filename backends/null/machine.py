"""The null machine: one unit with one memory."""

from __future__ import annotations

from typing import Literal

from wsc.compiler.machine import Part, Positive, Rate


class Unit(Part):
    """Computes one operation at a time, with everything in its memory."""

    clock_hz: Rate
    memory_bytes: Positive
    memory_bytes_per_cycle: Positive
    macs_per_cycle: Positive
    vector_ops_per_cycle: Positive


class NullMachine(Part):
    """A single unit."""

    name: str
    target: Literal["null"]
    unit: Unit
