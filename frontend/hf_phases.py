"""Prefill and decode of a decoder from transformers, with its cache as outputs, or as state.

The cache is transformers' own: dynamic in prefill, where the keys and values of the prompt are outputs, and static in
decode, where each of its tensors is a buffer that the step changes in place, so that capture makes state of it.
"""

from __future__ import annotations

import copy
import inspect
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from wsc.frontend.arguments import tensors_in


class Prefill(nn.Module):
    """A whole prompt at once: logits of its last token, then the tensors of the cache, layer by layer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._takes = _cache_argument(model)
        self._last_only = "logits_to_keep" in inspect.signature(model.forward).parameters

    def forward(self, input_ids: Tensor) -> tuple[Tensor, ...]:
        """input_ids[batch, seq] -> logits[batch, 1, vocabulary], and the cache."""
        last = {"logits_to_keep": 1} if self._last_only else {}
        result = self.model(input_ids=input_ids, use_cache=True, **last)
        return (result[0], *_tensors(getattr(result, self._takes)).values())


class DecodeStep(nn.Module):
    """One more token after those that the cache holds; the cache is state."""

    def __init__(self, model: nn.Module, cache: Any, seen: int) -> None:
        super().__init__()
        self.model = model
        self._cache = cache
        self._seen = seen
        self._takes = _cache_argument(model)
        for name, tensor in _tensors(cache).items():
            self.register_buffer(name, torch.zeros_like(tensor), persistent=False)

    def forward(self, input_ids: Tensor, position: Tensor) -> Tensor:
        """input_ids[batch, 1] at position[] -> logits[batch, 1, vocabulary]."""
        cache = copy.copy(self._cache)
        cache.layers = [self._layer(number, layer, position) for number, layer in enumerate(cache.layers)]
        result = self.model(
            input_ids=input_ids,
            position_ids=position.reshape(1, 1).expand(input_ids.shape[0], 1),
            **{self._takes: cache},
            use_cache=True,
        )
        logits: Tensor = result[0]
        return logits

    def _layer(self, number: int, layer: Any, position: Tensor) -> Any:
        """A layer of the cache over this module's buffers."""
        layer = copy.copy(layer)
        for part in ("keys", "values"):
            if isinstance(getattr(layer, part, None), Tensor):
                setattr(layer, part, getattr(self, _name(number, part)))
        if hasattr(layer, "cumulative_length"):
            layer.cumulative_length = position.clone()
        if hasattr(layer, "cumulative_length_int"):
            layer.cumulative_length_int = self._seen
        for part in ("conv_states", "recurrent_states"):
            if states := getattr(layer, part, None):
                found = {i: getattr(self, _name(number, part, i)) for i, t in states.items() if t is not None}
                setattr(layer, part, states | found)
        return layer


def prefill(model: nn.Module) -> Prefill:
    """A prompt's forward pass."""
    return Prefill(model)


def decode_step(model: nn.Module, batch: int, context: int) -> tuple[DecodeStep, tuple[Tensor, Tensor]]:
    """One step of decoding over a cache of `context` positions, and arguments for the last of them."""
    config: Any = model.config
    device = next(model.parameters()).device
    token = torch.zeros(batch, 1, dtype=torch.int64)
    # One run fills the cache's layers with tensors of the right shapes; without data, it computes nothing.
    cache = import_module("transformers").StaticCache(config=config, max_cache_len=context)
    probe = model if device.type == "meta" else copy.deepcopy(model).to("meta")
    with torch.no_grad(), torch.device("meta"):
        probe(input_ids=token.to("meta"), use_cache=True, **{_cache_argument(model): cache})
    for number, layer in enumerate(cache.layers):
        cache.layers[number] = _on_device(layer, device)
    step = DecodeStep(model, cache, context - 1).eval()
    return step, (token.to(device), torch.tensor(context - 1).to(device))


def _cache_argument(model: nn.Module) -> str:
    """State-space models have a word of their own for it."""
    takes = inspect.signature(model.forward).parameters
    return "cache_params" if "cache_params" in takes else "past_key_values"


def _on_device(layer: Any, device: torch.device) -> Any:
    """A layer whose tensors are zeros on a device."""
    for part, value in list(vars(layer).items()):
        if isinstance(value, Tensor):
            setattr(layer, part, torch.zeros_like(value, device=device))
        elif isinstance(value, dict):
            zeros = {
                k: torch.zeros_like(v, device=device) if isinstance(v, Tensor) else v
                for k, v in value.items()
            }
            setattr(layer, part, zeros)
    if getattr(layer, "device", None) is not None:
        layer.device = device
    return layer


def _name(layer: int, part: str, number: int = 0) -> str:
    return f"cache_{layer}_{part}" + (f"_{number}" if number else "")


def _tensors(cache: Any) -> dict[str, Tensor]:
    """The tensors of a cache by name, layer by layer."""
    found: dict[str, Tensor] = {}
    for number, layer in enumerate(cache.layers):
        for part in ("keys", "values"):
            for tensor in tensors_in(getattr(layer, part, None)):
                found[_name(number, part)] = tensor
        for part in ("conv_states", "recurrent_states"):
            for index, tensor in (getattr(layer, part, None) or {}).items():
                if isinstance(tensor, Tensor):
                    found[_name(number, part, index)] = tensor
    return found
