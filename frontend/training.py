"""Forward and backward in one graph: the joint graph of torch's ahead-of-time autograd, lowered.

The graph takes what the module takes and gives the loss and the gradient of every trainable parameter. Names of nodes
of the backward pass begin with `backward.`; both halves of a layer carry the path of its module.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch._decomp import decomposition_table
from torch._functorch.aot_autograd import aot_export_joint_with_descriptors
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export.graph_signature import (
    ConstantArgument,
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree as pytree

from wsc.compiler.errors import ModelError
from wsc.compiler.ir.model import Model
from wsc.compiler.ops.base import Array
from wsc.frontend.arguments import Arguments, ExampleInputs
from wsc.frontend.capture import module_tensors
from wsc.frontend.export import decompositions, quiet
from wsc.frontend.losses import WithLoss as WithLoss
from wsc.frontend.losses import likelihood, likelihood_backward
from wsc.frontend.lower import lower
from wsc.frontend.places import said_by
from wsc.frontend.tensors import from_numpy, has_data, to_numpy

# Kept whole in inference, where their backward asks for what only the parts give.
_TAKEN_APART = (
    "aten.native_layer_norm.default",
    "aten.native_group_norm.default",
    "aten._native_batch_norm_legit_no_training.default",
)


@dataclass(frozen=True)
class Trained:
    """A joint graph: output 0 is the loss, output i + 1 the gradient of parameter `parameters[i]`."""

    model: Model
    parameters: tuple[str, ...]
    example_inputs: tuple[Array, ...] | None  # None on the meta device
    module: nn.Module = field(repr=False)
    arguments: Arguments = field(repr=False)

    def reference(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """The loss and the gradients that autograd computes."""
        args, kwargs = self.arguments.filled([from_numpy(array) for array in inputs])
        named = dict(self.module.named_parameters(remove_duplicate=False))
        loss = self.module(*args, **kwargs)
        found = torch.autograd.grad(loss, [named[key] for key in self.parameters])
        return tuple(to_numpy(tensor) for tensor in (loss, *found))


def capture_training(module: nn.Module, example_inputs: ExampleInputs, name: str) -> Trained:
    """Capture a module that returns its loss, one number, with the gradients of its parameters.

    Dropout is off, as in inference. On the meta device nothing is computed. Raises ModelError where torch cannot trace
    the module or what it returns is no loss, UnsupportedModel where the graph has no word for what it does.
    """
    module.eval()
    arguments = Arguments.of(module, example_inputs)
    tensors = module_tensors(module)
    try:
        graph = _joint(module, arguments)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{said_by(error)} So '{name}' cannot be captured with its gradients.") from error
    program, keys = _program(graph)
    model, _ = lower(cast(Any, program), name, tensors)
    trained = _as_in_graph(keys, model, tensors)
    given = arguments.tensors
    arrays = tuple(map(to_numpy, given)) if all(map(has_data, given)) else None
    return Trained(model, trained, arrays, module, arguments)


def _as_in_graph(keys: tuple[str, ...], model: Model, tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The keys under which the graph has the parameters, of the several that tied ones have."""
    own = {id(tensors[key]): key for n in model.graph.weights if (key := n.op.key) in tensors}  # type: ignore[attr-defined]
    return tuple(own.get(id(tensors[key]), key) for key in keys)


def _joint(module: nn.Module, arguments: Arguments) -> fx.GraphModule:
    """Forward and backward as one graph of ATen operations."""
    on_meta = any(tensor.is_meta for tensor in module.parameters())
    mode = FakeTensorMode(allow_non_fake_inputs=True) if on_meta else nullcontext()
    with ExitStack() as stack, quiet(), mode, sdpa_kernel(SDPBackend.MATH), torch.enable_grad():
        if on_meta:  # on the meta device itself there would be no backward
            module = _without_meta(module)
            arguments = Arguments(tuple(map(_empty, arguments.leaves)), arguments.nesting)
        args, kwargs = arguments.filled(arguments.tensors)
        exported = torch.export.export(module, args, kwargs, strict=False)
        _check_loss(exported)
        traced = exported.module()
        joint = aot_export_joint_with_descriptors(
            stack, traced, args, kwargs, decompositions=_decompositions()
        )
        found: fx.GraphModule = joint.graph_module
    return found


def _without_meta(module: nn.Module) -> nn.Module:
    """A copy on the CPU, under a mode in which that takes no memory; ties stay."""
    made: dict[int, Any] = {}
    for tensor in (*module.parameters(), *module.buffers()):
        empty = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
        made[id(tensor)] = nn.Parameter(empty) if isinstance(tensor, nn.Parameter) else empty
    return copy.deepcopy(module, made)


def _empty(leaf: object) -> object:
    return torch.empty(leaf.shape, dtype=leaf.dtype, device="cpu") if isinstance(leaf, Tensor) else leaf


def _check_loss(exported: torch.export.ExportedProgram) -> None:
    (last,) = exported.graph.find_nodes(op="output")
    specs = [spec for spec in exported.graph_signature.output_specs if spec.kind == OutputKind.USER_OUTPUT]
    values = [node.meta["val"] for node in pytree.tree_leaves(last.args) if isinstance(node, fx.Node)]
    if len(specs) != 1 or len(values) != 1 or values[0].numel() != 1 or not values[0].is_floating_point():
        shown = ", ".join(f"{str(v.dtype).removeprefix('torch.')}{list(v.shape)}" for v in values)
        raise ModelError(
            f"For training a module returns its loss, one number; this one returns {shown}. Or its file defines "
            "loss(result, *targets), and targets() that returns a tuple."
        )


def _decompositions() -> dict[Any, Any]:
    table: dict[Any, Any] = dict(decompositions())
    table |= {op: rule for op, rule in decomposition_table.items() if str(op) in _TAKEN_APART}
    aten = torch.ops.aten
    return table | {
        aten.nll_loss_forward.default: likelihood,
        aten.nll_loss_backward.default: likelihood_backward,
    }


def _program(module: fx.GraphModule) -> tuple[Any, tuple[str, ...]]:
    """The joint graph as a program to lower, with a gradient of one for the loss, and the trained parameters."""
    graph = module.graph
    inputs: list[InputSpec] = []
    for node in graph.find_nodes(op="placeholder"):
        kind, key = _source(node)
        if kind is None:
            _seed(graph, node)
        else:
            known = "val" not in node.meta  # a number or a word, which the trace has put wherever it is used
            argument = ConstantArgument(node.name, None) if known else TensorArgument(node.name)
            inputs.append(InputSpec(kind, argument, key, persistent=True))
    _tag(graph)
    (last,) = graph.find_nodes(op="output")
    outputs, trained = [], []
    for node, said in zip(pytree.tree_leaves(last.args[0]), last.meta["desc"], strict=True):
        of = getattr(said, "grad_of", None)
        if node is None or (of is not None and not hasattr(of, "target")):
            outputs.append(OutputSpec(OutputKind.USER_OUTPUT, ConstantArgument("", None), None))
            continue
        if of is not None:
            trained.append(of.target)
        outputs.append(OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(node.name), None))
    last.args = (list(pytree.tree_leaves(last.args[0])),)
    return SimpleNamespace(
        graph=graph, graph_signature=ExportGraphSignature(inputs, outputs), constants=_constants(module)
    ), tuple(trained)


def _source(node: fx.Node) -> tuple[InputKind | None, str | None]:
    """Where a placeholder's value comes from; no kind for the gradient of the loss."""
    said = node.meta["desc"]
    kind = type(said).__name__
    if kind == "PlainAOTInput":
        return InputKind.USER_INPUT, None
    if kind == "TangentAOTInput":
        return None, None
    return (InputKind.PARAMETER if "Param" in kind else InputKind.BUFFER), said.target


def _seed(graph: fx.Graph, node: fx.Node) -> None:
    """The gradient of the loss by itself is one."""
    sample = node.meta["val"]
    with graph.inserting_after(node):
        one = graph.call_function(
            torch.ops.aten.full.default, (list(sample.shape), 1), {"dtype": sample.dtype}
        )
    one.meta["val"] = sample
    node.replace_all_uses_with(one)
    graph.erase_node(node)


def _tag(graph: fx.Graph) -> None:
    """Backward calls are named so; their modules are those of the forward calls that they belong to."""
    for node in graph.nodes:
        if node.meta.get("partitioner_tag") == "is_backward":
            node.meta["nn_module_stack"] = node.meta.get("fwd_nn_module_stack")
            node.meta["pass"] = "backward"


def _constants(module: fx.GraphModule) -> dict[str, Tensor]:
    return {name: value for name, value in vars(module).items() if isinstance(value, Tensor)}
