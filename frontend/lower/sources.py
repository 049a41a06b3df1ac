"""Where the program's tensors come from: the caller, the module's weights, constants met while tracing."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec, TensorArgument

from wsc.compiler.ops import Input, Parameter
from wsc.frontend.lower.value import Missing, Origin, Value, constant
from wsc.frontend.tensors import has_data, type_of


class Sources:
    """Makes the values of a program's placeholders; `tensors` are the module's parameters and buffers by key."""

    def __init__(self, program: ExportedProgram, tensors: Mapping[str, torch.Tensor]) -> None:
        nodes = (node for node in program.graph.nodes if node.op == "placeholder")
        self._specs = dict(zip(nodes, program.graph_signature.input_specs, strict=True))
        self._constants = program.constants
        self._tensors = tensors
        # Buffers that the program changes are inputs, after the caller's own, in the order in which they are met.
        self._changed = frozenset(program.graph_signature.buffers_to_mutate.values())
        self._given = sum(_is_given(spec) for spec in self._specs.values())
        self.state_buffers: list[str] = []
        self.index_of: dict[str, int] = {}  # by placeholder for the caller's inputs, by key for buffers
        # Tied weights have several keys; the first is the one to use.
        self._key_of = {id(tensor): key for key, tensor in reversed(list(tensors.items()))}
        self._inputs = 0

    def value(self, node: fx.Node) -> Value | Missing:
        """The value of a placeholder; raises ValueError for a type the graph does not have."""
        spec = self._specs[node]
        if not isinstance(spec.arg, TensorArgument):
            return Missing()  # export has put the argument's value wherever it is used
        if spec.kind != InputKind.USER_INPUT:
            key = spec.target or node.name
            return self._state(key, node) if key in self._changed else self._weight(spec, key)
        self.index_of[node.name] = self._inputs
        self._inputs += 1
        return Value(Input(self._inputs - 1), (), type_of(node.meta["val"]), Origin(node.name))

    def _state(self, key: str, node: fx.Node) -> Value:
        index = self.index_of[key] = self._given + len(self.state_buffers)
        self.state_buffers.append(key)
        return Value(Input(index), (), type_of(node.meta["val"]), Origin(key))

    def _weight(self, spec: InputSpec, key: str) -> Value:
        tensor = self._tensors.get(key)
        if tensor is None:
            tensor = self._constants[key]
            assert isinstance(tensor, torch.Tensor)
            if spec.kind == InputKind.CONSTANT_TENSOR and has_data(tensor):
                return constant(tensor.detach(), Origin(key))
        key = self._key_of.get(id(tensor), key)
        return Value(Parameter(key), (), type_of(tensor), Origin(key), weight=tensor)


def _is_given(spec: InputSpec) -> bool:
    """Whether the caller gives the placeholder's value, and that is a tensor."""
    return spec.kind == InputKind.USER_INPUT and isinstance(spec.arg, TensorArgument)
