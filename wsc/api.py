"""The Python API: compile a module, look at what came out, run it, save it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from wsc.backends.registry import Selection, select
from wsc.build import Build, read_build, write_build
from wsc.compiler.errors import InputMismatch
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.model import Model
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.pipeline import Step
from wsc.driver import Compiled, Stage, compile_model, silent
from wsc.simulation.floorplan import Floorplan
from wsc.simulation.trace import Trace

if TYPE_CHECKING:
    from wsc.frontend.values import Inputs, Module
    from wsc.reports.picture import Picture


@dataclass(frozen=True)
class Cycles:
    """Simulated cycles: of one input alone, and between inputs in the steady state."""

    latency: int
    interval: int


@dataclass(frozen=True, eq=False)
class Executable:
    """A compiled model: its artefacts, and ways to run it and look at it."""

    build: Build = field(repr=False)

    def __repr__(self) -> str:
        return f"<wsc.Executable '{self.name}' on {self.build.selection.machine.name}: {self.cycles}>"

    @property
    def name(self) -> str:
        """The model's name."""
        return self.build.name

    @property
    def graph(self) -> Graph:
        """The graph that was compiled, with the names and types of its inputs."""
        return self.build.graph

    @property
    def program(self) -> Any:
        """The emitted program, a type of the target's own."""
        return self.build.program

    @property
    def trace(self) -> Trace:
        """The simulated run."""
        return self.build.trace

    @property
    def cycles(self) -> Cycles:
        """Simulated latency and interval."""
        return Cycles(self.trace.latency_cycles, self.trace.interval_cycles)

    @cached_property
    def placement(self) -> Floorplan:
        """Where every kernel lies, with fields over the machine."""
        return self.build.floorplan()

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Run the program on the model's tensors, in order or by name, and return what the model returns, flat.

        One output comes alone, several as a tuple; as numpy arrays if every input is one, as torch tensors otherwise.
        Raises InputMismatch for tensors that do not fit, ModelError if the model has weights on the meta device.
        """
        given = self._in_order(inputs, named)
        if all(isinstance(value, np.ndarray) for value in given):
            outputs: tuple[Any, ...] = self.build.execute(given)
        else:
            from wsc.frontend.values import from_arrays, to_arrays

            outputs = from_arrays(self.build.execute(to_arrays(given)))
        return outputs[0] if len(outputs) == 1 else outputs

    def _in_order(self, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """All inputs in the order of the program's; how many there must be is judged where they are used."""
        names = [node.name for node in self.graph.inputs]
        by_name = [name for name in names[len(inputs) :] if name in named]
        if len(by_name) < len(named):
            wrong = ", ".join(f"'{name}'" for name in named if name not in by_name)
            raise InputMismatch(
                f"'{self.name}' takes {', '.join(names)}; {wrong} is not among them, or given twice."
            )
        return (*inputs, *(named[name] for name in by_name))

    def inspect(self, layer: str = "kernels") -> Picture:
        """A picture of the placement ("kernels") or of a field over it, such as "sram", "utilisation" or "links".

        Raises UserError for a layer that there is not, with those that there are.
        """
        from wsc.reports.layers import draw_layer

        return draw_layer(self.placement, layer)

    def save(self, folder: str | Path) -> Path:
        """Write a build folder, in place of the build that is there, and return it; raises BuildError."""
        return write_build(self.build, Path(folder))


def compile(
    module: Module,
    example_inputs: Inputs,
    target: str = "wse2",
    *,
    name: str = "",
    dtype: str = "",
    stage: Stage = silent,
) -> Executable:
    """Compile a module (or torch.fx.GraphModule) for a machine, by its name or by the path of its file.

    `example_inputs` are positional arguments in a tuple, keyword arguments in a dict, or one tensor. The program's
    weights share the module's memory. `dtype` "int8" or "int16" quantises products by weights, calibrated on the
    example inputs, and "float" does not; by default it is what the machine needs. `stage` is told what begins. Raises
    a subclass of `wsc.WscError` that says what is wrong with the model, the target, or the fit of the two.
    """
    from wsc.frontend.capture import capture
    from wsc.frontend.values import as_arguments

    selection = select(target)
    stage("capturing the model")
    captured = capture(module, as_arguments(example_inputs), name or type(module).__name__)
    return Executable(build_of(captured, selection, stage, dtype))


class Compilable(Protocol):
    """What was captured: a model, its inputs, and PyTorch's answer."""

    @property
    def model(self) -> Model: ...
    @property
    def example_inputs(self) -> tuple[Array, ...] | None: ...
    @property
    def rounded(self) -> bool: ...
    @property
    def passes(self) -> tuple[Step, ...]: ...
    def reference(self, inputs: Sequence[Array]) -> tuple[Array, ...]: ...


def build_of(captured: Compilable, selection: Selection, stage: Stage = silent, dtype: str = "") -> Build:
    """Compile what was captured, with the inputs and PyTorch's answer to compare with where there is data."""
    inputs = captured.example_inputs
    samples = [] if inputs is None else [inputs]
    compiled = compile_model(
        captured.model, selection, stage, dtype=dtype, samples=samples, passes=captured.passes
    )
    return build_from(captured, compiled, stage)


def build_from(captured: Compilable, compiled: Compiled, stage: Stage = silent) -> Build:
    """The build of what was compiled, with the inputs and PyTorch's answer to compare with where there is data."""
    inputs = captured.example_inputs
    if inputs is None or compiled.model.missing_weights():
        return Build.of(compiled)
    if captured.rounded:  # the reference interpreter will judge it
        return Build.of(compiled, inputs)
    stage("asking PyTorch for its answer")
    return Build.of(compiled, inputs, captured.reference(inputs))


def load(folder: str | Path) -> Executable:
    """Read a build folder; no code of the model is run. Raises BuildError."""
    return Executable(read_build(Path(folder)))
