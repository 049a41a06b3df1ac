"""What a call that failed says of its arguments: which it lacks, how wide they are, how many extents they have."""

from __future__ import annotations

import linecache
import re
from collections.abc import Collection, Iterator
from itertools import islice
from types import FrameType, TracebackType

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

_RANK = re.compile(
    r"Dimension out of range|values to unpack|Expected \d+D|too many indices|number of dimensions|for \d+D input|"
    r"number of sizes provided"
)
_UNEQUAL = re.compile(
    r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension (\d+)"
)
_MULTIPLE = re.compile(r"(?:not|be) a multiple of (\d+)")
_SHORT = re.compile(r"greater than actual input size|must be at least one|less than the corresponding input")
_JOINED = re.compile(r"must match except in dimension \d+\. Expected size (\d+) but got size (\d+)")
_PLACES = re.compile(
    r"value tensor of shape \[(\d+).* cannot be broadcast to indexing result of shape \[(\d+)"
)


def spoken_of(error: Exception, takes: Collection[str]) -> list[str]:
    """The arguments of a call, of those that it takes, that its failure is about; the likeliest first."""
    missed = _missed(error.__traceback__, takes) if "None" in str(error) else ()
    return list(dict.fromkeys([*_named(str(error), takes), *missed]))


def told_of(error: Exception, given: Collection[str]) -> list[str]:
    """The arguments, of those given, that are named on the lines where the call stopped; the innermost first."""
    found: dict[str, None] = {}
    for frame, instruction in _innermost_first(error.__traceback__):
        text = _text(frame, instruction)
        named = (name for name in given if isinstance(frame.f_locals.get(name), Tensor))
        found |= dict.fromkeys(name for name in named if re.search(rf"\b{name}\b", text))
    return list(found)


def unwanted(error: Exception, given: Collection[str]) -> list[str]:
    """The arguments, of those given, that the message says must not be there, or not with another."""
    text = str(error)
    if not re.search(r"\bboth\b|expected to be `?None|must be `?None|not supported|cannot", text):
        return []
    return list(_named(text, given))


def of_other_widths(error: Exception, given: Tensor) -> Iterator[tuple[int, ...]]:
    """Shapes of an argument with which the layer that stopped the call would take as much as it has weights for."""
    for frame, _ in _innermost_first(error.__traceback__):
        module, had = frame.f_locals.get("self"), frame.f_locals.get("input")
        if not isinstance(module, nn.Linear | _ConvNd | nn.LayerNorm) or not isinstance(had, Tensor):
            continue
        place, width = _taken(module, had)
        if had.dim() and had.shape[place] != width:
            places = sorted(
                range(1, given.dim()), key=lambda one: (one - given.dim() != place and one != place, -one)
            )
            same = [one for one in places if given.shape[one] == had.shape[place]]
            for one in same:
                yield (*given.shape[:one], width, *given.shape[one + 1 :])
            more, rest = divmod(given.shape[-1] * width, had.shape[place])
            if (
                not same and not rest and 1 < given.shape[-1] < had.shape[place] and given.dim() > 1
            ):  # what came of it is as many times too wide
                yield (*given.shape[:-1], more)
        return


def of_other_extents(error: Exception, given: Tensor) -> Iterator[tuple[int, ...]]:
    """Shapes of an argument with the extent that what it met has."""
    if (found := _MULTIPLE.search(str(error))) and given.dim() > 1:
        whole = int(found[1])
        for more in (1, 8):  # of what is halved on the way
            yield (*given.shape[:-1], max(-(-given.shape[-1] // whole), more) * whole)
    if _SHORT.search(str(error)) and given.dim() > 1:
        rows = (4 * given.shape[-2],) if given.dim() > 3 else given.shape[1:-1][-1:]
        yield (
            *given.shape[: max(given.dim() - 2, 1)],
            *rows,
            (4 if given.dim() > 3 else 64) * given.shape[-1],
        )
    if found := _JOINED.search(str(error)):
        ours, theirs = int(found[2]), int(found[1])
        for place in range(1, given.dim()):
            if given.shape[place] == ours:
                yield (*given.shape[:place], *given.shape[place + 1 :])
                yield (*given.shape[:place], theirs, *given.shape[place + 1 :])
    if found := _UNEQUAL.search(str(error)):
        ours, theirs, place = (int(number) for number in found.groups())
        for one, other in ((ours, theirs), (theirs, ours)):
            if 0 < place < given.dim() and given.shape[place] == one:
                yield (*given.shape[:place], other, *given.shape[place + 1 :])


def longer(error: Exception) -> tuple[int, int] | None:
    """How many places there are, and how many things for them, where these are not as many."""
    found = _PLACES.search(str(error))
    return (int(found[2]), int(found[1])) if found else None


def tokens_of(error: Exception, given: Tensor) -> int:
    """How many tokens a table knows that stopped a call because an argument, of numbers, is none of them; else 0."""
    for frame, _ in _innermost_first(error.__traceback__):
        table, had = frame.f_locals.get("self"), frame.f_locals.get("input")
        if isinstance(table, nn.Embedding) and isinstance(had, Tensor):
            same = had.is_floating_point() and had.numel() == given.numel() and given.is_floating_point()
            return table.num_embeddings if same else 0
    return 0


def _taken(module: nn.Module, had: Tensor) -> tuple[int, int]:
    """Which extent of its input a layer has weights for, and how many."""
    if isinstance(module, nn.Linear):
        return -1, module.in_features
    if isinstance(module, _ConvNd):
        return 1 if had.dim() == len(module.kernel_size) + 2 else 0, module.in_channels
    shape = module.normalized_shape if isinstance(module, nn.LayerNorm) else ()
    return -1, int(shape[-1])


def of_other_rank(error: Exception, given: Tensor) -> Iterator[tuple[int, ...]]:
    """Shapes of an argument with an extent of one more or less, where the call stopped because of their number."""
    text = str(error)
    if not _RANK.search(text):
        return
    if "sizes provided" in text and given.dim() > 1:
        yield (given.shape[0],)
    elif "not enough values" not in text and given.dim() > 2:
        # One of a single entry rather than others, else that after the batch.
        single = [one for one in range(1, given.dim()) if given.shape[one] == 1]
        for one in single or [1]:
            yield (*given.shape[:one], *given.shape[one + 1 :])
    if "too many values" not in text and 0 < given.dim() < 5 and 1 not in given.shape[1:]:
        yield (given.shape[0], 1, *given.shape[1:])


def _named(text: str, takes: Collection[str]) -> Iterator[str]:
    words = dict.fromkeys(re.findall(r"\w+", text))
    yield from (word for word in words if word in takes)


def _missed(trace: TracebackType | None, takes: Collection[str]) -> Iterator[str]:
    """What was None on the line where the call stopped, or in the call that led there, the innermost first."""
    for frame, instruction in _innermost_first(trace):
        text = _text(frame, instruction)
        names = [name for name, value in frame.f_locals.items() if value is None and name in takes]
        yield from (name for name in names if re.search(rf"\b{name}\b", text))


def _innermost_first(trace: TracebackType | None) -> list[tuple[FrameType, int]]:
    """Frames, each with the instruction at which it is."""
    frames: list[tuple[FrameType, int]] = []
    while trace is not None:
        frames.append((trace.tb_frame, trace.tb_lasti))
        trace = trace.tb_next
    return frames[::-1]


def _text(frame: FrameType, instruction: int) -> str:
    """The lines of what a frame was about."""
    places = islice(frame.f_code.co_positions(), instruction // 2, None)
    first, last, *_ = next(places, (None, None, None, None))
    if first is None or last is None:
        return ""
    return "".join(linecache.getline(frame.f_code.co_filename, line) for line in range(first, last + 1))
