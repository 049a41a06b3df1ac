"""The Python API: compile a module, look at what came out, run it, save it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wsc.backends.registry import Selection, select
from wsc.build import Build, read_build, write_build
from wsc.compiler.errors import UserError
from wsc.compiler.ir.graph import Graph
from wsc.driver import Stage, compile_model, silent
from wsc.simulation.floorplan import Floorplan
from wsc.simulation.trace import Trace

if TYPE_CHECKING:
    from torch import Tensor, nn

    from wsc.frontend.arguments import ExampleInputs
    from wsc.reports.picture import Picture


@dataclass(frozen=True)
class Cycles:
    """Simulated cycles: of one input alone, and between inputs in the steady state."""

    latency: int
    interval: int


@dataclass(frozen=True)
class Executable:
    """A compiled model: its artefacts, and ways to run it and look at it."""

    build: Build = field(repr=False)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.build.name

    @property
    def graph(self) -> Graph:
        """The graph that was compiled."""
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

    def __call__(self, *inputs: Any) -> Any:
        """Run the program on tensors (or numpy arrays) and return what the model returns, as a flat tuple if several.

        Raises InputMismatch where they do not fit.
        """
        if all(isinstance(value, np.ndarray) for value in inputs):
            outputs: tuple[Any, ...] = self.build.execute(inputs)
        else:
            from wsc.frontend.values import from_arrays, to_arrays

            outputs = from_arrays(self.build.execute(to_arrays(inputs)))
        return outputs[0] if len(outputs) == 1 else outputs

    def inspect(self, layer: str = "kernels") -> Picture:
        """A picture of the placement ("kernels" or "placement") or of a field over it ("sram", "utilisation", "links")."""
        from wsc.reports.layers import draw_layer

        return draw_layer(self.placement, layer)

    def save(self, folder: str | Path) -> Path:
        """Write a build folder; raises BuildError."""
        return write_build(self.build, Path(folder))


def compile(
    module: nn.Module,
    example_inputs: ExampleInputs | Tensor | Sequence[Tensor],
    target: str = "wse2",
    *,
    name: str = "",
    stage: Stage = silent,
) -> Executable:
    """Compile a module (or torch.fx.GraphModule) for a target; inputs are a tuple, a dict or one tensor.

    Raises a subclass of `wsc.WscError` that says what is wrong with the model, the target, or the fit of the two.
    """
    from wsc.frontend.capture import capture
    from wsc.frontend.values import as_arguments

    selection = select(target)
    stage("capturing the model")
    captured = capture(module, as_arguments(example_inputs), name or type(module).__name__)
    return Executable(build_of(captured, selection, stage))


def build_of(captured: Any, selection: Selection, stage: Stage) -> Build:
    """Compile what was captured, with the inputs and PyTorch's answer to compare with where there is data."""
    compiled = compile_model(captured.model, selection, stage)
    inputs = captured.example_inputs
    runnable = inputs is not None and not compiled.model.missing_weights()
    if runnable:
        stage("asking PyTorch for its answer")
    expected = captured.reference(inputs) if runnable else None
    return Build.of(compiled, inputs if runnable else None, expected)


def load(folder: str | Path) -> Executable:
    """Read a build folder; no code of the model is run. Raises BuildError."""
    path = Path(folder)
    if not path.exists():
        raise UserError(f"there is no build folder {path}")
    return Executable(read_build(path))
