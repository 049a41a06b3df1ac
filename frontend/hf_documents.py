"""Arguments of a model of transformers by what the documentation of its forward says: element type and shape."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from wsc.frontend.hf_call import Call

# As `name (`torch.Tensor` of shape `(batch_size, sequence_length)`, *optional*)`, or `name: a torch.Tensor of ...`.
_ARGUMENT = re.compile(
    r"^\s*(\w+)\s*[(:]\s*(?:an? )?[`:]*(?:torch\.)?(\w*)Tensor`?\s*,?\s*of shape\s*`?[(\[]([^)`\]]*)[)\]]",
    re.MULTILINE,
)
_FRAMES = 16  # of what is not said to be longer
_SAMPLES = 16000  # of sound: a second at 16 kHz

# What a word for an extent of a shape stands for; any other is an entry of the configuration.
_EXTENTS: dict[str, Callable[[Call], int | None]] = {
    **dict.fromkeys(("batch_size", "batch", "bs", "num_images", "num_videos"), lambda call: call.batch),
    **dict.fromkeys(("num_images_or_videos", "num_audios", "max_num_images"), lambda call: call.batch),
    **dict.fromkeys(("sequence_length", "seq_length", "seq_len", "seqlen"), lambda call: call.seq),
    **dict.fromkeys(("input_ids_length", "text_sequence_length"), lambda call: call.seq),
    **dict.fromkeys(("target_sequence_length", "target_length", "decoder_sequence_length"), lambda c: c.seq),
    **dict.fromkeys(("hidden_size", "hidden_dim", "embed_dim"), lambda call: call.width),
    **dict.fromkeys(
        ("num_channels", "channels"), lambda call: call.entry("num_channels", "in_channels") or 3
    ),
    **dict.fromkeys(("image_size", "height", "width"), lambda call: _side(call)),
    **dict.fromkeys(("num_samples", "audio_length"), lambda call: _SAMPLES),
    **dict.fromkeys(("num_choices", "num_queries", "num_points", "point_batch_size"), lambda call: 2),
    "max_num_tiles": lambda call: call.entry("max_num_tiles") or 1,
    "num_frames": lambda call: call.entry("num_frames") or _FRAMES,
    "feature_dim": lambda call: call.entry("num_mel_bins", "feature_size", "input_feat_per_channel"),
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


def documented(text: str) -> Mapping[str, Documented]:
    """The tensors among the arguments, by name."""
    found: dict[str, Documented] = {}
    for name, kind, shape in _ARGUMENT.findall(text):
        extents = tuple(extent.strip() for extent in shape.split(",") if extent.strip())
        found.setdefault(name, Documented(kind, extents))
    return found


def from_documents(call: Call, name: str) -> Tensor | None:
    """An argument as it is documented; None where that does not say how large it is."""
    known = call.documents.get(name)
    if known is None or not known.extents:
        return None
    shape = [_extent(call, word) for word in known.extents]
    if None in shape:
        return None
    return _filled(call, name, known.kind, [extent for extent in shape if extent is not None])


def _extent(call: Call, word: str) -> int | None:
    """A number, a word, an entry of the configuration, or a product of such."""
    if "*" in word:
        factors = [_extent(call, factor.strip()) for factor in word.split("*")]
        return None if None in factors else int(torch.Size([f for f in factors if f is not None]).numel())
    if word.isdecimal():
        return int(word)
    word = word.removeprefix("config.").removeprefix("self.")
    if word in _EXTENTS:
        return _EXTENTS[word](call)
    found: Any = call.entry(word) if word.isidentifier() else None
    if isinstance(found, int) and found > 0:
        return found
    return next((extent for ending, extent in _ENDINGS.items() if word.endswith(ending)), None)


def _filled(call: Call, name: str, kind: str, shape: list[int]) -> Tensor:
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
        return call.tokens(call.text(), *shape)
    return torch.zeros(shape, dtype=torch.int64)


def _side(call: Call) -> int:
    side = getattr(call.of_pictures, "image_size", None) or 224
    return int(side if isinstance(side, int) else side[0])
