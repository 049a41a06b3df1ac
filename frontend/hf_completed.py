"""Calls that a model does not take, changed by what their failures say until it takes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from wsc.frontend.hf_call import Call
from wsc.frontend.hf_failures import of_other_rank, of_other_widths, spoken_of, unwanted
from wsc.frontend.hf_pictures import sizes_of
from wsc.frontend.hf_trials import Way, of_values, stopped_by

_WAYS, _TRIALS = 3, 24  # of those that the model does not take, and of all that are made of them

Make = Callable[[str], Tensor | None]
Place = Callable[[Way], Way | None]


def completed(model: nn.Module, call: Call, ways: Sequence[Way], make: Make, place: Place) -> Way | None:
    """The first call that a model takes of some that it does not, each changed by what stopped it.

    `make` gives an argument by name, or None; `place` puts a call on the model's device, or says that there is none.
    """
    waiting = [*reversed(ways[:_WAYS])]
    seen: set[tuple[object, ...]] = set()
    while waiting and len(seen) < _TRIALS:
        way = waiting.pop()
        if (known := _looks(way)) in seen:
            continue
        seen.add(known)
        error = stopped_by(model, way)
        if error is None or of_values(error):
            return way
        changed = [place(one) for one in _changed(call, way, error, make)]
        waiting += reversed([one for one in changed if one is not None])
    return None


def _looks(way: Way) -> tuple[object, ...]:
    """What a call is told from others by."""
    shapes = ((name, tuple(value.shape)) for name, value in way.inputs.items() if isinstance(value, Tensor))
    return *sorted(shapes), *sorted(way.fixed)


def _changed(call: Call, way: Way, error: Exception, make: Make) -> Iterator[Way]:
    """With what the failure speaks of, with other widths, with other ranks, without what must not be there."""
    given = way.inputs.keys() | way.fixed.keys()
    refused = [name for name in unwanted(error, way.inputs) if name not in call.asked]
    for name in spoken_of(error, call.takes.keys() - given):
        if (sizes := sizes_of(call, name, way.inputs)) is not None:
            yield replace(way, fixed={**way.fixed, name: sizes})
        elif (value := make(name)) is not None:
            if refused:
                others = {key: tensor for key, tensor in way.inputs.items() if key not in refused}
                yield replace(way, inputs={**others, name: value})
            yield replace(way, inputs={**way.inputs, name: value})
    for of_other_shape in (of_other_widths, of_other_rank):
        for name, value in way.inputs.items():
            if isinstance(value, Tensor) and value.is_floating_point():
                for shape in of_other_shape(error, value):
                    yield replace(way, inputs={**way.inputs, name: torch.randn(shape)})
    if refused and len(refused) < len(way.inputs):
        yield replace(way, inputs={key: one for key, one in way.inputs.items() if key not in refused})
