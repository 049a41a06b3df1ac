"""torch.compile(model, backend="wsc", options={"target": "wse2"}): programs inside of a PyTorch program.

torch finds `backend` through the entry point `torch_dynamo_backends`. What was compiled, and where torch.compile broke
the model into several graphs, is in `last_report()`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsc.compiler.errors import UserError

if TYPE_CHECKING:
    from wsc.api import Executable
    from wsc.frontend.dynamo import Break

_OPTIONS = {"target": ("wse2", None), "execute": ("program", ("program", "eager"))}


@dataclass(frozen=True)
class CompiledGraph:
    """One graph of torch.compile: its executable, and what runs when it is called (`program` or `eager`)."""

    executable: Executable = field(repr=False)
    runs: str
    broken: Break | None  # why torch.compile ended the graph; None at the end of a function


@dataclass(frozen=True)
class Report:
    """What torch.compile has had compiled, in order."""

    graphs: tuple[CompiledGraph, ...]

    @property
    def breaks(self) -> tuple[Break, ...]:
        """The places that torch.compile could not take in; Python runs between the graphs there."""
        return tuple(graph.broken for graph in self.graphs if graph.broken is not None)

    def __str__(self) -> str:
        lines = [f"{graph.executable!r}, runs as {graph.runs}" for graph in self.graphs]
        lines += [f"graph break at {broken}" for broken in self.breaks]
        return "\n".join(lines) or "nothing was compiled"


_compiled: list[CompiledGraph] = []


def last_report() -> Report:
    """What was compiled through torch.compile since the process began, or since `reset_report`."""
    return Report(tuple(_compiled))


def reset_report() -> None:
    """Forget what was compiled so far."""
    _compiled.clear()


def backend(graph: Any, example_inputs: Sequence[Any], **kwargs: Any) -> Callable[..., Any]:
    """Compile one graph of torch.compile; options are `target` and `execute` (program or eager).

    The program runs in the target's functional simulator, or torch itself does: with `execute: eager`, and wherever
    gradients are asked for, which a program of the forward pass cannot give. Raises a subclass of `wsc.WscError`.
    """
    from wsc.api import compile
    from wsc.frontend.dynamo import Subgraph

    target, execute = _chosen(kwargs.get("options") or {})
    part = Subgraph.of(graph, example_inputs)
    executable = compile(part.module, part.inputs, target, name=f"graph_{len(_compiled)}")
    if executable.graph.state:
        raise UserError(
            "A module that changes its buffers or arguments in place cannot be run by torch.compile."
        )
    runs = "eager" if part.needs_gradients() else execute
    _compiled.append(CompiledGraph(executable, runs, part.broken))
    forward: Callable[..., Any] = graph.forward
    return part.runner(executable.build.execute) if runs == "program" else forward


def _chosen(options: Mapping[str, Any]) -> tuple[str, str]:
    for key, value in options.items():
        if key not in _OPTIONS:
            raise UserError(f"The backend wsc has no option '{key}': it has {', '.join(_OPTIONS)}.")
        allowed = _OPTIONS[key][1]
        if allowed and value not in allowed:
            raise UserError(f"The option '{key}' is {' or '.join(allowed)}, not '{value}'.")
        if not isinstance(value, str):
            raise UserError(f"The option '{key}' is a name or a path, not {value!r}.")
    return tuple(options.get(key, default) for key, (default, _) in _OPTIONS.items())
