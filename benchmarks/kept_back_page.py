"""What `models_kept` found, as rows and as its section of docs/models.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.flops import Needed
from benchmarks.kept_back import LATER, Tried

HEADING = "## Models beside the list"
WORK_TOLERANCE = 1e-3
_NOT_CALLED = ("arguments: ", "not called: ")  # how what was said of such a model begins


@dataclass(frozen=True)
class Row:
    """What became of one model; `error` is empty where it passes."""

    library: str
    name: str
    error: str = ""
    nodes: int = 0
    macs: int = 0
    difference: float = 0.0
    cpu_s: float = 0.0
    counted_macs: int = 0  # by torch's FlopCounterMode in eager mode
    needed: Needed | None = None  # where these differ: over the calls that results need
    exact_difference: float | None = (
        None  # in 64 bits, where rows are picked by scores that are nearer than rounding
    )


def equal_work(macs: int, counted: int) -> bool:
    """Whether two counts are as near as they must be."""
    return abs(macs - counted) <= WORK_TOLERANCE * counted


def section(rows: Sequence[Row], known: int) -> str:
    """The part of the page on models beside the list, of which there are so many in all."""
    passed = [row for row in rows if not row.error]
    share = len(passed) / max(len(rows), 1)
    lines = [
        HEADING,
        "",
        "Written by `python -m benchmarks.models_kept`: other models of the same libraries, at small width,",
        "each from its configuration to the graph after all passes, its numbers compared with eager's (1e-4).",
        "Networks of torchvision and timm, where these are installed, at their own width.",
        "",
        *_of_near_scores(passed),
        f"{len(passed)} of {len(rows)} asked pass ({share:.0%}); {known} are on the list:",
    ]
    for library in dict.fromkeys(row.library for row in rows):
        names = ", ".join(row.name for row in passed if row.library == library)
        lines += ["", f"- {library}: {names or 'none'}"]
    lines += _of_first_tries()
    lines += _of_work(passed)
    if failed := [row for row in rows if row.error]:
        lines += ["", "| model | what is said |", "|---|---|"]
        lines += [f"| {row.name} | {row.error} |" for row in failed]
    return "\n".join(lines) + "\n"


def _of_near_scores(passed: Sequence[Row]) -> list[str]:
    """Which models pick other rows than eager in 32 bits, and how near to it they are in 64."""
    near = [row for row in passed if row.exact_difference is not None]
    if not near:
        return []
    told = ", ".join(f"{row.name} ({row.exact_difference:.0e})" for row in near)
    return [
        "Some pick rows by their scores; where two are nearer than rounding, eager and a program may pick either, and",
        f"numbers differ in 32 bits. These are held against eager in 64 bits: {told}.",
        "",
    ]


def _of_first_tries() -> list[str]:
    """How the later lists fared before anything was mended for them."""
    asked = {name: models for name, models in LATER.items() if all(one.first is not None for one in models)}
    lines = [
        "",
        "Later lists at the first try, before anything was mended for their models. One is *not called* where `hf:`",
        "made no or wrong arguments, the library has no model for the type, or its configuration made small",
        "contradicts itself; networks of torchvision and timm are called with a picture.",
        "",
        "| list | models | pass | not called | of those called, pass | by library |",
        "|---|---|---|---|---|---|",
    ]
    return lines + [_of_first_try(name, models) for name, models in asked.items()]


def _of_first_try(name: str, models: Sequence[Tried]) -> str:
    passed = [one for one in models if not one.first]
    not_called = [one for one in models if (one.first or "").startswith(_NOT_CALLED)]
    libraries = {
        library: f"{sum(one.library == library for one in passed)} of "
        f"{sum(one.library == library for one in models)} of {library}"
        for library in dict.fromkeys(one.library for one in models)
    }
    return (
        f"| {name}, `benchmarks/kept_back_{name}.json` | {len(models)} | {len(passed)} "
        f"({len(passed) / len(models):.0%}) | {len(not_called)} | "
        f"{len(passed) / (len(models) - len(not_called)):.0%} | {', '.join(libraries.values())} |"
    )


def _of_work(rows: Sequence[Row]) -> list[str]:
    """How many have the work that torch counts, over all calls or over those that results need, and the others."""
    other = [row for row in rows if not equal_work(row.macs, row.counted_macs)]
    left = [row for row in other if row.needed is None or not equal_work(row.needed.macs, row.needed.counted)]
    lines = [
        "",
        f"Multiply-accumulates are those of torch's FlopCounterMode within {WORK_TOLERANCE:.1%} in",
        f"{len(rows) - len(other)} of {len(rows)} over one eager call; in {len(rows) - len(left)} over the calls that",
        "results need, the calls that it has no formula for left out on both sides (`benchmarks.flops.needed_macs`).",
    ]
    if other:
        lines += [
            "",
            "| model | MACs | counted by torch | of calls that it counts, needed | counted of these | of other calls |",
            "|---|---|---|---|---|---|",
            *map(_of_one, other),
        ]
    return lines


def _of_one(row: Row) -> str:
    needed = row.needed
    told = ("", "", "")
    if needed is not None:
        others = ", ".join(f"{call} {macs:,}" for call, macs in needed.others.items())
        told = (f"{needed.macs:,}", f"{needed.counted:,}", others)
    return f"| {row.name} | {row.macs:,} | {row.counted_macs:,} | {' | '.join(told)} |"
