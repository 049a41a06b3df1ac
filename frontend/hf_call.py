"""What is known of a call of a model of transformers: its configuration, what its forward takes, how much of it."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Call:
    """Configuration, the forward's parameters by name, inputs at once, tokens of a text."""

    config: Any
    takes: Mapping[str, inspect.Parameter]
    batch: int
    seq: int

    @staticmethod
    def of(model: nn.Module, config: Any, batch: int, seq: int) -> Call:
        return Call(config, inspect.signature(model.forward).parameters, batch, seq)

    @property
    def asked(self) -> Collection[str]:
        """Arguments that have a name and no default."""
        return [
            name
            for name, taken in self.takes.items()
            if taken.default is taken.empty and taken.kind not in (taken.VAR_POSITIONAL, taken.VAR_KEYWORD)
        ]

    def entry(self, *names: str) -> Any:
        """The first of these entries that the configuration, or else one of its parts, has."""
        for part in self.parts():
            for name in names:
                if (value := getattr(part, name, None)) is not None:
                    return value
        return None

    def parts(self) -> Iterator[Any]:
        """The configuration, then those nested in it."""
        yield self.config
        yield from (p for name, p in vars(self.config).items() if name.endswith(("_config", "encoder")) and p)

    @property
    def of_pictures(self) -> Any:
        """The part of the configuration that says what pictures are like."""
        own = (getattr(self.config, name, None) for name in ("vision_config", "image_config"))
        return next(filter(None, own), self.config)

    def tokens(self, config: Any, *shape: int) -> Tensor:
        """Random tokens of the vocabulary of a configuration."""
        return torch.randint(0, config.vocab_size, shape or (self.batch, self.seq))

    @property
    def width(self) -> int:
        """Of the hidden states."""
        return int(self.entry("hidden_size", "d_model", "embed_dim") or 1)
