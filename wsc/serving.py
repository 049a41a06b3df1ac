"""A model that answers prompts: a program for the prompt, one for each further token, and one that lays memory anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from wsc.api import Compilable, build_from
from wsc.backends.registry import Selection
from wsc.build import Build
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.model import Model
from wsc.compiler.ops.base import Array
from wsc.driver import Stage, carried_out, legal_model, silent, within


@dataclass(frozen=True)
class Served:
    """The builds of both phases and of what lies between, None where everything stays where it is.

    `prompt` is the number of tokens of the prompt, of which the prefill takes `tokens` at a time.
    """

    prefill: Build
    relayout: Build | None
    decode: Build
    prompt: int
    tokens: int

    @property
    def prefill_cycles(self) -> int:
        """Cycles until the first token of the answer is there: the parts of a prompt follow one behind the other."""
        trace = self.prefill.trace
        apart = trace.known_interval_cycles or trace.interval_cycles
        return trace.latency_cycles + (ceil(self.prompt / self.tokens) - 1) * apart

    @property
    def relayout_cycles(self) -> int:
        """Cycles between the last part of the prompt and the first token after it."""
        return self.relayout.trace.latency_cycles if self.relayout else 0

    @property
    def decode_cycles(self) -> int:
        """Cycles of a token."""
        return self.decode.trace.interval_cycles

    @property
    def builds(self) -> dict[str, Build]:
        """The builds that there are, by what they do, in the order in which they run."""
        found = {"prefill": self.prefill, "relayout": self.relayout, "decode": self.decode}
        return {name: build for name, build in found.items() if build is not None}


def serve(
    prefill: Compilable,
    decode: Compilable,
    selection: Selection,
    stage: Stage = silent,
    *,
    dtype: str = "",
    prompt: int = 0,
) -> Served:
    """Compile both phases on the same units and what lies between; `prompt` is 0 for what the prefill takes.

    Raises UserError, or DoesNotFit.
    """
    legal = []
    for captured in (prefill, decode):
        samples = [] if captured.example_inputs is None else [captured.example_inputs]
        options = {"dtype": dtype, "samples": samples, "passes": captured.passes}
        legal.append(legal_model(captured.model, selection, stage, **options))  # type: ignore[arg-type]
    stage("sizing and placing both phases")
    plans = selection.target.serve(legal[0], legal[1], selection.machine)
    builds = [
        build_from(captured, carried_out(captured.model, model, plan, selection, stage), stage)
        for captured, model, plan in zip((prefill, decode), legal, (plans.prefill, plans.decode), strict=True)
    ]
    between = None
    if plans.graph is not None:
        stage("simulating what lies between")
        between = _between(plans.graph, plans.between, legal[1], decode.example_inputs, selection, stage)
    tokens = _tokens(builds[0].graph)
    return Served(builds[0], between, builds[1], prompt or tokens, tokens)


def _tokens(graph: Graph) -> int:
    given = [n.type for n in graph.inputs if n.type.dtype.is_integer and n.type.rank == 2]
    return given[0].shape[1] if given else 1


def _between(
    graph: Graph,
    program: object,
    model: Model,
    examples: Sequence[Array] | None,
    selection: Selection,
    stage: Stage,
) -> Build:
    """The build of a program whose outputs are its inputs and weights."""
    target, machine = selection.target, selection.machine
    trace = target.simulate(program, machine, within("simulating", stage))
    keys = sorted(target.weight_keys(program) & set(model.weights))
    by_name = dict(zip([n.name for n in model.graph.inputs], examples or (), strict=False))
    inputs = tuple(by_name[n.name] for n in graph.inputs) if by_name else None
    facts = (("moves", f"{len(graph.nodes)} tensors, from the prompt's layout to the tokens'"),)
    return Build(
        graph.name, selection, graph, program, trace, facts, {k: model.weights[k] for k in keys}, inputs
    )
