"""The contract of a target: from a model to a program, its cycles, and its numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from wsc.backends.physical import Asked, Batches, PhysicalRun, Weights
from wsc.compiler.errors import UserError
from wsc.compiler.evidence import Evidence
from wsc.compiler.fit import Fit
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.model import Model
from wsc.compiler.machine import Capacity
from wsc.compiler.ops.base import Array
from wsc.simulation.floorplan import Floorplan
from wsc.simulation.timeline import Timeline
from wsc.simulation.trace import Trace


@dataclass(frozen=True, eq=False)
class CycleRun:
    """One input on the machine cycle by cycle: when its outputs are there, the outputs, and (name, value) to tell."""

    cycles: int
    outputs: tuple[Array, ...]
    facts: tuple[tuple[str, str], ...] = ()


Progress = Callable[[str, int, int], None]  # what is done, how many are done, of how many


@dataclass(frozen=True)
class Variant:
    """A change of one resource, in words, and the program and machine with it."""

    change: str
    program: Any
    machine: Any


@dataclass(frozen=True)
class ServingPlans:
    """Plans of a prompt's program and of a token's on the same units, and what lays memory anew between the two.

    `between` is a program of the target's own, and `graph` what it computes: its outputs are its inputs and weights.
    Both are None where everything stays where it is.
    """

    prefill: Any
    decode: Any
    between: Any = None
    graph: Graph | None = None


class Target(ABC):
    """One kind of machine. Machine, plan and program are types of the target's own; all are immutable.

    A machine is a pydantic model with a `name`. Programs compare equal by value. The same model gives the same plan,
    program and trace, to the byte. `simulate` and `execute` see the program and the machine only, never the plan.
    What more every target holds to is in tests/conformance/.
    """

    name: ClassVar[str]

    @abstractmethod
    def machines(self) -> Mapping[str, Path]:
        """Machine files shipped with the target, by name."""

    @abstractmethod
    def machine(self, path: Path) -> Any:
        """The machine that a file describes, named after the file; raises MachineError."""

    def named(self, name: str) -> tuple[Any, str] | None:
        """A machine that no file is shipped for but that the target can make from its name, with the text of a file."""
        return None

    def configured(self, options: Mapping[str, str]) -> Target:
        """The target, with options of its own as they were asked for; raises UserError for those it does not have."""
        if options:
            named = ", ".join(f"--{key}" for key in options)
            raise UserError(f"{named}: the target '{self.name}' has no such option.")
        return self

    def integers(self, machine: Any) -> str:
        """The `--dtype` that a machine needs products by weights in; "" where it takes models as they are."""
        return ""

    def products_of_activations(self, model: Model, machine: Any, dtype: str) -> frozenset[str]:
        """Names of products of two activations, attention among them, that the machine wants in integers too."""
        return frozenset()

    @abstractmethod
    def legalize(self, model: Model, machine: Any) -> Model:
        """The model as the target takes it; raises UnsupportedModel with every op it cannot take."""

    @abstractmethod
    def plan(self, model: Model, machine: Any, progress: Progress | None = None) -> Any:
        """Regions, layouts and algorithms; raises DoesNotFit."""

    def serve(self, prefill: Model, decode: Model, machine: Any) -> ServingPlans:
        """Plans of both phases of a model that keeps state; raises DoesNotFit, or UserError where there are none."""
        raise UserError(
            f"--phase serve: the target '{self.name}' plans each phase alone: use --phase prefill, then --phase decode."
        )

    def fits(self, model: Model, machine: Any) -> tuple[Fit, ...]:
        """What a legal model takes of the machine at the least, part by part, whether it fits or not."""
        return ()

    @abstractmethod
    def emit(self, plan: Any) -> Any:
        """The program that carries out a plan."""

    @abstractmethod
    def print(self, program: Any) -> str:
        """The program's text."""

    @abstractmethod
    def parse(self, text: str) -> Any:
        """Read back what `print` printed, to an equal program; raises VerificationError."""

    @abstractmethod
    def simulate(self, program: Any, machine: Any, progress: Progress | None = None) -> Trace:
        """Cycles of the program on the machine; raises SimulationError, also where the machine is too small for it."""

    def simulate_cycles(
        self, program: Any, machine: Any, weights: Mapping[str, Array], inputs: Sequence[Array]
    ) -> CycleRun:
        """Simulate one input cycle by cycle, with its data; raises UserError where the target has no such simulator."""
        raise UserError(f"The target '{self.name}' has no cycle-level simulator: use `--level fast`.")

    @abstractmethod
    def execute(
        self,
        program: Any,
        weights: Mapping[str, Array],
        inputs: Sequence[Array],
        progress: Progress | None = None,
    ) -> tuple[Array, ...]:
        """Outputs of the program, computed as the machine would; raises InputMismatch."""

    def execute_physical(
        self, program: Any, machine: Any, weights: Weights, batches: Batches, asked: Asked
    ) -> PhysicalRun:
        """Outputs with the physics of the machine's cells; raises UserError where the target computes in digital."""
        raise UserError(f"The target '{self.name}' computes in digital: `--analog` is for compute in memory.")

    @abstractmethod
    def lower_bound(self, program: Any, machine: Any) -> int:
        """Cycles between inputs that no program doing this work on this machine can beat."""

    @abstractmethod
    def capacity(self, program: Any, machine: Any) -> Capacity:
        """What the machine, or as much of it as the program is for, has to offer."""

    @abstractmethod
    def weight_keys(self, program: Any) -> frozenset[str]:
        """Keys of the weights that the program holds."""

    @abstractmethod
    def floorplan(self, program: Any, machine: Any, trace: Trace) -> Floorplan:
        """Where everything lies, with fields over it (memory, utilisation, traffic)."""

    def floorplan_of(self, program: Any, machine: Any, trace: Trace, wafer: int) -> Floorplan:
        """The floor plan of one of several wafers, counted from 0; raises UserError for one that there is not."""
        if wafer:
            raise UserError(f"--wafer {wafer}: there is one floor plan, that of wafer 0.")
        return self.floorplan(program, machine, trace)

    @abstractmethod
    def facts(self, plan: Any) -> tuple[tuple[str, str], ...]:
        """What a person should know of the plan, as (name, value): what was used, what it is far from, why."""

    def validated(self, machine: Any) -> tuple[Evidence, ...]:
        """What of its figures was held against measurements, and the error; nothing unless a target says so."""
        return ()

    def timeline(self, program: Any, machine: Any, inputs: int) -> Timeline | None:
        """What happens when in the first inputs of a run; None where the target does not say."""
        return None

    def variants(self, program: Any, machine: Any) -> Sequence[Variant]:
        """Programs and machines that differ in one resource, to learn by simulation what it is worth."""
        return ()
