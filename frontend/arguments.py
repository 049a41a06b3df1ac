"""How a module is called: arguments nested as it likes, taken apart into tensors and everything else."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from wsc.frontend.tensors import complex_if

ExampleInputs = tuple[object, ...] | Mapping[str, object]


@dataclass(frozen=True)
class Arguments:
    """The leaves of a call's arguments in order, and the nesting to put them back into."""

    leaves: tuple[object, ...]
    nesting: pytree.TreeSpec

    @staticmethod
    def of(module: nn.Module, example_inputs: ExampleInputs) -> Arguments:
        """From positional or keyword arguments; keywords are put in the order of the module's signature."""
        args: tuple[object, ...] = ()
        kwargs: dict[str, object] = {}
        if isinstance(example_inputs, Mapping):
            order = [*inspect.signature(module.forward).parameters]
            known = [key for key in order if key in example_inputs]
            kwargs = {key: example_inputs[key] for key in dict.fromkeys([*known, *example_inputs])}
        else:
            args = example_inputs
        leaves, nesting = pytree.tree_flatten((args, kwargs))
        return Arguments(tuple(leaves), nesting)

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The leaves that are tensors: the inputs of the program, in order."""
        return tuple(leaf for leaf in self.leaves if isinstance(leaf, torch.Tensor))

    def __str__(self) -> str:
        """The types of the tensors, e.g. `(float32[4,8], int64[4])`."""
        types = (
            f"{str(t.dtype).removeprefix('torch.')}[{','.join(map(str, t.shape))}]" for t in self.tensors
        )
        return f"({', '.join(types)})"

    def on_meta(self) -> Arguments:
        """The same arguments without data."""
        moved = (leaf.to("meta") if isinstance(leaf, torch.Tensor) else leaf for leaf in self.leaves)
        return Arguments(tuple(moved), self.nesting)

    def filled(self, tensors: Sequence[torch.Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments with other tensors in place of the example ones.

        In place of a complex tensor serve the pairs that the graph has for it.
        """
        given = iter(tensors)
        leaves = [
            complex_if(leaf.is_complex(), next(given)) if isinstance(leaf, torch.Tensor) else leaf
            for leaf in self.leaves
        ]
        args, kwargs = pytree.tree_unflatten(leaves, self.nesting)
        return tuple(args), dict(kwargs)


def tensors_in(result: object) -> list[torch.Tensor]:
    """The tensors of a nested result, in order."""
    return [leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]
