"""Arguments to call a model of transformers with, by what its forward takes."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from wsc.compiler.errors import ModelError


def example_inputs(model: nn.Module, config: Any, batch: int, seq: int) -> dict[str, Tensor]:
    """Tokens, pixels, spectrograms, samples or series, as keyword arguments; random, on the model's device."""
    takes = inspect.signature(model.forward).parameters
    main = str(getattr(model, "main_input_name", "input_ids"))
    device, dtype = next((p.device, p.dtype) for p in model.parameters())
    made: dict[str, Tensor] = {}
    text, vision = config.get_text_config(), getattr(config, "vision_config", config)
    if main == "input_ids" or {"input_ids", "pixel_values"} <= takes.keys():
        made["input_ids"] = _tokens(text, batch, seq)
    if (
        "pixel_values" in takes and "image_grid_thw" not in takes
    ):  # else its pictures are of any size, or none
        made["pixel_values"] = _pixels(vision, batch)
    if main == "input_features":
        made["input_features"] = _features(config, batch)
    if main == "input_values":
        made["input_values"] = _samples(config, batch, "attention_mask" in takes)
    if main == "past_values":
        made |= _series(config, batch, takes.keys())
    if config.is_encoder_decoder and "decoder_input_ids" in takes:
        made["decoder_input_ids"] = _tokens(config.get_text_config(decoder=True), batch, seq)
    if main not in made:
        raise ModelError(f"wsc does not know how to make the '{main}' that {type(model).__name__} takes.")
    made = {key: placed(tensor, device, dtype) for key, tensor in made.items()}
    if {"input_ids", "pixel_values"} <= made.keys():
        made["input_ids"] = _with_pictures(model, config, made)
    return made


def placed(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A tensor on a device; floating point in the element type given, whole numbers as they are."""
    return tensor.to(device, dtype) if tensor.is_floating_point() else tensor.to(device)


def _tokens(config: Any, batch: int, seq: int) -> Tensor:
    return torch.randint(0, config.vocab_size, (batch, seq))


def _pixels(config: Any, batch: int) -> Tensor:
    size = getattr(config, "image_size", None) or 224  # what most are trained on
    height, width = (size, size) if isinstance(size, int) else size
    return torch.randn(batch, getattr(config, "num_channels", 3), height, width)


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


def _features(config: Any, batch: int) -> Tensor:
    """A spectrogram: frequencies over time, twice as many frames as the encoder has positions (Whisper halves them).

    Models of speech to text have time first.
    """
    if width := getattr(config, "input_feat_per_channel", None):
        return torch.randn(batch, 128, width)
    return torch.randn(batch, config.num_mel_bins, 2 * config.max_source_positions)


def _samples(config: Any, batch: int, masked: bool) -> Tensor:
    """A second of sound at 16 kHz; a spectrogram where the model says how long; with a channel where none is masked."""
    if hasattr(config, "num_mel_bins") and hasattr(config, "max_length"):
        return torch.randn(batch, config.max_length, config.num_mel_bins)
    if masked:
        return torch.randn(batch, 16000)
    return torch.randn(batch, getattr(config, "audio_channels", None) or 1, 16000)


def _series(config: Any, batch: int, takes: Collection[str]) -> dict[str, Tensor]:
    """Past values of time series; where a model looks back by lags, also what is known of every time."""
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
    return {key: value for key, value in made.items() if key in takes}
