"""From a PyTorch module and example inputs to a model, and to torch's own answer to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.func import functional_call

from wsc.compiler.errors import ModelError, UnsupportedModel
from wsc.compiler.ir.interpret import check_inputs
from wsc.compiler.ir.model import Model
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.pipeline import DEFAULT, Step
from wsc.compiler.passes.precision import Precision, with_precision
from wsc.frontend.arguments import Arguments, ExampleInputs, tensors_in
from wsc.frontend.export import export_program, run_once
from wsc.frontend.lower import lower
from wsc.frontend.tensors import from_numpy, has_data, to_numpy


@dataclass(frozen=True)
class Captured:
    """A model with what it was captured from."""

    model: Model
    example_inputs: tuple[Array, ...] | None  # None on the meta device
    input_names: tuple[str, ...]
    module: nn.Module = field(repr=False)
    arguments: Arguments = field(repr=False)
    state_buffers: tuple[str, ...] = ()  # buffers that are inputs, after the module's own arguments
    rounded: bool = False  # the model computes in another precision than the module

    @property
    def passes(self) -> tuple[Step, ...]:
        """The passes that are for it."""
        return DEFAULT

    def in_precision(self, precision: Precision) -> Captured:
        """The same in another precision; the module stays as it is, so that `reference` no longer serves."""
        model = with_precision(self.model, precision)
        if model == self.model:
            return self
        examples = self.example_inputs
        if examples is not None:
            types = [node.type.dtype.numpy for node in model.graph.inputs]
            examples = tuple(array.astype(t, copy=False) for array, t in zip(examples, types, strict=True))
        return replace(self, model=model, example_inputs=examples, rounded=True)

    def reference(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """What PyTorch computes for these inputs; raises InputMismatch, or ModelError for weights without data."""
        check_inputs(self.model.graph, inputs)
        if not all(map(has_data, module_tensors(self.module).values())):
            raise ModelError(f"'{self.model.graph.name}' has weights on the meta device: it cannot be run")
        tensors = [from_numpy(array) for array in inputs]
        given = len(self.arguments.tensors)
        args, kwargs = self.arguments.filled(tensors[:given])
        buffers = dict(zip(self.state_buffers, tensors[given:], strict=True))
        with torch.no_grad():
            returned = tensors_in(functional_call(self.module, buffers, args, kwargs))
        # What is changed in place stands in the tensors that were given.
        returned += [tensors[state.input] for state in self.model.graph.state]
        return tuple(map(to_numpy, returned))


def capture(module: nn.Module, example_inputs: ExampleInputs, name: str) -> Captured:
    """Export a module in inference mode and lower it to a graph called `name`; weights share the module's memory.

    `example_inputs` are positional arguments (tuple) or keyword arguments (dict), nested as the module likes. On the
    meta device nothing is computed and the model has no weights. Raises ModelError where torch cannot run or export
    the module, UnsupportedModel where the graph has no word for what it does.
    """
    with suppress(NotImplementedError):  # what was exported before has one mode only
        module.eval()
    tensors = module_tensors(module)
    arguments = Arguments.of(module, example_inputs)
    if tensors and all(tensor.is_meta for tensor in tensors.values()):
        arguments = arguments.on_meta()
    program = export_program(module, arguments, name)
    try:
        tensors, model, state_buffers = _lowered(program, name, tensors)
    except UnsupportedModel:
        if not _changed_by_running(module, arguments, name):
            raise
        # It has put its weights in order, as modules do in their first call, and will not again.
        tensors, model, state_buffers = _lowered(export_program(module, arguments, name), name, tensors)
    names = tuple(node.name for node in model.graph.inputs)
    examples = (*arguments.tensors, *(tensors[key] for key in state_buffers))
    arrays = tuple(map(to_numpy, examples)) if all(map(has_data, examples)) else None
    return Captured(model, arrays, names, module, arguments, state_buffers)


def _lowered(
    program: ExportedProgram, name: str, tensors: Mapping[str, torch.Tensor]
) -> tuple[Mapping[str, torch.Tensor], Model, tuple[str, ...]]:
    """The tensors of the program, its model, and the buffers that are inputs."""
    # Export takes tensors of several parts, such as quantised weights, apart: the parts are known to it alone.
    known = {**program.state_dict, **tensors}
    return known, *lower(program, name, known)


def _changed_by_running(module: nn.Module, arguments: Arguments, name: str) -> bool:
    """Whether a call of the module changes its weights in place; raises ModelError where it does not run."""
    before = {key: weight._version for key, weight in module.named_parameters()}
    run_once(module, arguments, name)
    return any(weight._version != before[key] for key, weight in module.named_parameters())


def module_tensors(module: nn.Module) -> Mapping[str, torch.Tensor]:
    """Parameters and buffers by qualified name; tied ones occur under each of their names."""
    parameters = module.named_parameters(remove_duplicate=False)
    return dict(chain(parameters, module.named_buffers(remove_duplicate=False)))
