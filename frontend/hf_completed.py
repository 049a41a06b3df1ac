"""Calls that a model does not take, changed by what their failures say until it takes one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from wsc.frontend.hf_failures import (
    longer,
    of_other_extents,
    of_other_rank,
    of_other_widths,
    spoken_of,
    tokens_of,
    told_of,
    unwanted,
)
from wsc.frontend.hf_trials import Way, of_values, stopped_by

_WAYS, _TRIALS = 8, 12  # of those that the model does not take, and of those that are made of each

Make = Callable[[str], object | None]
Place = Callable[[Way], Way | None]
Sizes = Callable[[str, Mapping[str, Any]], object]


@dataclass(frozen=True)
class Taken:
    """What a forward takes: all its arguments, those that it cannot do without, and how one is made by its name.

    `sizes` gives, beside other arguments, one that says how large these are, which is fixed.
    """

    names: Collection[str]
    asked: Collection[str]
    make: Make
    sizes: Sizes = lambda _name, _inputs: None


def completed(model: nn.Module, taken: Taken, ways: Sequence[Way], place: Place) -> Way | None:
    """The first call that a model takes of some that it does not, each changed by what stopped it.

    `place` puts a call on the model's device, or says that there is none.
    """
    seen: set[tuple[object, ...]] = set()
    found = (_search(model, taken, way, place, seen) for way in ways[:_WAYS])
    return next(filter(None, found), None)


def _search(
    model: nn.Module, taken: Taken, way: Way, place: Place, seen: set[tuple[object, ...]]
) -> Way | None:
    waiting, trials = [way], 0
    while waiting and trials < _TRIALS:
        way = waiting.pop()
        if (known := _looks(way)) in seen:
            continue
        seen.add(known)
        trials += 1
        error = stopped_by(model, way)
        if error is None or of_values(error):
            return way
        changed = [place(one) for one in _changed(taken, way, error)]
        waiting += reversed([one for one in changed if one is not None])
    return None


def _looks(way: Way) -> tuple[object, ...]:
    """What a call is told from others by."""
    tensors = ((name, value) for name, value in way.inputs.items() if isinstance(value, Tensor))
    shapes = ((name, tuple(value.shape), str(value.dtype)) for name, value in tensors)
    return *sorted(shapes), *sorted(way.fixed), *sorted(way.inputs)


def _changed(taken: Taken, way: Way, error: Exception) -> Iterator[Way]:
    """With what the failure speaks of, with other arguments in place of those given, without what must not be there."""
    refused = [name for name in unwanted(error, way.inputs) if name not in taken.asked]
    yield from _with_more(taken, way, error, refused)
    if places := longer(error):
        yield _repeated(way, *places)
    # What stands where the call stopped, then what was guessed, which comes last.
    for name in dict.fromkeys([*told_of(error, way.inputs), *reversed(list(way.inputs))]):
        value = way.inputs[name]
        if isinstance(value, Tensor):
            yield from (replace(way, inputs={**way.inputs, name: one}) for one in _in_place_of(value, error))
    if refused and len(refused) < len(way.inputs):
        yield _without(way, refused)
    for name, value in way.inputs.items():
        if name not in taken.asked and isinstance(value, int) and not isinstance(value, bool):
            yield _without(way, [name])


def _repeated(way: Way, had: int, asked: int) -> Way:
    """With tokens, and what is told of each, over again until there are as many as are asked for."""

    def again(value: object) -> object:
        whole = isinstance(value, Tensor) and not value.is_floating_point() and value.dim() > 1
        if not whole or not isinstance(value, Tensor) or value.shape[-1] != had:
            return value
        return value[..., torch.arange(asked, device=value.device) % had]

    return replace(way, inputs={key: again(value) for key, value in way.inputs.items()})


def _with_more(taken: Taken, way: Way, error: Exception, refused: Collection[str]) -> Iterator[Way]:
    given = way.inputs.keys() | way.fixed.keys()
    for name in spoken_of(
        error, [name for name in taken.names if name not in given and not name.endswith("labels")]
    ):
        if (sizes := taken.sizes(name, way.inputs)) is not None:
            yield replace(way, fixed={**way.fixed, name: sizes})
        elif (value := taken.make(name)) is not None:
            if refused:
                others = _without(way, refused)
                yield replace(others, inputs={**others.inputs, name: value})
            yield replace(way, inputs={**way.inputs, name: value})


def _in_place_of(value: Tensor, error: Exception) -> Iterator[Tensor]:
    """Tokens in place of numbers, numbers of other widths and ranks, numbers in place of whole ones."""
    if not value.is_floating_point():
        if "same dtype" in str(error):
            yield value.float()
        if "only supports 1-d" in str(error) and value.dim() > 1:
            yield value.reshape(-1)
        if value.dim() == 1:
            yield from (value.reshape(shape) for shape in of_other_rank(error, value))
        for shape in of_other_extents(error, value):
            places = [torch.arange(new) % old for new, old in zip(shape, value.shape, strict=True)]
            yield value[torch.meshgrid(*places, indexing="ij")]
        return
    if "used as indices must be" in str(error):
        yield torch.ones(value.shape, dtype=torch.bool)
    if count := tokens_of(error, value):
        yield torch.randint(0, count, value.shape)
    for shapes in (of_other_widths, of_other_rank, of_other_extents):
        yield from (torch.randn(shape) for shape in shapes(error, value))


def _without(way: Way, names: Collection[str]) -> Way:
    return replace(way, inputs={key: value for key, value in way.inputs.items() if key not in names})
