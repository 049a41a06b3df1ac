"""Layers that are provably the same are captured once.

While a module is exported, each of several equal layers in a list runs through `Repeats`: the first runs as it is,
between two operations that mark where it begins and ends; the later ones become a single operation each. `expanded`
then puts a copy of the first one's calls, with their own weights, in the place of every later one. The layers' parent
runs for all of them, so whatever it does between them is captured as it is.

Equal means: same classes, attributes and shapes (`sameness`), and called with the same nesting, types and constants. A
layer that changes an argument in place, or computes with its own number, raises `NotRepeated`: capture all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from wsc.frontend.sameness import Attribute, NumberUsed, Watched, numbers_apart

FEWEST = 3  # equal layers, for it to be worth while
_CONSTANTS = (int, float, str, bool, type(None), torch.dtype, torch.device)
Meta = tuple[torch.Size, tuple[int, ...], torch.dtype, torch.device]


class NotRepeated(Exception):
    """The layers are not provably the same."""


@dataclass
class Block:
    """A layer that was captured: where it stands in the module, and what it returns."""

    path: str
    nesting: Any = None
    metas: tuple[Meta, ...] = ()
    leaves: tuple[object, ...] = ()  # what it returns, with None in place of tensors


@dataclass
class Repeats:
    """The equal layers of one module, and what has been captured of them."""

    groups: dict[str, str]  # path of a layer: path of the first one that it equals
    numbers: dict[str, frozenset[Attribute]]  # by path of a first layer: numbers that its equals differ in
    modules: dict[str, nn.Module]
    blocks: list[Block] = field(default_factory=list)
    known: dict[object, int] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)  # of the layers that repeat a block

    @staticmethod
    def of(module: nn.Module) -> Repeats:
        """The outermost equal layers in the lists of a module."""
        found = Repeats({}, {}, {})
        for path, part in module.named_modules():
            inside = any(path == done or path.startswith(f"{done}.") for done in found.groups)
            if isinstance(part, nn.ModuleList | nn.Sequential) and not inside:
                found._group(path, part)
        return found

    def _group(self, path: str, layers: nn.Module) -> None:
        alike: list[tuple[nn.Module, list[str], set[Attribute]]] = []
        for name, layer in layers.named_children():
            for first, names, numbers in alike:
                apart = numbers_apart(first, layer)
                if apart is not None:
                    names.append(name)
                    numbers |= apart
                    break
            else:
                alike.append((layer, [name], set()))
        for first, names, numbers in alike:
            if len(names) >= FEWEST and next(first.parameters(), None) is not None:
                paths = [f"{path}.{name}" if path else name for name in names]
                self.groups |= dict.fromkeys(paths, paths[0])
                self.numbers[paths[0]] = frozenset(numbers)
                children = dict(layers.named_children())
                self.modules |= {p: children[n] for p, n in zip(paths, names, strict=True)}

    @contextmanager
    def captured_once(self) -> Iterator[None]:
        """While a module is exported."""
        global _active
        before, _active = _active, self
        try:
            for path, module in self.modules.items():
                module.forward = self._forward(path, module.forward)
            yield
        finally:
            _active = before
            for module in self.modules.values():
                vars(module).pop("forward", None)

    def _forward(self, path: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            leaves, nesting = pytree.tree_flatten((args, kwargs))
            tensors = list({id(leaf): leaf for leaf in leaves if isinstance(leaf, Tensor)}.values())
            places = {id(tensor): place for place, tensor in enumerate(tensors)}
            said = [f"tensor {places[id(x)]}" if isinstance(x, Tensor) else x for x in leaves]
            if not tensors or not all(isinstance(word, _CONSTANTS) for word in said):
                raise NotRepeated  # an object of the caller's, such as a cache
            types = tuple(_meta(tensor) for tensor in tensors)
            key = (self.groups[path], str(nesting), repr(said), types)
            if key not in self.known:
                return self._first(key, path, forward, leaves, tensors, places, nesting)
            self.paths.append(path)
            block = self.blocks[self.known[key]]
            found = torch.ops.wsc.repeat(tensors, self.known[key], len(self.paths) - 1)
            return _filled(block, found)

        return call

    def _first(
        self,
        key: object,
        path: str,
        forward: Callable[..., Any],
        leaves: list[Any],
        tensors: list[Tensor],
        places: dict[int, int],
        nesting: Any,
    ) -> Any:
        """Run a layer as it is, and mark where it begins and ends."""
        number = len(self.blocks)
        block = Block(path)
        self.blocks.append(block)
        entered = torch.ops.wsc.enter(tensors, number)
        held = [*entered, *self.modules[path].parameters(), *self.modules[path].buffers()]
        versions = [tensor._version for tensor in held]
        args, kwargs = pytree.tree_unflatten(
            [entered[places[id(x)]] if isinstance(x, Tensor) else x for x in leaves], nesting
        )
        with self._watched(path):
            try:
                result = forward(*args, **kwargs)
            except NumberUsed as error:
                raise NotRepeated from error
        if versions != [tensor._version for tensor in held]:
            raise NotRepeated  # it changes an argument or a weight in place
        returned, block.nesting = pytree.tree_flatten(result)
        if not all(isinstance(leaf, (Tensor, *_CONSTANTS)) for leaf in returned):
            raise NotRepeated
        outputs = [leaf for leaf in returned if isinstance(leaf, Tensor)]
        block.leaves = tuple(None if isinstance(leaf, Tensor) else (leaf,) for leaf in returned)
        block.metas = tuple(_meta(tensor) for tensor in outputs)
        self.known[key] = number
        return _filled(block, torch.ops.wsc.leave(outputs, number))

    @contextmanager
    def _watched(self, path: str) -> Iterator[None]:
        """While a layer runs: its numbers are watched."""
        first = self.modules[path]
        numbers = [(first.get_submodule(name), key) for name, key in self.numbers[self.groups[path]]]
        kept = [vars(module)[key] for module, key in numbers]
        for module, key in numbers:
            vars(module)[key] = Watched()
        try:
            yield
        finally:
            for (module, key), value in zip(numbers, kept, strict=True):
                vars(module)[key] = value


def _filled(block: Block, tensors: list[Tensor]) -> Any:
    given = iter(tensors)
    leaves = [leaf[0] if isinstance(leaf, tuple) else next(given) for leaf in block.leaves]
    return pytree.tree_unflatten(leaves, block.nesting)


def _meta(tensor: Tensor) -> Meta:
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device


_active: Repeats | None = None


@torch.library.custom_op("wsc::enter", mutates_args=())
def enter(tensors: list[Tensor], block: int) -> list[Tensor]:
    """Where a layer begins: its arguments."""
    return [tensor.clone() for tensor in tensors]


@torch.library.custom_op("wsc::leave", mutates_args=())
def leave(tensors: list[Tensor], block: int) -> list[Tensor]:
    """Where a layer ends: its results."""
    return [tensor.clone() for tensor in tensors]


@enter.register_fake
@leave.register_fake
def _(tensors: list[Tensor], block: int) -> list[Tensor]:
    return [torch.empty_strided(t.shape, t.stride(), dtype=t.dtype, device=t.device) for t in tensors]


@torch.library.custom_op("wsc::repeat", mutates_args=())
def repeat(tensors: list[Tensor], block: int, instance: int) -> list[Tensor]:
    """A layer that does to its arguments what a captured block did to its own; while exporting only."""
    raise NotImplementedError


@repeat.register_fake
def _(tensors: list[Tensor], block: int, instance: int) -> list[Tensor]:
    assert _active is not None
    return [
        torch.empty_strided(shape, stride, dtype=dtype, device=device)
        for shape, stride, dtype, device in _active.blocks[block].metas
    ]
