"""The multiplications that torch's own counter finds in a captured model, to compare the graph's with."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import fx
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree as pytree
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from wsc.frontend.export import export_program
from wsc.frontend.lower.program import call_word

if TYPE_CHECKING:
    from wsc.compiler.ir.graph import Graph
    from wsc.frontend.capture import Captured

_NUMBER = re.compile(r"_\d+$")  # that sets nodes of one name apart


def counted_macs(captured: Captured) -> int:
    """Multiply-accumulates that FlopCounterMode counts in one eager call on the example inputs.

    Attention is run as products, and experts as products of each row with its matrix: the counter knows no others.
    """
    module = captured.module
    if config := getattr(module, "config", None):
        config._experts_implementation = "batched_mm"
    module.requires_grad_(
        False
    )  # the counter follows gradients where a weight is handed on, and there are none
    args, kwargs = captured.arguments.filled(captured.arguments.tensors)
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        module(*args, **kwargs)
    return int(counter.get_total_flops()) // 2


@dataclass(frozen=True)
class Needed:
    """Multiply-accumulates of the calls that results need: of those that the counter counts, the graph's and the
    counter's, and by name of the others the graph's."""

    macs: int
    counted: int
    others: dict[str, int]


def needed_macs(captured: Captured) -> Needed:
    """As `counted_macs`, over the exported program's calls that some result needs, attention as torch's formula says.

    What the counter has no formula for (a Fourier transform, a change of resolution, products by group of rows) is left
    out of both sums.
    """
    program = export_program(captured.module, captured.arguments, captured.model.graph.name).module()
    program.graph.eliminate_dead_code()
    program.recompile()
    args, kwargs = captured.arguments.filled(captured.arguments.tensors)
    counting = _Counting(program)
    with torch.no_grad():
        counting.run(*pytree.tree_leaves((args, kwargs)))
    ours = _macs_by_call(captured.model.graph, frozenset(counting.found))
    others = {call: macs for call, macs in ours.items() if macs and counting.found.get(call) == 0}
    return Needed(sum(ours.values()) - sum(others.values()), sum(counting.found.values()), others)


class _Counting(fx.Interpreter):
    """Runs a program and counts each call by its name."""

    def __init__(self, program: fx.GraphModule) -> None:
        super().__init__(program)
        self.found: Counter[str] = Counter()

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        with FlopCounterMode(display=False) as counter:
            result = super().call_function(target, args, kwargs)
        count = counter.get_total_flops()
        if target is torch.ops.aten.scaled_dot_product_attention.default:
            count = sdpa_flop_count(*((1,) * (4 - t.dim()) + tuple(t.shape) for t in args[:3]))
        self.found[call_word(target)] += count // 2
        return result


def _macs_by_call(graph: Graph, calls: frozenset[str]) -> Counter[str]:
    """The graph's by name of the call that a node comes from; "" where that is not known."""
    found: Counter[str] = Counter()
    for node in graph.nodes:
        if not node.is_source:
            words = [_NUMBER.sub("", part) for part in reversed(node.name.split("."))]
            call = next((word for word in words if word in calls), "")
            found[call] += node.op.work(graph.operand_types(node), node.type).macs
    return found
