"""What torch.compile hands to a backend: a graph with the module's weights among its inputs, and why it was cut off."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from wsc.compiler.errors import UserError
from wsc.compiler.ir.graph import Location
from wsc.compiler.ops.base import Array
from wsc.frontend.places import place_in_stack, shown_path
from wsc.frontend.tensors import complex_if, from_numpy, to_numpy


@dataclass(frozen=True)
class Break:
    """A place where torch.compile could not go on, and left the code to Python."""

    reason: str
    location: Location

    def __str__(self) -> str:
        return f"{self.location}: {self.reason}"


@dataclass(frozen=True)
class Subgraph:
    """One graph of torch.compile: a module whose weights are its own, and the inputs that are left."""

    module: nn.Module = field(repr=False)
    inputs: tuple[Tensor, ...] = field(repr=False)
    given: tuple[int, ...]  # which of the graph's arguments these are
    graph: fx.GraphModule = field(repr=False)
    broken: Break | None

    @staticmethod
    def of(graph: fx.GraphModule, example_inputs: Sequence[Any]) -> Subgraph:
        """Take a graph apart; raises UserError where shapes are not fixed."""
        if any(isinstance(value, torch.SymInt) or _is_dynamic(value) for value in example_inputs):
            raise UserError(
                "A program has fixed shapes, and torch.compile asks for one that takes many: compile with "
                "dynamic=False, which makes a program for each shape, or pad the inputs to one shape."
            )
        weights = {
            place: value
            for place, (node, value) in enumerate(
                zip(graph.graph.find_nodes(op="placeholder"), example_inputs, strict=True)
            )
            if isinstance(value, nn.Parameter) or "_buffers_" in node.name
        }
        given = tuple(place for place in range(len(example_inputs)) if place not in weights)
        inputs = tuple(_plain(example_inputs[place]) for place in given)
        return Subgraph(_Bound(graph, weights, given), inputs, given, graph, _break(graph))

    def needs_gradients(self) -> bool:
        """Whether the caller will ask for gradients."""
        tensors = [*self.inputs, *self.module.parameters()]
        return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)

    def runner(self, execute: Callable[[Sequence[Array]], Sequence[Array]]) -> Callable[..., list[Any]]:
        """The graph's own signature around something that computes its tensors, such as a program."""
        (last,) = self.graph.graph.find_nodes(op="output")
        results = list(last.args[0])
        kept = [not isinstance(result, fx.Node) for result in results]

        def run(*arguments: Any) -> list[Any]:
            found = iter(execute([to_numpy(arguments[place]) for place in self.given]))
            pairs = zip(results, kept, strict=True)
            return [
                result if plain else complex_if(_is_complex(result), from_numpy(next(found)))
                for result, plain in pairs
            ]

        return run


class _Bound(nn.Module):
    """The graph with some of its arguments held as weights."""

    def __init__(self, graph: fx.GraphModule, weights: dict[int, Tensor], given: tuple[int, ...]) -> None:
        super().__init__()
        self.graph = graph
        self._given = given
        self._names = {place: f"weight_{place}" for place in weights}
        for place, name in self._names.items():
            tensor = weights[place]
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(name, tensor)
            else:
                self.register_buffer(name, tensor, persistent=False)

    def forward(self, *inputs: Tensor) -> Any:
        arguments: dict[int, Tensor] = dict(zip(self._given, inputs, strict=True))
        arguments |= {place: getattr(self, name) for place, name in self._names.items()}
        return self.graph(*(arguments[place] for place in range(len(arguments))))


def _plain(value: object) -> Tensor:
    if not isinstance(value, Tensor):
        raise UserError(f"A program takes tensors, and torch.compile gives one {type(value).__name__}.")
    return value.detach()


def _is_complex(result: fx.Node) -> bool:
    value = result.meta.get("example_value")
    return isinstance(value, Tensor) and value.is_complex()


def _is_dynamic(value: object) -> bool:
    return isinstance(value, Tensor) and any(isinstance(size, torch.SymInt) for size in value.shape)


def _break(graph: fx.GraphModule) -> Break | None:
    """Why the graph ends where it ends; None at the end of the function."""
    reason = getattr(graph, "compile_subgraph_reason", None)
    if reason is None or not reason.graph_break:
        return None
    frames: list[traceback.FrameSummary] = list(reason.user_stack)
    place = place_in_stack("".join(traceback.format_list(frames)))
    if not place.file and frames:
        place = Location(shown_path(frames[-1].filename), frames[-1].lineno or 0)
    return Break(" ".join(str(reason.reason).split("\n")[0].split()), place)
