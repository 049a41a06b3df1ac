"""What of a target's figures was held against others': read from the `validation.toml` that its benchmark writes."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter

from wsc.compiler.machine import Part

Figure = Literal["cycles", "energy", "peak"]


class Evidence(Part):
    """Rows of one kind on one machine, none of them fitted on, and the error of what wsc makes of them.

    `machine` is a machine or the part that it is made of, such as its GPU; `covers` says in a few words what was run,
    `kind` whether a whole model, a kernel, or only figures of a publication that follow from the machine file;
    `against` is hardware, or whose simulator. Errors are absolute and relative, 0.05 for 5 %.
    """

    machine: str = Field(min_length=1)
    figure: Figure
    kind: Literal["model", "kernel", "publication"]
    covers: str = Field(min_length=1)
    against: str = Field(min_length=1)
    rows: int = Field(gt=0)
    mean_error: float = Field(ge=0)
    largest_error: float = Field(ge=0)
    set: str = Field(min_length=1)  # its title on the page of the target's validation


def read_evidence(path: Path, *machines: str) -> tuple[Evidence, ...]:
    """What a file holds of these machines, whole models first; nothing where there is no such file."""
    if not path.is_file():
        return ()
    every = _EVERY.validate_python(tomllib.loads(path.read_text(encoding="utf-8")).get("evidence", []))
    order = ("model", "kernel", "publication")
    return tuple(sorted((e for e in every if e.machine in machines), key=lambda e: order.index(e.kind)))


def sentence(found: Sequence[Evidence], figure: Figure) -> str:
    """The evidence for a figure in one line, such as "decode 5.4 % (CS-2)"; "" where there is none.

    Sets that cover the same are one, their mean weighted by rows. Figures of a publication that only follow from the
    machine file are told where there is nothing better, and that they are no run.
    """
    groups: dict[str, list[Evidence]] = {}
    for evidence in found:
        if evidence.figure == figure:
            groups.setdefault(evidence.covers, []).append(evidence)
    measured = {covers: group for covers, group in groups.items() if group[0].kind != "publication"}
    said = ", ".join(f"{covers} {_error(group)}" for covers, group in (measured or groups).items())
    return said if measured or not said else f"no run, {said}"


def _error(group: Sequence[Evidence]) -> str:
    rows = sum(e.rows for e in group)
    mean = sum(e.mean_error * e.rows for e in group) / rows
    against = " and ".join(dict.fromkeys(e.against for e in group))
    return f"{mean:.1%} ({rows} {'row' if rows == 1 else 'rows'}, {against})"


def evidence_text(found: Iterable[Evidence], command: str) -> str:
    """The text of a validation file, as `read_evidence` reads it."""
    lines = [
        f"# Written by `{command}`, with the page of the target's validation; rows fitted on are left out."
    ]
    for evidence in found:
        lines += ["", "[[evidence]]"]
        lines += [f"{key} = {_value(value)}" for key, value in evidence.model_dump().items()]
    return "\n".join(lines) + "\n"


def _value(value: str | int | float) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def of_errors(errors: Sequence[float], make: Callable[[int, float, float], Evidence]) -> list[Evidence]:
    """Evidence of relative errors, made of their number, mean and largest; none of none."""
    if not errors:
        return []
    sizes = [abs(float(error)) for error in errors]
    return [make(len(sizes), sum(sizes) / len(sizes), max(sizes))]


_EVERY = TypeAdapter(list[Evidence])
