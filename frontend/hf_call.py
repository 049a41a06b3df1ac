"""What is known of a call of a model of transformers: its configuration, what its forward takes, how much of it."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wsc.frontend.hf_documents import Documented, documented

_LETTERS = 100  # tokens, where a configuration names no vocabulary
_NOT_OF_WORDS = (
    "image",
    "video",
    "audio",
    "vision",
    "speech",
    "frame",
    "timestamp",
    "boi",
    "eoi",
    "boa",
    "eoa",
)


@dataclass(frozen=True)
class Call:
    """Configuration, the forward's parameters by name, inputs at once, tokens of a text."""

    config: Any
    takes: Mapping[str, inspect.Parameter]
    batch: int
    seq: int
    documents: Mapping[str, Documented]  # what the documentation says of tensors among them

    @staticmethod
    def of(model: nn.Module, config: Any, batch: int, seq: int) -> Call:
        takes = inspect.signature(model.forward).parameters
        return Call(config, takes, batch, seq, documented(model.forward.__doc__ or ""))

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
        """The configuration, then those nested in it, then those nested in these."""
        level = [self.config]
        while level:
            yield from level
            level = [inner for part in level for inner in _nested(part)]

    @property
    def of_pictures(self) -> Any:
        """The part of the configuration that says what pictures are like."""
        own = (getattr(self.config, name, None) for name in ("vision_config", "image_config"))
        return next(filter(None, own), self.config)

    def text(self, decoder: bool = False) -> Any:
        """The part of the configuration that says what words are like."""
        own = self.config.get_text_config(decoder=decoder)
        with_words = (part for part in (own, *self.parts()) if getattr(part, "vocab_size", None))
        return next(with_words, own)

    def tokens(self, config: Any, *shape: int) -> Tensor:
        """Random tokens of the vocabulary of a configuration, none of which stands for what is no word."""
        known = getattr(config, "vocab_size", None) or _LETTERS
        tokens = torch.randint(0, known, shape or (self.batch, self.seq))
        special = {value for part in self.parts() for value in _special(part)}
        word = next((one for one in range(3, known) if one not in special), 0)
        for mark in special:
            tokens = tokens.where(tokens != mark, word)
        return tokens

    def words(self, *shape: int) -> Tensor:
        """The same of the part that says what words are like."""
        return self.tokens(self.text(), *shape)

    @property
    def side(self) -> int:
        """Of a picture."""
        side = getattr(self.of_pictures, "image_size", None) or 224
        return int(side if isinstance(side, int) else side[0])

    @property
    def width(self) -> int:
        """Of the hidden states."""
        width = self.entry("hidden_size", "d_model", "embed_dim") or 1
        return int(width[-1] if isinstance(width, list | tuple) else width)


def _nested(part: Any) -> list[Any]:
    found = vars(part).items() if hasattr(part, "__dict__") else ()
    return [
        value for name, value in found if name.endswith(("_config", "encoder", "decoder")) and _has(value)
    ]


def _has(value: Any) -> bool:
    return hasattr(value, "to_dict") and hasattr(value, "model_type")


def _special(part: Any) -> Iterator[int]:
    """Tokens that stand for pictures, sound or what else is put among words."""
    for name, value in vars(part).items():
        named = name.endswith(("token_id", "token_index", "patch_id")) and name.startswith(_NOT_OF_WORDS)
        if named and isinstance(value, int):
            yield value
