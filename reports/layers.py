"""The pictures of a floor plan by short name: `kernels`, and one for each field."""

from __future__ import annotations

from wsc.compiler.errors import UserError
from wsc.reports.heatmap import draw_field, draw_kernels
from wsc.reports.picture import Picture
from wsc.reports.terminal import TerminalPicture, terminal_field, terminal_floorplan
from wsc.simulation.floorplan import Field, Floorplan

KERNELS = "kernels"
_ALIASES = {"placement": KERNELS, "kernel": KERNELS}


def layer_names(plan: Floorplan) -> tuple[str, ...]:
    """Short names of what can be drawn of a floor plan."""
    return (KERNELS, *(_short(field) for field in plan.fields))


def draw_layer(plan: Floorplan, layer: str) -> Picture:
    """A picture of a layer; raises UserError for a name that does not exist."""
    field = _field(plan, layer)
    return draw_kernels(plan) if field is None else draw_field(plan, field)


def terminal_layer(plan: Floorplan, layer: str, columns: int) -> TerminalPicture:
    """A coarse picture of a layer for the terminal; raises UserError for a name that does not exist."""
    field = _field(plan, layer)
    return terminal_floorplan(plan, columns) if field is None else terminal_field(plan, field, columns)


def _short(field: Field) -> str:
    return field.title.split()[0].lower()


def _field(plan: Floorplan, layer: str) -> Field | None:
    """The field of a layer; None for the kernels themselves."""
    name = _ALIASES.get(layer, layer)
    if name == KERNELS:
        return None
    found = next((f for f in plan.fields if _short(f) == name), None)
    if found is None:
        raise UserError(f"there is no layer '{layer}' to draw; layers are {', '.join(layer_names(plan))}")
    return found
