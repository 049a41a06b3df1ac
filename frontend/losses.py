"""What a model is trained on: its own loss, that of its file, or the usual one of its library."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wsc.compiler.errors import ModelError
from wsc.frontend.arguments import ExampleInputs

Trainable = tuple[nn.Module, ExampleInputs]  # a module that returns its loss, and how to call it


class WithLoss(nn.Module):
    """A module and a function of its result, and of targets, that gives the loss."""

    def __init__(self, module: nn.Module, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self.module, self.loss = module, loss

    def forward(self, inputs: Any, *targets: Any) -> Tensor:
        """The loss of module(*inputs), or of module(**inputs), against the targets."""
        result = self.module(**inputs) if isinstance(inputs, Mapping) else self.module(*inputs)
        return self.loss(result, *targets)


class OwnLoss(nn.Module):
    """A model of transformers, which computes its loss if it is given labels."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, **inputs: Any) -> Tensor:
        """The loss alone."""
        loss: Tensor = self.model(**inputs).loss
        return loss


def of_transformers(model: nn.Module, called: nn.Module, inputs: Mapping[str, Tensor]) -> Trainable:
    """The model with labels: tokens for one that predicts tokens, else the first class.

    `called` is the model, or the module around it that takes these inputs.
    """
    if "labels" not in inspect.signature(model.forward).parameters:
        raise ModelError(
            f"{type(model).__name__} has no loss of its own: name an architecture with a head in its configuration's "
            "'architectures', such as one that ends in ForCausalLM."
        )
    tokens = inputs.get("decoder_input_ids", inputs.get("input_ids"))
    if tokens is None:
        first = next(iter(inputs.values()))
        tokens = torch.zeros(first.shape[0], dtype=torch.int64, device=first.device)
    return OwnLoss(called), {**inputs, "labels": tokens.clone()}


def of_diffusers(model: nn.Module, inputs: Mapping[str, Any]) -> Trainable:
    """The squared error of the noise that the model finds in its sample (Ho et al., 2020)."""
    floating = [value for value in inputs.values() if isinstance(value, Tensor) and value.is_floating_point()]
    sample = inputs.get("sample", inputs.get("hidden_states", floating[0] if floating else None))
    if not isinstance(sample, Tensor):
        raise ModelError(
            "wsc does not know what this model of diffusers learns: write a model file with a loss()."
        )
    return WithLoss(model, _noise_error), (dict(inputs), torch.randn_like(sample))


def _noise_error(result: Any, noise: Tensor) -> Tensor:
    found: Tensor = result[0]
    return F.mse_loss(found[:, : noise.shape[1]], noise)  # some give a variance in further channels


def likelihood(scores: Tensor, target: Tensor, weight: Tensor | None, reduction: int, ignore: int) -> Any:
    """aten.nll_loss_forward by a comparison with every class, which no machine needs to gather for."""
    hits = _hits(scores, target, ignore)
    weights = hits if weight is None else hits * weight
    found = -(scores * weights).sum(1)
    total = weights.sum()
    if reduction == 0:
        return found, scores.new_zeros(())
    return (found.sum() / total if reduction == 1 else found.sum()), total


def likelihood_backward(
    gradient: Tensor,
    scores: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: int,
    ignore: int,
    total: Tensor,
) -> Tensor:
    """aten.nll_loss_backward by the same comparison."""
    hits = _hits(scores, target, ignore)
    weights = hits if weight is None else hits * weight
    share = gradient / total if reduction == 1 else gradient
    return -weights * (share[:, None] if share.dim() else share)


def _hits(scores: Tensor, target: Tensor, ignore: int) -> Tensor:
    """One where a class is the target's and counts, as numbers of the scores' type."""
    classes = torch.arange(scores.shape[1], device=scores.device)
    hits = (classes == target[:, None]) & (target != ignore)[:, None]
    return hits.to(scores.dtype)
