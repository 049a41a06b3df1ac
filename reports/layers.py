"""The pictures of a floor plan by short name: `kernels`, and one for each field."""

from __future__ import annotations

import re
from difflib import get_close_matches
from itertools import chain, count

from wsc.compiler.errors import UserError
from wsc.reports.heatmap import draw_field, draw_kernels
from wsc.reports.picture import Picture
from wsc.reports.terminal import TerminalPicture, terminal_field, terminal_floorplan
from wsc.simulation.floorplan import Field, Floorplan

KERNELS = "kernels"
_ALIASES = {"placement": KERNELS, "kernel": KERNELS}
COMMON = {  # what can be asked for on any target, and how names of layers that show it begin
    "sram": ("sram", "memory", "buffer"),
    "util": ("util",),
    "link": ("link",),
    "energy": ("energy",),
    "temperature": ("temperature",),
}


def layer_names(plan: Floorplan) -> tuple[str, ...]:
    """Short names of what can be drawn of a floor plan: lower-case words, each once."""
    return (KERNELS, *_fields(plan))


def check_layer(plan: Floorplan, layer: str) -> None:
    """Raise UserError, with the layers that there are, for a name that does not exist."""
    _field(plan, layer)


def draw_layer(plan: Floorplan, layer: str) -> Picture:
    """A picture of a layer; raises UserError for a name that does not exist."""
    field = _field(plan, layer)
    return draw_kernels(plan) if field is None else draw_field(plan, field)


def terminal_layer(plan: Floorplan, layer: str, columns: int) -> TerminalPicture:
    """A coarse picture of a layer for the terminal; raises UserError for a name that does not exist."""
    field = _field(plan, layer)
    return terminal_floorplan(plan, columns) if field is None else terminal_field(plan, field, columns)


def _fields(plan: Floorplan) -> dict[str, Field]:
    """The fields by short name: the title's first word, and as many more as tell it from those before."""
    named: dict[str, Field] = {}
    for field in plan.fields:
        words = re.findall(r"\w+", field.title.lower()) or ["field"]
        names = ["-".join(words[:length]) for length in range(1, len(words) + 1)]
        numbered = (f"{names[-1]}-{number}" for number in count(2))
        taken = {KERNELS, *named}
        named[next(name for name in chain(names, numbered) if name not in taken)] = field
    return named


def _field(plan: Floorplan, layer: str) -> Field | None:
    """The field of a layer; None for the kernels themselves."""
    fields = _fields(plan)
    if layer not in fields and _ALIASES.get(layer, layer) == KERNELS:
        return None
    meant = (name for begin in COMMON.get(layer, (layer,)) for name in fields if name.startswith(begin))
    name = layer if layer in fields else next(meant, None) if layer in COMMON else None
    if name is not None:
        return fields[name]
    there = f"The layers are {', '.join(layer_names(plan))}."
    if layer in COMMON:
        raise UserError(f"The machine of '{plan.title}' has no figures for the layer '{layer}'. {there}")
    close = get_close_matches(layer.lower(), layer_names(plan), n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise UserError(f"There is no layer '{layer}' to draw.{hint} {there}")
