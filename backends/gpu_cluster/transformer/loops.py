"""Instructions that repeat, written as repeats."""

from __future__ import annotations

from collections.abc import Sequence

from wsc.backends.gpu_cluster.instructions import Instruction, Repeat


def rolled(body: Sequence[Instruction], longest: int) -> list[Instruction]:
    """The same instructions, with stretches that repeat right away written once; of up to `longest` instructions.

    From the front, the period that covers the most is taken. Schedules have one steady state, so that is all of it.
    """
    numbers: dict[Instruction, int] = {}
    marks = [numbers.setdefault(instruction, len(numbers)) for instruction in body]
    out: list[Instruction] = []
    at = 0
    while at < len(marks):
        period, count = _best(marks, at, longest)
        if count > 1:
            out.append(Repeat(count, tuple(body[at : at + period])))
        else:
            out.append(body[at])
        at += period * count
    return out


def _best(marks: Sequence[int], at: int, longest: int) -> tuple[int, int]:
    """(period, count) of the repetition at a place that saves most; (1, 1) where there is none.

    Periods longer than all of a repetition that was found are not looked at.
    """
    best, saved = (1, 1), 0
    for period in range(1, min(longest, (len(marks) - at) // 2) + 1):
        if saved and period > best[0] * best[1]:
            break
        if marks[at] != marks[at + period]:
            continue
        count = 1
        while marks[at : at + period] == marks[at + count * period : at + (count + 1) * period]:
            count += 1
        if (count - 1) * period > saved:
            best, saved = (period, count), (count - 1) * period
    return best
