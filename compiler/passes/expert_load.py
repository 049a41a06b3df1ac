"""How rows are expected to be shared out among the experts of a mixture: uniformly, or as a user has measured.

It decides no number that a model computes. It decides what the products with experts are expected to read and to wait
for: with a skewed load fewer matrices are read, and some get more rows than others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from wsc.compiler.errors import UserError
from wsc.compiler.ir.graph import Node
from wsc.compiler.ir.model import Model
from wsc.compiler.ops import Grouped
from wsc.compiler.passes.rewrite import rewrite, with_weights


@dataclass(frozen=True)
class ExpertLoad:
    """Shares by shell patterns of the modules whose experts they are of; the last match decides, none is uniform.

    A share is how much of the rows an expert is expected to get, in any unit: counts of tokens will do.
    """

    shares: tuple[tuple[str, tuple[float, ...]], ...] = ()

    def of_module(self, path: str) -> tuple[str, tuple[float, ...]] | None:
        """The pattern and the shares for the experts of a module."""
        return next((pair for pair in reversed(self.shares) if fnmatchcase(path, pair[0])), None)


def with_expert_load(model: Model, load: ExpertLoad) -> Model:
    """The model with the load on its products with experts.

    Raises UserError for a pattern that no module with experts matches, or shares that are not as many as its experts.
    """
    used: set[str] = set()

    def rule(node: Node, built: Mapping[str, Node]) -> list[Node]:
        if not isinstance(node.op, Grouped) or (found := load.of_module(node.location.module)) is None:
            return [node]
        pattern, shares = found
        used.add(pattern)
        experts = built[node.inputs[1]].type.shape[node.op.batch]
        if shares and len(shares) != experts:
            raise UserError(
                f"The load of '{pattern}' has {len(shares)} shares, and '{node.location.module}' has {experts} experts."
            )
        return [replace(node, op=replace(node.op, load=shares))]

    graph = rewrite(model.graph, rule)
    for pattern, _ in load.shares:
        if not any(fnmatchcase(path, pattern) for path in _modules(model)):
            raise UserError(f"The load names '{pattern}', and {_known(model)}.")
    return with_weights(graph, model.weights) if used else model


def _modules(model: Model) -> list[str]:
    """Paths of the modules with experts, in order."""
    return list(dict.fromkeys(n.location.module for n in model.graph.nodes if isinstance(n.op, Grouped)))


def _known(model: Model) -> str:
    modules = _modules(model)
    if not modules:
        return f"'{model.graph.name}' has no experts"
    return f"no module with experts is called so: there is {', '.join(modules[:3])}{', ...' if modules[3:] else ''}"
