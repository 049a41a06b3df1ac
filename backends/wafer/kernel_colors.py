"""Colours of a kernel's movements (`wsc.backends.wafer.colors`), found on a piece of its region.

The piece is its mesh with four parts an axis at most, three where it has more than two axes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from wsc.backends.wafer.colors import Colored, Family, allocate, least_colors
from wsc.backends.wafer.instructions import Move
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.movement import Region, expand
from wsc.backends.wafer.movement.program import is_local
from wsc.backends.wafer.program import Kernel
from wsc.backends.wafer.text import print_instruction
from wsc.compiler.errors import AlgorithmError, DoesNotFit
from wsc.compiler.layout import Mesh

_PARTS = 4
Made = dict[object, Colored]


def color_kernel(kernel: Kernel, machine: Wafer, streams: int, made: Made) -> Colored:
    """Its colours, of those that the streams through its region leave; `made` are those of kernels seen before.

    Raises DoesNotFit.
    """
    most = machine.fabric.colors - streams
    key = *_key(kernel), most
    if (known := made.get(key)) is not None:
        return known
    try:
        return made.setdefault(key, allocate(_families(kernel), most))
    except DoesNotFit as error:
        least = least_colors(_families(kernel))
        raise DoesNotFit(
            f"kernel '{kernel.name}' ({kernel.location}) takes {least} colours at least, and the streams that pass"
            f" through its region {streams}: {machine.name} has {machine.fabric.colors}. A cut over fewer axes, or"
            " fewer streams through the region, takes fewer"
        ) from error


def fewest_colors(kernels: tuple[Kernel, ...]) -> list[int]:
    """The fewest colours that each kernel's movements take."""
    made: dict[object, int] = {}
    for kernel in kernels:
        key = _key(kernel)
        if key not in made:
            made[key] = least_colors(_families(kernel))
    return [made[_key(kernel)] for kernel in kernels]


def _key(kernel: Kernel) -> tuple[object, ...]:
    buffers = tuple((b.type, b.layout) for b in kernel.buffers)
    return kernel.mesh, buffers, tuple(kernel.flat_instructions())


def _families(kernel: Kernel) -> list[Family]:
    """Messages of a kernel's movements on a piece of its region."""
    most = _PARTS if len(kernel.mesh.axes) <= 2 else _PARTS - 1
    axes = tuple(replace(axis, parts=min(axis.parts, most)) for axis in kernel.mesh.axes)
    piece = replace(kernel, mesh=Mesh(axes))
    region, found = Region.of(piece), []
    for number, instruction in enumerate(kernel.flat_instructions()):
        if is_local(instruction):
            continue
        try:
            made = expand(
                cast(Move, instruction.op),
                region,
                kernel[instruction.operands[0]],
                kernel[instruction.result],
            )
        except AlgorithmError:  # what only the fast simulator knows
            continue
        what = f"kernel '{kernel.name}', {print_instruction(instruction)}"
        if made.messages:
            name = f"{kernel.name}/{number}"
            found.append(Family(name, f"kernel '{kernel.name}'", tuple(made.messages), what, made.ordered))
    return found
