"""Arguments to call a model of transformers or diffusers with, by what its forward takes."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from wsc.compiler.errors import ModelError


def example_inputs(model: nn.Module, config: Any, batch: int, seq: int) -> dict[str, Tensor]:
    """Tokens, pixels, spectrograms or samples, as keyword arguments; random, on the model's device."""
    takes = inspect.signature(model.forward).parameters
    main = str(getattr(model, "main_input_name", "input_ids"))
    made: dict[str, Tensor] = {}
    text, vision = config.get_text_config(), getattr(config, "vision_config", config)
    if main == "input_ids" or {"input_ids", "pixel_values"} <= takes.keys():
        made["input_ids"] = _tokens(text, batch, seq)
    if "pixel_values" in takes:
        made["pixel_values"] = _pixels(vision, batch)
    if main == "input_features":
        made["input_features"] = _features(config, batch)
    if main == "input_values":
        made["input_values"] = torch.randn(batch, 16000)  # a second, as these models are trained on 16 kHz
    if config.is_encoder_decoder and "decoder_input_ids" in takes:
        made["decoder_input_ids"] = _tokens(config.get_text_config(decoder=True), batch, seq)
    if main not in made:
        raise ModelError(f"wsc does not know how to make the '{main}' that {type(model).__name__} takes.")
    device, dtype = next((p.device, p.dtype) for p in model.parameters())
    return {key: _placed(tensor, device, dtype) for key, tensor in made.items()}


def _placed(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    return tensor.to(device, dtype) if tensor.is_floating_point() else tensor.to(device)


def _tokens(config: Any, batch: int, seq: int) -> Tensor:
    return torch.randint(0, config.vocab_size, (batch, seq))


def _pixels(config: Any, batch: int) -> Tensor:
    size = getattr(config, "image_size", None) or 224  # what most are trained on
    height, width = (size, size) if isinstance(size, int) else size
    return torch.randn(batch, getattr(config, "num_channels", 3), height, width)


def _features(config: Any, batch: int) -> Tensor:
    """Mel frequencies over time, twice as many frames as the encoder has positions (Whisper halves them)."""
    return torch.randn(batch, config.num_mel_bins, 2 * config.max_source_positions)


def diffusion_inputs(model: nn.Module, batch: int, seq: int) -> dict[str, object]:
    """A noisy latent, the time step, and what the model is conditioned on."""
    takes = inspect.signature(model.forward).parameters
    config: Any = model.config
    device, dtype = next((p.device, p.dtype) for p in model.parameters())
    size = getattr(config, "sample_size", None) or 64
    height, width = (size, size) if isinstance(size, int) else size
    made: dict[str, object] = {}
    latent = (batch, config.in_channels, height, width)
    made["hidden_states" if "hidden_states" in takes else "sample"] = torch.randn(latent)
    if "timestep" in takes:
        made["timestep"] = torch.full((batch,), 500)
    if "encoder_hidden_states" in takes and (width := _condition_width(config)):
        made["encoder_hidden_states"] = torch.randn(batch, seq, width)
    if "class_labels" in takes and getattr(config, "num_embeds_ada_norm", None):
        made["class_labels"] = torch.zeros(batch, dtype=torch.int64)
    if "pooled_projections" in takes:
        made["pooled_projections"] = torch.randn(batch, config.pooled_projection_dim)
    if getattr(config, "addition_embed_type", None) == "text_time":
        made["added_cond_kwargs"] = _text_and_time(model, config, batch)
    placed = torch.utils._pytree.tree_map_only(Tensor, lambda t: _placed(t, device, dtype), made)
    return {**placed, "return_dict": False} if "return_dict" in takes else placed


def _condition_width(config: Any) -> int:
    width = getattr(config, "cross_attention_dim", None) or getattr(config, "joint_attention_dim", None)
    return int(max(width) if isinstance(width, list | tuple) else width or 0)


def _text_and_time(model: Any, config: Any, batch: int) -> dict[str, Tensor]:
    """SDXL's pooled text, and the six sizes and crops beside it."""
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    return {"text_embeds": torch.randn(batch, pooled), "time_ids": torch.zeros(batch, 6)}
