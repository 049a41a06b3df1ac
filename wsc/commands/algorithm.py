"""`wsc algorithm`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from wsc.backends.registry import select
from wsc.backends.wafer.algorithms.catalog import ENTRIES, OPTIONS, Entry, Sizes, example, find_entry
from wsc.backends.wafer.execute import execute
from wsc.backends.wafer.machine import Wafer
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.simulate import simulate
from wsc.backends.wafer.text import print_program
from wsc.commands.console import for_people, print_json
from wsc.compiler.errors import AlgorithmError, MachineError
from wsc.compiler.ir.types import DType
from wsc.compiler.quantities import format_bytes, format_cycles, format_percent, format_seconds
from wsc.reports.tables import summary_panel
from wsc.simulation.trace import Trace

MOST_BYTES = 1 << 28  # of all tiles of all cores, for the numbers to be checked unless asked
MOST_MACS = 1 << 31


@dataclass(frozen=True)
class Result:
    """What is known of an algorithm on a machine.

    `error` is None where the numbers were not checked, `context` where there is no cache.
    """

    program: Program
    machine: Wafer
    trace: Trace
    error: float | None
    context: int | None


def list_algorithms(json: bool) -> None:
    """Print every algorithm with what it is and the options it takes."""
    rows = [
        (e.name, e.about, [_option(n) for n in e.needs], [_option(n) for n in e.takes])
        for e in ENTRIES.values()
    ]
    if json:
        print_json([{"name": n, "about": a, "needs": needs, "takes": takes} for n, a, needs, takes in rows])
        return
    table = Table("algorithm", "what", "needs", "takes", box=None, header_style="bold")
    for name, about, needs, takes in rows:
        table.add_row(name, about, " ".join(needs), " ".join(takes))
    for_people().print(table)


def _option(name: str) -> str:
    return f"--{OPTIONS.get(name, name)}"


def run_algorithm(
    name: str,
    machine: str,
    parts: str | None,
    asked: dict[str, Any],
    check: bool | None,
    text: bool,
    json: bool,
) -> None:
    """Make a program by name, simulate it, check its numbers, and print the cycles, or the program's text."""
    entry, chosen = find_entry(name), select(machine).machine
    if not isinstance(chosen, Wafer):
        raise MachineError(
            f"'{machine}' is no wafer: algorithms by name are for machines of the target 'wafer'"
        )
    sizes = Sizes(**_read(asked), **_cores(parts, entry))
    program = entry.program(sizes, chosen)
    if text:
        print(print_program(program), end="")  # noqa: T201
        return
    trace = simulate(program, chosen)
    wanted = _is_small(program, trace) if check is None else check
    error = _error(entry, sizes, program) if wanted else None
    result = Result(program, chosen, trace, error, entry.longest_context(sizes, chosen))
    if json:
        print_json(_as_json(result))
        return
    for_people().print(summary_panel(f"{name} on {chosen.name}", _items(result)))
    for_people().print(_steps(result))


def _read(asked: dict[str, Any]) -> dict[str, Any]:
    """The options as an algorithm takes them; those that were not given are left out."""
    read = {name: value for name, value in asked.items() if value is not None}
    if "dtype" in read:
        names = [d.value for d in DType if d.is_float and d.bytes in (2, 4)]  # what cores compute with
        if read["dtype"] not in names:
            raise AlgorithmError(f"--dtype is one of {', '.join(names)}, not '{read['dtype']}'")
        read["dtype"] = DType(read["dtype"])
    if "shape" in read:
        if re.fullmatch(r"\d+(x\d+)*", read["shape"]) is None:
            raise AlgorithmError(f"--shape is extents such as 64x256, not '{read['shape']}'")
        read["shape"] = tuple(int(n) for n in read["shape"].split("x"))
    if str(read.get("root", "")).isdigit():
        read["root"] = int(read["root"])
    return read


def _cores(parts: str | None, entry: Entry) -> dict[str, Any]:
    if parts is None:
        return {}
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", parts)
    if match is None:
        raise AlgorithmError(f"--parts is a number of cores or columns x rows such as 32x16, not '{parts}'")
    columns = int(match[1])
    rows = int(match[2]) if match[2] else 1 if entry.line else columns
    return {"columns": columns, "rows": rows}


def _is_small(program: Program, trace: Trace) -> bool:
    held = sum(kernel.data_bytes * kernel.cores for kernel in program.kernels)
    return held <= MOST_BYTES and sum(kernel.macs for kernel in trace.kernels) <= MOST_MACS


def _error(entry: Entry, sizes: Sizes, program: Program) -> float:
    """The largest error of the outputs that the algorithm promises, over the largest of the exact numbers."""
    given = example(program)
    inputs = [given[name] for name, _ in program.inputs]
    found = dict(zip((name for name, _ in program.outputs), execute(program, given, inputs), strict=True))
    double = {name: a.astype(np.float64) if a.dtype.kind == "f" else a for name, a in given.items()}
    errors = [0.0]
    for name, exact in entry.reference(sizes, double).items():
        distance = np.abs(found[name].astype(np.float64) - exact).max()
        errors.append(float(distance / max(np.abs(exact).max(), np.finfo(np.float64).tiny)))
    return max(errors)


def _items(result: Result) -> list[tuple[str, str]]:
    trace, machine = result.trace, result.machine
    (kernel,), (region,) = trace.kernels, result.program.kernels
    cycles = trace.latency_cycles
    items = [
        ("algorithm", result.program.name),
        ("cores", f"{region.width} x {region.height}"),
        ("cycles", f"{format_cycles(cycles)}, {format_seconds(cycles / trace.clock_hz)}"),
        (
            "memory of a core",
            f"{format_bytes(kernel.bytes_per_unit)} of {format_bytes(machine.core.sram_bytes)}",
        ),
    ]
    if kernel.macs:
        share = kernel.macs / (cycles * region.cores * machine.peak_macs_per_cycle(_dtype(result.program)))
        items.append(("multiply-adds", f"{format_percent(share)} of the peak"))
    if result.context is not None:
        items.append(("longest context", f"{result.context:,} tokens"))
    return [*items, _numbers(result)]


def _steps(result: Result) -> Table:
    table = Table("instruction", box=None, header_style="bold")
    table.add_column("cycles until its result is there", justify="right", no_wrap=True)
    for step in result.trace.kernels[0].steps:
        table.add_row(Text(step.text.strip()), f"{step.latency_cycles:,.0f}")
    return table


def _numbers(result: Result) -> tuple[str, str]:
    if result.error is None:
        return "numbers", "not checked; --check does"
    return "numbers", f"off by at most {result.error:.1e} of the largest"


def _dtype(program: Program) -> DType:
    return next((type.dtype for _, type in program.outputs if type.dtype.is_float), DType.F32)


def _as_json(result: Result) -> dict[str, Any]:
    (kernel,), (region,) = result.trace.kernels, result.program.kernels
    return {
        "algorithm": result.program.name,
        "machine": result.machine.name,
        "columns": region.width,
        "rows": region.height,
        "cycles": result.trace.latency_cycles,
        "seconds": result.trace.latency_cycles / result.trace.clock_hz,
        "bytes_per_core": kernel.bytes_per_unit,
        "macs": kernel.macs,
        "steps": [{"step": step.text.strip(), "cycles": step.latency_cycles} for step in kernel.steps],
        "longest_context": result.context,
        "relative_error": result.error,
    }
