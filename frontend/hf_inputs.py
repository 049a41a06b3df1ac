"""Arguments to call a model of transformers with, by what its forward takes and its configuration says of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wsc.compiler.errors import ModelError

_FRAMES = 128  # of a spectrogram, where nothing says how many a model takes


@dataclass(frozen=True)
class _Call:
    """What is known of a call: configuration, names of arguments, inputs at once, tokens of a text."""

    config: Any
    takes: Collection[str]
    batch: int
    seq: int

    def entry(self, *names: str) -> Any:
        """The first of these entries that the configuration, or else one of its parts, has."""
        parts = [part for name, part in vars(self.config).items() if name.endswith(("_config", "encoder"))]
        for part in (self.config, *parts):
            for name in names:
                if (value := getattr(part, name, None)) is not None:
                    return value
        return None

    @property
    def pictures(self) -> Any:
        """The part of the configuration that says what pictures are like."""
        parts = (getattr(self.config, name, None) for name in ("vision_config", "image_config"))
        return next(filter(None, parts), self.config)

    def tokens(self, config: Any) -> Tensor:
        """Random tokens of the vocabulary of a configuration."""
        return torch.randint(0, config.vocab_size, (self.batch, self.seq))


def example_inputs(model: nn.Module, config: Any, batch: int, seq: int) -> dict[str, Tensor]:
    """Tokens, pixels, videos, spectrograms, samples or series, as keyword arguments; random, on the model's device.

    Raises ModelError where the model cannot be called without an argument that nothing here makes.
    """
    takes = inspect.signature(model.forward).parameters
    call = _Call(config, takes.keys(), batch, seq)
    main = str(getattr(model, "main_input_name", "input_ids"))
    device, dtype = next((p.device, p.dtype) for p in model.parameters())
    asked = [name for name, taken in takes.items() if _is_asked(taken)]
    wanted = {main, *asked, *_wanted(model, call, main)}
    made: dict[str, Tensor] = _series(call) if main == "past_values" else {}
    made |= {name: _MAKERS[name](call) for name in takes if name in wanted - made.keys() and name in _MAKERS}
    if missing := [name for name in dict.fromkeys([*asked, main]) if name not in made]:
        raise ModelError(
            f"wsc does not know how to make the '{missing[0]}' that {type(model).__name__} takes."
        )
    made = {key: placed(tensor, device, dtype) for key, tensor in made.items()}
    if {"input_ids", "pixel_values"} <= made.keys():
        made["input_ids"] = _with_pictures(model, config, made)
    return made


def _is_asked(taken: inspect.Parameter) -> bool:
    """Whether an argument has a name and no default."""
    return taken.default is taken.empty and taken.kind not in (taken.VAR_POSITIONAL, taken.VAR_KEYWORD)


def _wanted(model: Any, call: _Call, main: str) -> set[str]:
    """What is made of arguments that have defaults: what the model is for."""
    wanted = {"bbox", "qformer_input_ids", "noise_sequence"}
    if main == "input_ids" or {"input_ids", "pixel_values"} <= set(call.takes):
        wanted.add("input_ids")
    if not _of_any_size(model, call.takes):
        wanted.add("pixel_values")
    if call.config.is_encoder_decoder:
        wanted.add("decoder_input_ids")
    return wanted


def _of_any_size(model: Any, takes: Collection[str]) -> bool:
    """Whether its pictures are of any size and cut by the caller, so that only words are made for it."""
    if "image_grid_thw" in takes:
        return True
    features = getattr(model, "get_image_features", None)
    sizes = inspect.signature(features).parameters.get("image_sizes") if features else None
    return sizes is not None and sizes.default is sizes.empty


def placed(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A tensor on a device; floating point in the element type given, whole numbers as they are."""
    return tensor.to(device, dtype) if tensor.is_floating_point() else tensor.to(device)


def _pixels(call: _Call) -> Tensor:
    """Pictures; with one dimension more for the frames of a video, or where a text may have several pictures."""
    config = call.pictures
    sizes = (getattr(config, name, None) for name in ("image_size", "crop_size", "input_size"))
    size = next(filter(None, sizes), 224)  # what most are trained on
    height, width = (size, size) if isinstance(size, int) else size
    frames = getattr(config, "num_frames", None) or getattr(config, "frames_per_clip", None)
    several = {"pixel_attention_mask", "input_ids"} <= set(call.takes) and "spatial_shapes" not in call.takes
    of_each = (frames,) if frames else (1,) if several else ()
    return torch.randn(call.batch, *of_each, getattr(config, "num_channels", 3), height, width)


def _with_pictures(model: Any, config: Any, made: dict[str, Tensor]) -> Tensor:
    """Tokens after as many tokens of a picture as the model makes of one, where it puts them among the others."""
    mark = getattr(config, "image_token_id", None) or getattr(config, "image_token_index", None)
    tokens = made["input_ids"]
    if mark is None or not hasattr(model, "get_image_features"):
        return tokens
    with torch.no_grad():
        found = model.get_image_features(pixel_values=made["pixel_values"])
    found = getattr(found, "pooler_output", found)
    rows = sum(part.shape[:-1].numel() for part in ([found] if isinstance(found, Tensor) else found))
    marks = torch.full((len(tokens), rows // len(tokens)), mark, device=tokens.device)
    return torch.cat([marks, tokens.where(tokens != mark, 0 if mark else 1)], 1)


def _patches(call: _Call) -> Tensor:
    """Patches of pictures of any size, each with its row and column before its pixels."""
    side = max(int(call.seq**0.5), 1)
    places = torch.arange(call.seq)
    grid = torch.stack([places // side + 1, places % side + 1], 1).expand(call.batch, -1, -1)
    return torch.cat([grid, torch.randn(call.batch, call.seq, call.entry("patch_embed_hidden_size"))], 2)


def _boxes(call: _Call) -> Tensor:
    """Left, top, right and bottom of every token's box, in thousandths of the page."""
    corner, extent = torch.randint(0, 500, (2, call.batch, call.seq, 2))
    return torch.cat([corner, corner + extent], 2)


def _features(call: _Call) -> Tensor:
    """A spectrogram: frequencies over time, twice as many frames as the encoder has positions (Whisper halves them).

    Models without a limit of positions, and those of speech to text, have time first.
    """
    if width := getattr(call.config, "input_feat_per_channel", None):
        return torch.randn(call.batch, _FRAMES, width)
    if width := call.entry("feature_projection_input_dim"):
        return torch.randn(call.batch, _FRAMES, width)
    width, positions = call.entry("num_mel_bins"), call.entry("max_source_positions")
    if width is None:
        raise ModelError("wsc does not know how wide the 'input_features' of this model are.")
    if positions is None:
        return torch.randn(call.batch, _FRAMES, width)
    return torch.randn(call.batch, width, 2 * positions)


def _samples(call: _Call) -> Tensor:
    """A second of sound at 16 kHz; a spectrogram where the model says how long; with a channel where none is masked."""
    config = call.config
    if hasattr(config, "num_mel_bins") and hasattr(config, "max_length"):
        return torch.randn(call.batch, config.max_length, config.num_mel_bins)
    if "attention_mask" in call.takes:
        return torch.randn(call.batch, 16000)
    return torch.randn(call.batch, getattr(config, "audio_channels", None) or 1, 16000)


def _series(call: _Call) -> dict[str, Tensor]:
    """Past values of time series; where a model looks back by lags, also what is known of every time."""
    config, batch = call.config, call.batch
    channels, length = getattr(config, "num_input_channels", 0), config.context_length
    if channels:
        return {"past_values": torch.randn(batch, length, channels)}
    lags = getattr(config, "lags_sequence", None)
    if lags is None:
        return {"past_values": torch.randn(batch, length)}
    past, width = length + max(lags), (config.input_size,) if config.input_size > 1 else ()
    known = config.num_time_features
    made = {
        "past_values": torch.randn(batch, past, *width),
        "past_time_features": torch.randn(batch, past, known),
        "past_observed_mask": torch.ones(batch, past, *width),
        "future_values": torch.randn(batch, config.prediction_length, *width),
        "future_time_features": torch.randn(batch, config.prediction_length, known),
    }
    return {key: value for key, value in made.items() if key in call.takes}


_MAKERS: dict[str, Callable[[_Call], Tensor]] = {
    "input_ids": lambda call: call.tokens(call.config.get_text_config()),
    "decoder_input_ids": lambda call: call.tokens(call.config.get_text_config(decoder=True)),
    "qformer_input_ids": lambda call: call.tokens(call.config.qformer_config),
    "bbox": _boxes,
    "pixel_values": _pixels,
    "pixel_values_videos": _pixels,
    "prompt_pixel_values": _pixels,
    "prompt_masks": _pixels,
    "flattened_patches": _patches,
    "input_features": _features,
    "spectrogram": lambda call: torch.randn(call.batch, _FRAMES, call.config.model_in_dim),
    "noise_sequence": lambda call: torch.randn(call.batch, _FRAMES, call.config.model_in_channels),
    "input_values": _samples,
}
