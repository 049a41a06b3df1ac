"""Pipeline schedules: what each rank does with which microbatch of which of its stages, in order.

GPipe: Huang et al., arXiv 1811.06965. 1F1B and interleaved 1F1B: Narayanan et al., SC 2021. Zero bubble: ZB-H1 of
Qi et al., arXiv 2401.10241, which puts gradients of weights off to fill what would be idle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from wsc.backends.gpu_cluster.transformer.shape import Schedule

Pass = Literal["F", "B", "I", "W"]


@dataclass(frozen=True)
class Action:
    """A pass of one microbatch through stage `chunk` of a rank: forward, backward, or its two halves.

    I is the gradient of the stage's input, W that of its weights.
    """

    kind: Pass
    chunk: int
    microbatch: int


Actions = tuple[Action, ...]


def actions(
    schedule: Schedule, ranks: int, virtual: int, microbatches: int, group: int = 0
) -> tuple[Actions, ...]:
    """For each rank of the pipeline what it does in a step; raises ValueError where the schedule cannot be.

    Interleaved, `group` microbatches (as many as ranks, unless given) pass one chunk of a rank before the next.
    """
    if schedule != "interleaved":
        return tuple(_MAKERS[schedule](rank, ranks, virtual, microbatches) for rank in range(ranks))
    group = group or ranks
    if microbatches % group:
        raise ValueError(f"{microbatches} microbatches do not divide by {group} ranks")
    if group < ranks:
        raise ValueError(f"{group} microbatches in a row are fewer than {ranks} ranks")
    return tuple(_interleaved(rank, ranks, virtual, microbatches, group) for rank in range(ranks))


def _gpipe(rank: int, ranks: int, virtual: int, microbatches: int) -> Actions:
    forward = tuple(Action("F", 0, i) for i in range(microbatches))
    return forward + tuple(Action("B", 0, i) for i in range(microbatches))


def _one_forward_one_backward(rank: int, ranks: int, virtual: int, microbatches: int) -> Actions:
    warm = min(ranks - 1 - rank, microbatches)
    return _paired(
        [Action("F", 0, i) for i in range(microbatches)],
        [Action("B", 0, i) for i in range(microbatches)],
        warm,
    )


def _interleaved(rank: int, ranks: int, virtual: int, microbatches: int, group: int) -> Actions:
    total = microbatches * virtual
    warm = min((ranks - 1 - rank) * 2 + (virtual - 1) * group, total)
    places = [_place(number, group, virtual) for number in range(total)]
    forward = [Action("F", chunk, microbatch) for chunk, microbatch in places]
    backward = [Action("B", virtual - 1 - chunk, microbatch) for chunk, microbatch in places]
    return _paired(forward, backward, warm)


def _place(number: int, group: int, virtual: int) -> tuple[int, int]:
    """(chunk, microbatch) of the number-th pass: a group of microbatches goes through a chunk, then the next."""
    before, rest = divmod(number, group * virtual)
    return rest // group, before * group + rest % group


def _paired(forward: list[Action], backward: list[Action], warm: int) -> Actions:
    """`warm` forward passes, then one forward and one backward by turns, then what is left backward."""
    found = forward[:warm]
    for ahead, behind in zip(forward[warm:], backward, strict=False):
        found += [ahead, behind]
    return tuple(found + backward[len(forward) - warm :])


def _zero_bubble(rank: int, ranks: int, virtual: int, microbatches: int) -> Actions:
    """1F1B with backward passes in halves; gradients of weights come `rank` microbatches later."""
    found: list[Action] = []
    for action in _one_forward_one_backward(rank, ranks, virtual, microbatches):
        if action.kind == "F":
            found.append(action)
            continue
        found.append(Action("I", 0, action.microbatch))
        if action.microbatch >= rank:
            found.append(Action("W", 0, action.microbatch - rank))
    late = range(max(0, microbatches - rank), microbatches)
    return tuple(found + [Action("W", 0, i) for i in late])


_MAKERS: Mapping[Schedule, Callable[[int, int, int, int], Actions]] = {
    "gpipe": _gpipe,
    "1f1b": _one_forward_one_backward,
    "zero-bubble": _zero_bubble,
}


def in_flight(order: Actions, chunk: int) -> int:
    """Most microbatches of a chunk whose activations are held at one time."""
    held = most = 0
    for action in order:
        if action.chunk == chunk:
            held += {"F": 1, "B": -1, "I": 0, "W": -1}[action.kind]
            most = max(most, held)
    return most
