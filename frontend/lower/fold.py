"""Computes, while compiling, what depends on no input and no weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import fx
from torch.utils import _pytree as pytree

from wsc.frontend.lower.value import Lowered, Value

# Larger constants would bloat the build folder; their calls stay in the graph.
LARGEST_BYTES = 64 * 2**20


def is_foldable(node: fx.Node, arguments: object) -> bool:
    """Whether every tensor the call reads is known, and what it makes is deterministic and not too large."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload) or torch.Tag.nondeterministic_seeded in target.tags:
        return False
    if target._schema.name.startswith("aten::empty"):  # would hold whatever lay in memory
        return False
    known = all(leaf.known is not None for leaf in pytree.tree_leaves(arguments) if isinstance(leaf, Value))
    return known and sum(t.numel() * t.itemsize for t in _tensors(node.meta.get("val"))) <= LARGEST_BYTES


def fold(node: fx.Node, values: Mapping[fx.Node, Lowered]) -> Any:
    """The call's results, computed by torch in host memory."""
    known: Any = lambda argument: _known(argument, values[argument])  # noqa: E731
    args, kwargs = fx.map_arg(cast(Any, (node.args, node.kwargs)), known)
    if "device" in kwargs:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    assert callable(node.target)
    with torch.device("cpu"):
        return node.target(*args, **kwargs)


def _known(node: fx.Node, value: Lowered) -> torch.Tensor:
    """What a node is known to be, with complex numbers where the graph has pairs."""
    assert isinstance(value, Value)
    assert value.known is not None
    return torch.view_as_complex(value.known.contiguous()) if node.meta["val"].is_complex() else value.known


def _tensors(samples: object) -> Iterator[torch.Tensor]:
    return (leaf for leaf in pytree.tree_leaves(samples) if isinstance(leaf, torch.Tensor))
