"""Arguments of a model of transformers by what the documentation of its forward says: element type and shape."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor


class Known(Protocol):
    """What is known of a call: inputs at once, tokens of a text, width of the model, side of a picture, and more."""

    @property
    def batch(self) -> int: ...

    @property
    def seq(self) -> int: ...

    @property
    def width(self) -> int: ...

    @property
    def side(self) -> int: ...

    @property
    def documents(self) -> Mapping[str, Documented]: ...

    def entry(self, *names: str) -> Any:
        """The first of these entries that the configuration has."""

    def words(self, *shape: int) -> Tensor:
        """Random tokens."""


# As `name (`torch.Tensor` of shape `(batch_size, sequence_length)`, *optional*)`, or `name: a torch.Tensor of ...`.
_ARGUMENT = re.compile(
    r"^\s*(\w+)\s*[(:]\s*(?:an? )?[`:]*(?:torch\.)?(\w*)Tensor`?\s*,?\s*of shape\s*`?[(\[]([^)`\]]*)[)\]]",
    re.MULTILINE,
)
_FRAMES = 16  # of what is not said to be longer
_SAMPLES = 16000  # of sound: a second at 16 kHz

# What a word for an extent of a shape stands for; any other is an entry of the configuration.
_EXTENTS: dict[str, Callable[[Known], int | None]] = {
    **dict.fromkeys(
        ("batch_size", "batch", "bs", "n", "b", "num_images", "num_videos"), lambda call: call.batch
    ),
    **dict.fromkeys(("num_images_or_videos", "num_audios", "max_num_images"), lambda call: call.batch),
    **dict.fromkeys(("sequence_length", "seq_length", "seq_len", "seqlen"), lambda call: call.seq),
    **dict.fromkeys(("input_ids_length", "text_sequence_length"), lambda call: call.seq),
    **dict.fromkeys(("target_sequence_length", "target_length", "decoder_sequence_length"), lambda c: c.seq),
    **dict.fromkeys(("hidden_size", "hidden_dim", "embed_dim"), lambda call: call.width),
    **dict.fromkeys(
        ("num_channels", "channels", "channel", "in_channels"),
        lambda call: call.entry("num_channels", "in_channels") or 3,
    ),
    **dict.fromkeys(("image_size", "height", "width"), lambda call: call.side),
    **dict.fromkeys(("num_samples", "audio_length"), lambda call: _SAMPLES),
    **dict.fromkeys(("num_choices", "num_queries", "num_points", "point_batch_size"), lambda call: 2),
    "max_num_tiles": lambda call: call.entry("max_num_tiles") or 1,
    **dict.fromkeys(("num_frames", "frames"), lambda call: call.entry("num_frames") or _FRAMES),
    **dict.fromkeys(("feature_dim", "feature_size", "mel_bins", "num_mel_bins"), lambda call: _bins(call)),
}


# What other words stand for by how they end; a width that is not the model's is seen when it is tried.
_ENDINGS = {
    "frames": _FRAMES,
    "patches": _FRAMES,
    "bins": 64,
    "dim": 64,
    "size": 64,
    "features": 64,
    "channels": 1,
}


@dataclass(frozen=True)
class Documented:
    """Element type, as Float, Long or nothing, and the words of a shape."""

    kind: str
    extents: tuple[str, ...]


def _bins(call: Known) -> int | None:
    return call.entry("num_mel_bins", "feature_size", "input_feat_per_channel", "input_feat_size")  # type: ignore[no-any-return]


def documented(text: str) -> Mapping[str, Documented]:
    """The tensors among the arguments, by name."""
    found: dict[str, Documented] = {}
    for name, kind, shape in _ARGUMENT.findall(text):
        extents = tuple(extent.strip() for extent in shape.split(",") if extent.strip())
        found.setdefault(name, Documented(kind, extents))
    return found


def from_documents(call: Known, name: str) -> Tensor | None:
    """An argument as it is documented; None where that does not say how large it is."""
    known = call.documents.get(name)
    if known is None or not known.extents:
        return None
    shape = [_extent(call, word) for word in known.extents]
    if None in shape:
        return None
    return _filled(call, name, known.kind, [extent for extent in shape if extent is not None])


def _extent(call: Known, word: str) -> int | None:
    """A number, a word, an entry of the configuration, or a product of such."""
    if "*" in word:
        factors = [_extent(call, factor.strip()) for factor in word.split("*")]
        return None if None in factors else int(torch.Size([f for f in factors if f is not None]).numel())
    if word.isdecimal():
        return int(word)
    word = word.removeprefix("config.").removeprefix("self.").replace(" ", "_").lower()
    if word in _EXTENTS:
        return _EXTENTS[word](call)
    found: Any = call.entry(word) if word.isidentifier() else None
    if isinstance(found, int) and found > 0:
        return found
    if word.endswith("length"):
        return call.seq
    return next((extent for ending, extent in _ENDINGS.items() if word.endswith(ending)), None)


def guessed(name: str, annotation: object, batch: int, seq: int, width: int) -> Tensor | None:
    """A tensor by its annotation, as wide as the model; what it is really like is seen when it is tried."""
    kind = re.search(r"(\w*)Tensor", str(annotation))
    if kind is None or str(annotation).startswith(("list", "tuple", "dict", "typing")):
        return None
    if "mask" in name:
        return torch.ones(batch, seq, dtype=torch.bool if kind[1] == "Bool" else torch.int64)
    if "timestep" in name:
        return torch.full((batch,), 500)
    if name.endswith(("lens", "length", "lengths")):
        return torch.full((batch,), seq)
    if kind[1] in ("Long", "Int", "Bool"):
        return torch.ones(batch, seq, dtype=torch.bool if kind[1] == "Bool" else torch.int64)
    return torch.randn(batch, seq, width)


def _filled(call: Known, name: str, kind: str, shape: list[int]) -> Tensor:
    """Random numbers, tokens or codes, places in turn, masks that leave nothing out."""
    if "mask" in name or kind == "Bool":
        return torch.ones(shape, dtype=torch.bool if kind == "Bool" else torch.int64)
    whole = kind in ("Long", "Int") or (not kind and name.endswith(("_ids", "_codes", "_lengths", "_index")))
    if not whole:
        return torch.randn(shape)
    if "position" in name and shape:
        return torch.arange(shape[-1]).expand(shape)
    if "length" in name:
        return torch.full(shape, call.seq)
    if "code" in name:
        return torch.randint(0, call.entry("codebook_size", "vocab_size") or 1, shape)
    if name.endswith("input_ids"):
        return call.words(*shape)
    return torch.zeros(shape, dtype=torch.int64)
