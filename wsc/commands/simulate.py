"""`wsc simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsc.backends.registry import Selection, select
from wsc.build import Build, read_build
from wsc.commands.console import chosen_build, for_people, print_json, stages
from wsc.commands.run import chosen_inputs, relative_error, tolerance
from wsc.commands.summary import timing_items, timing_json
from wsc.compiler.errors import InternalError, MachineError, SimulationError, UserError
from wsc.compiler.quantities import format_cycles
from wsc.driver import within
from wsc.reports.tables import summary_panel
from wsc.simulation.trace import Trace

LEVELS = ("fast", "cycle")


def simulate_build(folder: Path | None, machine: str | None, level: str, json: bool) -> None:
    """Simulate the program of a build on its machine, or on another one that its target knows, and print the cycles."""
    if level not in LEVELS:
        raise UserError(f"--level {level}: there are {' and '.join(LEVELS)}.")
    path = chosen_build(folder)
    build = read_build(path)
    selection = build.selection if machine is None else _other(build, machine)
    if level == "cycle":
        _simulate_cycles(build, selection, path, json)
        return
    with stages() as stage:
        stage("simulating")
        trace = _simulate(build, selection, within("simulating", stage))
    bound = selection.target.lower_bound(build.program, selection.machine)
    if json:
        print_json({"build": str(path), "machine": selection.machine.name, **timing_json(trace, bound)})
    else:
        for_people().print(
            summary_panel(f"{build.name} on {selection.machine.name}", timing_items(trace, bound))
        )


def _simulate_cycles(build: Build, selection: Selection, path: Path, json: bool) -> None:
    """One input cycle by cycle; raises InternalError where its outputs are not those of the executed program."""
    build.check_weights()
    inputs = chosen_inputs(build, None)
    with stages() as stage:
        stage("simulating every cycle")
        run = selection.target.simulate_cycles(build.program, selection.machine, build.weights, inputs)
    expected = build.execute(inputs)
    errors = [relative_error(a, b) for a, b in zip(run.outputs, expected, strict=True)]
    limits = [tolerance(a) for a in expected]
    equal = all(error <= limit for error, limit in zip(errors, limits, strict=True))
    if json:
        facts = {"cycles": run.cycles, "errors": errors, "tolerances": limits, "equal": equal}
        print_json({"build": str(path), "machine": selection.machine.name, "level": "cycle", **facts})
    else:
        told = "equal to" if equal else "DIFFERENT from"
        items = [
            ("latency of one input", format_cycles(run.cycles)),
            ("outputs", f"{told} the executed program's (largest difference {max(errors):.1e})"),
            *run.facts,
        ]
        for_people().print(summary_panel(f"{build.name} on {selection.machine.name}, cycle by cycle", items))
    if not equal:
        raise InternalError(f"The outputs of {path}, simulated cycle by cycle, are not those of `wsc run`.")


def _other(build: Build, name: str) -> Selection:
    selection, own = select(name), build.selection.target
    if selection.target is not own:
        raise MachineError(
            f"'{name}' is a machine of the target '{selection.target.name}', and the program of '{build.name}' is for "
            f"the target '{own.name}': compile the model for it with `wsc compile MODEL --target {name}`."
        )
    return selection


def _simulate(build: Build, selection: Selection, progress: Any) -> Trace:
    try:
        return selection.target.simulate(build.program, selection.machine, progress)
    except SimulationError as error:
        if selection is build.selection:
            raise
        name = selection.machine.name
        raise MachineError(f"The program of '{build.name}' does not run on {name}: {error}") from error
