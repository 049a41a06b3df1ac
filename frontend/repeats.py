"""Layers that are provably the same are captured once.

While a module is exported, each of several equal layers in a list runs through `Repeats`: the first runs as it is,
between two operations that mark where it begins and ends; the later ones become a single operation each. `expanded`
then puts a copy of the first one's calls, with their own weights, in the place of every later one. The layers' parent
runs for all of them, so whatever it does between them is captured as it is.

Equal means: same classes, attributes and shapes (`sameness`), and called with the same nesting, types and constants. A
layer may read and change its own part of an object that all share, such as a cache (`shared`), and change in place what
it is called with, where that is the whole of its memory and nothing else that it sees has it. One that changes its
weights, returns a view of what it is given, or computes with its own number, raises `NotRepeated`: capture all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from wsc.frontend.sameness import Attribute, NumberUsed, Watched, is_plain_object, numbers_apart
from wsc.frontend.shared import Part, lent, parts_of, rest_of

FEWEST = 3  # equal layers, for it to be worth while
_CONSTANTS = (int, float, str, bool, type(None), torch.dtype, torch.device)
Meta = tuple[torch.Size, tuple[int, ...], torch.dtype, torch.device]


class NotRepeated(Exception):
    """The layers are not provably the same."""


@dataclass
class Block:
    """A layer that was captured: where it stands in the module, what it returns and what it leaves in its parts.

    In `leaves` stands None for each tensor that it made, the place of one that it was given, and a tuple of anything
    else. `changed` are places of tensors that it changed in place.
    """

    path: str
    nesting: Any = None
    metas: tuple[Meta, ...] = ()  # of the tensors that it made, then of those that it changed
    leaves: tuple[object, ...] = ()
    changed: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Called:
    """What a layer is called with: arguments and the attributes of its parts, flat, and the tensors among them."""

    parts: list[Part]
    leaves: list[Any]
    nesting: Any
    tensors: list[Tensor]
    places: dict[int, int]  # of a tensor, by its id

    @staticmethod
    def of(args: tuple[Any, ...], kwargs: dict[str, Any], number: int | None) -> _Called:
        """Raises NotRepeated for what is not understood."""
        objects = {id(x): x for x in pytree.tree_leaves((args, kwargs)) if is_plain_object(x)}
        parts = [part for owner in objects.values() for part in parts_of(owner, number)]
        leaves, nesting = pytree.tree_flatten(((args, kwargs), [part.state for part in parts]))
        tensors = list({id(leaf): leaf for leaf in leaves if isinstance(leaf, Tensor)}.values())
        owners = {id(part.owner) for part in parts}
        if not tensors or not all(isinstance(x, (Tensor, *_CONSTANTS)) or id(x) in owners for x in leaves):
            raise NotRepeated
        return _Called(parts, leaves, nesting, tensors, {id(t): place for place, t in enumerate(tensors)})

    @property
    def said(self) -> tuple[object, ...]:
        """Equal where layers are called alike."""
        words = [
            f"tensor {self.places[id(x)]}"
            if isinstance(x, Tensor)
            else repr(x)
            if isinstance(x, _CONSTANTS)
            else rest_of(x)
            for x in self.leaves
        ]
        kinds = tuple((part.attribute, type(part.element)) for part in self.parts)
        return str(self.nesting), tuple(words), kinds, tuple(map(_meta, self.tensors))

    def over(self, tensors: list[Tensor]) -> Any:
        """Arguments and attributes with other tensors."""
        leaves = [tensors[self.places[id(x)]] if isinstance(x, Tensor) else x for x in self.leaves]
        return pytree.tree_unflatten(leaves, self.nesting)


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
            called = _Called.of(args, kwargs, self._number(path))
            key = (self.groups[path], called.said)
            if key not in self.known:
                return self._first(key, path, forward, called)
            self.paths.append(path)
            block = self.blocks[self.known[key]]
            found = torch.ops.wsc.repeat(called.tensors, self.known[key], len(self.paths) - 1)
            return _filled(block, called, found)

        return call

    def _number(self, path: str) -> int | None:
        """The number of a layer, where it has just one."""
        layer = self.modules[path]
        apart = self.numbers[self.groups[path]]
        numbers = {vars(layer.get_submodule(name))[key] for name, key in apart}
        return numbers.pop() if len(numbers) == 1 else None

    def _first(self, key: object, path: str, forward: Callable[..., Any], called: _Called) -> Any:
        """Run a layer as it is, and mark where it begins and ends."""
        number = len(self.blocks)
        block = Block(path)
        self.blocks.append(block)
        entered = torch.ops.wsc.enter(called.tensors, number)
        weights = [*self.modules[path].parameters(), *self.modules[path].buffers()]
        versions = [tensor._version for tensor in (*entered, *weights)]
        (args, kwargs), states = called.over(entered)
        with self._watched(path):
            try:
                with lent(called.parts, states) as left:
                    result = forward(*args, **kwargs)
            except NumberUsed as error:
                raise NotRepeated from error
        changed = [place for place, t in enumerate((*entered, *weights)) if t._version != versions[place]]
        _check_changed(changed, called, weights)
        returned, block.nesting = pytree.tree_flatten((result, left))
        if not all(isinstance(leaf, (Tensor, *_CONSTANTS)) for leaf in returned):
            raise NotRepeated
        block.leaves = _leaves(returned, entered, weights)
        outputs = [leaf for leaf, word in zip(returned, block.leaves, strict=True) if word is None]
        outputs += [entered[place] for place in changed]
        block.changed = tuple(changed)
        block.metas = tuple(_meta(tensor) for tensor in outputs)
        self.known[key] = number
        return _filled(block, called, torch.ops.wsc.leave(outputs, number))

    @contextmanager
    def _watched(self, path: str) -> Iterator[None]:
        """While a layer runs: its numbers are watched."""
        first = self.modules[path]
        numbers = [(first.get_submodule(name), key) for name, key in self.numbers[self.groups[path]]]
        kept = [vars(module)[key] for module, key in numbers]
        for (module, key), value in zip(numbers, kept, strict=True):
            vars(module)[key] = Watched(value)
        try:
            yield
        finally:
            for (module, key), value in zip(numbers, kept, strict=True):
                vars(module)[key] = value


def _check_changed(changed: list[int], called: _Called, weights: list[Tensor]) -> None:
    """What a layer changes in place must be no weight, all of its memory, and of nothing else that it sees."""
    memory = Counter(t.untyped_storage()._cdata for t in (*called.tensors, *weights))
    for place in changed:
        if place >= len(called.tensors):
            raise NotRepeated
        tensor = called.tensors[place]
        whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
        if not whole or memory[tensor.untyped_storage()._cdata] > 1:
            raise NotRepeated


def _leaves(returned: list[Any], entered: list[Tensor], weights: list[Tensor]) -> tuple[object, ...]:
    """How each of the results comes about; a tensor that was given stays itself, and no other is a view of one."""
    given = {id(tensor): place for place, tensor in enumerate(entered)}
    seen = {tensor.untyped_storage()._cdata for tensor in (*entered, *weights)}
    found: list[object] = []
    for leaf in returned:
        if isinstance(leaf, Tensor) and id(leaf) not in given and leaf.untyped_storage()._cdata in seen:
            raise NotRepeated
        found.append(given.get(id(leaf)) if isinstance(leaf, Tensor) else (leaf,))
    return tuple(found)


def _filled(block: Block, called: _Called, tensors: list[Tensor]) -> Any:
    """What a layer returns, once what it leaves behind is where it belongs."""
    made = iter(tensors)
    leaves = [
        next(made) if word is None else word[0] if isinstance(word, tuple) else called.tensors[word]  # type: ignore[call-overload]
        for word in block.leaves
    ]
    result, states = pytree.tree_unflatten(leaves, block.nesting)
    for place, value in zip(block.changed, made, strict=True):
        called.tensors[place].copy_(value)
    for part, state in zip(called.parts, states, strict=True):
        part.state.clear()
        part.state.update(state)
    return result


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
