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
        # Tied weights have several keys; the first is the one to use.
        self._key_of = {id(tensor): key for key, tensor in reversed(list(tensors.items()))}
        self._inputs = 0

    def value(self, node: fx.Node) -> Value | Missing:
        """The value of a placeholder; raises ValueError for a type the graph does not have."""
        spec = self._specs[node]
        if not isinstance(spec.arg, TensorArgument):
            return Missing()  # export has put the argument's value wherever it is used
        if spec.kind != InputKind.USER_INPUT:
            return self._weight(spec, spec.target or node.name)
        self._inputs += 1
        return Value(Input(self._inputs - 1), (), type_of(node.meta["val"]), Origin(node.name))

    def _weight(self, spec: InputSpec, key: str) -> Value:
        tensor = self._tensors.get(key)
        if tensor is None:
            tensor = self._constants[key]
            assert isinstance(tensor, torch.Tensor)
            if spec.kind == InputKind.CONSTANT_TENSOR and has_data(tensor):
                return constant(tensor.detach(), Origin(key))
        key = self._key_of.get(id(tensor), key)
        return Value(Parameter(key), (), type_of(tensor), Origin(key), weight=tensor)
