"""`wsc simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from wsc.backends.registry import Selection, select
from wsc.build import Build, read_build
from wsc.commands.console import chosen_build, print_json, stages
from wsc.commands.summary import timing_items, timing_json
from wsc.compiler.errors import MachineError, SimulationError
from wsc.driver import within
from wsc.reports.tables import summary_panel
from wsc.simulation.trace import Trace


def simulate_build(folder: Path | None, machine: str | None, json: bool) -> None:
    """Simulate the program of a build on its machine, or on another one that its target knows, and print the cycles."""
    path = chosen_build(folder)
    build = read_build(path)
    selection = build.selection if machine is None else _other(build, machine)
    with stages() as stage:
        stage("simulating")
        trace = _simulate(build, selection, within("simulating", stage))
    bound = selection.target.lower_bound(build.program, selection.machine)
    if json:
        print_json({"build": str(path), "machine": selection.machine.name, **timing_json(trace, bound)})
    else:
        Console().print(
            summary_panel(f"{build.name} on {selection.machine.name}", timing_items(trace, bound))
        )


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
