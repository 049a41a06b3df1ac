"""A graph together with the bytes of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wsc.compiler.ir.graph import Graph
from wsc.compiler.ops.base import Array


@dataclass(frozen=True)
class Model:
    """A graph and its weights by key; parameters captured on the meta device have no entry in `weights`."""

    graph: Graph
    weights: Mapping[str, Array]

    def missing_weights(self) -> tuple[str, ...]:
        """Keys of the graph's weights that have no bytes, sorted."""
        keys = {node.op.key for node in self.graph.weights}  # type: ignore[attr-defined]
        return tuple(sorted(keys - set(self.weights)))
