"""From an exported program to a model: walks the calls, folds what is constant, lowers the rest."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import OutputKind, OutputSpec, TensorArgument
from torch.utils import _pytree as pytree

from wsc.compiler.errors import InternalError, ModelError
from wsc.compiler.ir.graph import State
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType, TensorType
from wsc.compiler.ops import Input
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.complex import COMPLEX, find_of_complex
from wsc.frontend.lower.custom import find_custom
from wsc.frontend.lower.finish import finish
from wsc.frontend.lower.fold import fold, is_foldable
from wsc.frontend.lower.problems import Problem, unsupported_model
from wsc.frontend.lower.registry import Unsupported, find_lowering
from wsc.frontend.lower.sources import Sources
from wsc.frontend.lower.value import Lowered, Missing, Origin, Value, constant
from wsc.frontend.places import place_in_stack
from wsc.frontend.tensors import type_of

# What ATen adds to the plain word for an operation.
_FORMS = re.compile(r"^_*(native_|unsafe_)?|(_legit)?(_no_training)?$")
_NOTHING = TensorType(DType.BOOL, (0,))  # stands for a result that was not asked for
# Calls that check something at run time and compute nothing.
_SILENT = frozenset(
    {
        "aten._assert_tensor_metadata.default",
        "aten._assert_async.msg",
        "aten._assert_scalar.default",
        "aten.sym_constrain_range_for_size.default",
    }
)


def lower(
    program: ExportedProgram, name: str, tensors: Mapping[str, torch.Tensor]
) -> tuple[Model, tuple[str, ...]]:
    """The program as a graph called `name`, and the keys of the buffers that are inputs after the caller's own.

    `tensors` holds the module's parameters and buffers by key. Buffers and arguments that the program changes in place
    are state: inputs whose next value is an output, after what the module returns. Raises UnsupportedModel with every
    call that cannot be lowered, ModelError where there is no tensor to return.
    """
    walk = _Walk(Sources(program, tensors), _needed(program.graph))
    for node in program.graph.nodes:
        if node.op != "output":
            walk.values[node] = walk.visit(node)
    (last,) = program.graph.find_nodes(op="output")
    returned, changed = walk.outputs(last.args[0], program.graph_signature.output_specs)
    if walk.problems:
        raise unsupported_model(name, walk.problems)
    if not returned and not changed:
        raise ModelError(f"'{name}' returns no tensor: there is nothing to compile.")
    index_of = walk.sources.index_of
    keys = sorted(changed, key=index_of.__getitem__)
    model = finish(name, walk.titles, [*returned, *(changed[key] for key in keys)])
    state = tuple(State(index_of[key], number) for number, key in enumerate(keys, start=len(returned)))
    return replace(model, graph=replace(model.graph, state=state)), tuple(walk.sources.state_buffers)


@dataclass
class _Walk:
    """One walk over a program: what each of its nodes became, and what went wrong."""

    sources: Sources
    needed: frozenset[fx.Node]
    values: dict[fx.Node, Lowered] = field(default_factory=dict)
    titles: dict[Value, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def visit(self, node: fx.Node) -> Lowered:
        """What a node becomes; whatever fails is noted, and something of its type stands in for it."""
        origin = _origin(node)
        try:
            lowered = self._source(node) if node.op == "placeholder" else self._call(node, origin)
        except (Unsupported, ValueError) as error:
            self.problems.append(Problem(str(node.target), str(error), origin.location))
            return _stand_in(node, origin)
        self._name(lowered, origin)
        return lowered

    def outputs(self, nodes: Any, specs: list[OutputSpec]) -> tuple[list[Value], dict[str, Value]]:
        """The tensors that the program returns, and what it changes in place, by placeholder or key of a buffer."""
        returned: list[Value] = []
        changed: dict[str, Value] = {}
        for node, spec in zip(nodes, specs, strict=True):
            if not isinstance(spec.arg, TensorArgument):
                continue
            value = self.values[node]
            if isinstance(value, Missing) and value.reason:
                self.problems.append(Problem(str(node.target), value.reason, _origin(node).location))
            if not isinstance(value, Value):
                continue
            if spec.kind == OutputKind.USER_OUTPUT:
                returned.append(value)
            elif spec.target in self.sources.index_of:
                changed[spec.target] = value
            else:
                reason = "a program changes its arguments and registered buffers only"
                self.problems.append(
                    Problem(f"a change of '{spec.target}' in place", reason, _origin(node).location)
                )
        return returned, changed

    def _source(self, node: fx.Node) -> Lowered:
        value = self.sources.value(node)
        if isinstance(value, Value):
            self.titles[value] = value.origin.title
        return value

    def _call(self, node: fx.Node, origin: Origin) -> Lowered:
        if node not in self.needed:
            return Missing()
        substitute: Any = self.values.__getitem__
        args, kwargs = fx.map_arg(cast(Any, (node.args, node.kwargs)), substitute)
        if node.target is operator.getitem:
            return args[0] if isinstance(args[0], Missing) else args[0][args[1]]
        if missing := [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, Missing)]:
            if missing[0].reason:
                raise Unsupported(missing[0].reason)
            return Missing()
        if is_foldable(node, (args, kwargs)):
            return _constants(fold(node, self.values), origin)
        return _lowered(node, origin, args, kwargs)

    def _name(self, lowered: Lowered, origin: Origin) -> None:
        """Names what this very call made; several results are numbered."""
        parts = [
            part
            for part in (lowered if isinstance(lowered, tuple) else (lowered,))
            if isinstance(part, Value)
        ]
        for number, part in enumerate(parts):
            if part.origin is origin:
                self.titles.setdefault(part, f"{origin.title}.{number}" if len(parts) > 1 else origin.title)


def _needed(graph: fx.Graph) -> frozenset[fx.Node]:
    """Calls that lead to an output; what is only checked at run time is not computed."""
    needed: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        if str(node.target) not in _SILENT and (node.op == "output" or not needed.isdisjoint(node.users)):
            needed.add(node)
    return frozenset(needed)


def _lowered(node: fx.Node, origin: Origin, args: Any, kwargs: Any) -> Lowered:
    results = _result_types(node)
    function = find_lowering(str(node.target)) or find_custom(node.target)
    if function is None:
        raise Unsupported("")
    samples = fx.map_arg(node.args, lambda argument: argument.meta["val"])
    call = Call(origin, results, samples)
    if str(node.target) not in COMPLEX and _has_complex(node, samples):
        function = find_of_complex(str(node.target))
        if function is None:
            raise Unsupported("complex numbers; write it with their real and imaginary parts")
    lowered = function(call, *args, **kwargs)
    parts = lowered if isinstance(lowered, tuple) else (lowered,)
    for part, expected in zip(parts, call.results, strict=True):
        if isinstance(part, Value) and part.type != expected:
            raise InternalError(
                f"{node.target} at {origin.location} gives {expected}, its lowering {part.type}"
            )
    return lowered


def _has_complex(node: fx.Node, samples: Any) -> bool:
    leaves = pytree.tree_leaves((samples, node.meta["val"]))
    return any(isinstance(leaf, torch.Tensor) and leaf.is_complex() for leaf in leaves)


def _constants(result: Any, origin: Origin) -> Lowered:
    if isinstance(result, torch.Tensor):
        return constant(result, origin)
    return tuple(constant(tensor, origin) for tensor in result)


def _stand_in(node: fx.Node, origin: Origin) -> Lowered:
    """Something of the right type, so that the walk can go on and find every problem."""
    try:
        parts = tuple(Value(Input(-1), (), type_, origin) for type_ in _result_types(node))
    except ValueError:
        return Missing()
    return parts[0] if isinstance(node.meta["val"], torch.Tensor) else parts


def _result_types(node: fx.Node) -> tuple[TensorType, ...]:
    """Types of the call's results; raises ValueError for one the graph does not have."""
    sample = node.meta.get("val")
    samples = (sample,) if isinstance(sample, torch.Tensor) else sample
    if not isinstance(samples, list | tuple) or not all(isinstance(s, torch.Tensor | None) for s in samples):
        raise ValueError("its result is not a tensor; keep values in tensors")
    return tuple(_NOTHING if tensor is None else type_of(tensor) for tensor in samples)


def _origin(node: fx.Node) -> Origin:
    """Place and name of a node: the path of its module, then the word for what it does."""
    stack = node.meta.get("nn_module_stack") or {}
    path = [path for path, _ in stack.values()][-1] if stack else ""
    word = call_word(node.target) or _FORMS.sub("", node.name)
    title = ".".join(part for part in (node.meta.get("pass"), path, word) if part)
    return Origin(title, place_in_stack(node.meta.get("stack_trace"), path))


def call_word(target: object) -> str:
    """The plain word for an operation of torch's, which nodes are named by; empty for another function."""
    if not isinstance(target, torch._ops.OpOverload):
        return ""
    return _FORMS.sub("", target._schema.name.split("::")[1])
