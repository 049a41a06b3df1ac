"""Arguments to call a model of diffusers with, by what its forward takes and what its configuration says of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from wsc.frontend.hf_completed import Taken, completed
from wsc.frontend.hf_documents import Documented, documented, from_documents, guessed
from wsc.frontend.hf_inputs import placed
from wsc.frontend.hf_trials import Way, masks_fixed, of_values, stopped_by

_SAMPLES = 16000  # of sound: a second at 16 kHz
_FRAMES = 5  # of a video, where the configuration does not say
# Entries that give the width of what a model is conditioned on, the first that there is.
_WIDTHS = ("caption_channels", "joint_attention_dim", "text_embed_dim", "text_dim")
_LAST_WIDTHS = ("cap_feat_dim", "cross_attention_input_dim", "cross_attention_dim")
# Entries that tell an autoencoder of videos from one of pictures.
_OF_VIDEOS = {
    "temporal_compression_ratio",
    "scale_factor_temporal",
    "temporal_expansions",
    "spatio_temporal_scaling",
}


def diffusion_call(model: nn.Module, batch: int, seq: int) -> tuple[nn.Module, dict[str, object]]:
    """The module to call, a noisy latent, the time step, and what the model is conditioned on.

    What has a default is left out where the model does without it. Where it does not take the latent that its
    configuration tells of, others are tried, and what its failures speak of is added. A model that decides by a mask
    of its text what to compute has the mask fixed.
    """
    takes = inspect.signature(model.forward).parameters
    asked = {name for name, taken in takes.items() if taken.default is taken.empty}
    call = _Call(
        model.config,
        set(takes),
        asked,
        type(model).__name__,
        batch,
        seq,
        next(iter(takes)),
        documented(model.forward.__doc__ or ""),
    )
    place = partial(_placed, model, "return_dict" in takes)
    kinds = {name: taken.annotation for name, taken in takes.items()}
    inputs = _inputs(call, kinds)
    way = masks_fixed(model, place(Way(inputs)).inputs)
    error = stopped_by(model, way)
    if error is not None and not of_values(error):
        others = _other_latents(call) if call.of_latents else ()
        ways = [
            place(Way(inputs)),
            *(place(Way(_with_latent(inputs, call.main, latent))) for latent in others),
        ]
        documents = {name: from_documents(call, name) for name in inputs}
        told = {name: tensor for name, tensor in documents.items() if tensor is not None}
        ways.insert(1, place(Way({**inputs, **told})))
        taken = Taken(takes, asked, partial(_made, call, kinds, wanted=True))
        found = completed(model, taken, ways, place)
        way = masks_fixed(model, found.inputs) if found and not found.fixed else found or way
    return way.of(model), dict(way.inputs)


def _with_latent(inputs: Mapping[str, object], main: str, latent: Tensor) -> dict[str, object]:
    """With another latent in place of the one given, and of those that are like it."""
    first = inputs[main]
    shape = first.shape if isinstance(first, Tensor) else ()
    alike = [name for name, value in inputs.items() if isinstance(value, Tensor) and value.shape == shape]
    return {**inputs, **{name: torch.randn_like(latent) for name in alike}}


def _placed(model: nn.Module, as_tuple: bool, way: Way) -> Way:
    device, dtype = next((p.device, p.dtype) for p in model.parameters())
    inputs = torch.utils._pytree.tree_map_only(Tensor, lambda t: placed(t, device, dtype), dict(way.inputs))
    return Way({**inputs, "return_dict": False} if as_tuple else inputs, way.fixed)


def _inputs(call: _Call, kinds: Mapping[str, object]) -> dict[str, object]:
    made: dict[str, object] = {call.main: _latent(call)} if call.of_latents else {}
    for name in [
        *(name for name in _MAKERS if name in call.takes),
        *(name for name in kinds if name in call.asked),
    ]:
        if name not in made and (value := _made(call, kinds, name)) is not None:
            made[name] = value
    return made


def _made(call: _Call, kinds: Mapping[str, object], name: str, *, wanted: bool = False) -> object | None:
    """An argument by its name, or else by its annotation; nothing where none tells anything."""
    if name in _MAKERS:
        with suppress(AttributeError, KeyError, TypeError):  # the configuration says nothing of such
            if (value := _MAKERS[name](call)) is not None or not (wanted or name in call.asked):
                return value
    if kinds[name] in (int, "int"):
        several = call.get(f"{name}s")
        return several[0] if isinstance(several, list | tuple) else 1
    like_main = call.of_latents and name.endswith(call.main) and not name.startswith("encoder")
    if "latent" in name or like_main:
        return _latent(call)
    if name.endswith("input_ids"):
        return call.words(call.batch, call.seq)
    if (told := from_documents(call, name)) is not None:
        return told
    width = next((call.get(entry) for entry in (*_WIDTHS, *_LAST_WIDTHS) if call.get(entry)), 64)
    kind = Tensor if kinds[name] is inspect.Parameter.empty else kinds[name]
    made = guessed(name, kind, call.batch, call.seq, width if isinstance(width, int) else max(width))
    as_numbers = made is not None and "mask" in name and "Long" not in str(kinds[name])
    return made.float() if made is not None and as_numbers else made


def _other_latents(call: _Call) -> Iterator[Tensor]:
    """Pictures, videos, sound, sequences and states, as wide as the configuration says."""
    height, width = call.size
    channels = call.get("in_channels", 4)
    sound = [(1, _SAMPLES), (_SAMPLES,)] if call.entry("sampling_rate", "sample_rate", "hop_length") else []
    for shape in (
        *sound,
        (channels, height, width),
        (channels, call.frames, height, width),
        (call.frames, channels, height, width),
        (channels, width),
        (_patches(call), channels),
    ):
        yield torch.randn(call.batch, *shape)


@dataclass(frozen=True)
class _Call:
    """What is known of a call: configuration, arguments, class, inputs at once, tokens of the text."""

    config: Any
    takes: set[str]
    asked: set[str]  # of these, those without a default
    kind: str
    batch: int
    seq: int
    first: str  # of the arguments
    documents: Mapping[str, Documented]

    def get(self, name: str, default: Any = None) -> Any:
        value = getattr(self.config, name, None)
        return default if value is None else value

    def entry(self, *names: str) -> Any:
        """The first of these entries that the configuration has."""
        return next((value for name in names if (value := self.get(name)) is not None), None)

    def words(self, *shape: int) -> Tensor:
        """Random tokens."""
        return torch.randint(0, self.get("vocab_size", 2), shape)

    @property
    def side(self) -> int:
        """Of a picture, or of its latent."""
        return self.size[0]

    @property
    def width(self) -> int:
        """Of the hidden states."""
        return int(self.entry("hidden_size", "model_dim", "embedding_dim", "inner_dim") or 64)

    @property
    def main(self) -> str:
        """The argument for what is to be made out of noise, or for what is encoded."""
        return next((name for name in ("hidden_states", "sample") if name in self.takes), "") or self.first

    @property
    def of_latents(self) -> bool:
        """Whether that argument is a latent or a picture, and no text."""
        named = self.main in ("hidden_states", "sample", "x") or "latent" in self.main
        return named or "Autoencoder" in self.kind

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the latent, or of the picture."""
        size = self.get("sample_size", 64)
        if "sample_height" in self.config:
            size = (self.config.sample_height, self.config.sample_width)
        return (size, size) if isinstance(size, int) else tuple(size)

    @property
    def frames(self) -> int:
        if length := self.get("video_length"):
            return int(length)
        frames: int = self.get("sample_frames", 0)
        # Frames of the video; its autoencoder keeps the first and each fourth after it.
        return (frames - 1) // self.get("temporal_compression_ratio", 4) + 1 if frames else _FRAMES

    @property
    def packed(self) -> bool:
        """Whether the latent comes as a sequence of patches, with their places told apart."""
        return not {"img_ids", "img_shapes", "num_frames"}.isdisjoint(self.takes)

    @property
    def rotated(self) -> bool:
        """Whether the model leaves the rotations by place to its caller."""
        return not {"encoder_mask", "text_embedding_mask"}.isdisjoint(self.takes)


def _latent(call: _Call) -> Tensor:
    height, width = call.size
    channels = call.get("in_channels", 4)
    if call.packed:
        return torch.randn(call.batch, _patches(call), channels)
    if "Autoencoder" in call.kind:
        return _to_encode(call, channels)
    if "UNet1D" in call.kind or "AudioDiT" in call.kind:
        return torch.randn(call.batch, channels, width)
    if "CogVideo" in call.kind or "SpatioTemporal" in call.kind:  # frames before channels
        return torch.randn(call.batch, call.frames, channels, height, width)
    if "3D" in call.kind or "Motion" in call.kind:
        return torch.randn(call.batch, channels, call.frames, height, width)
    return torch.randn(call.batch, channels, height, width)


def _to_encode(call: _Call, channels: int) -> Tensor:
    """A picture, a video, or sound of sixteen steps of the latent."""
    if sound := call.get("audio_channels"):
        return torch.randn(call.batch, sound, 16 * prod(call.config.downsampling_ratios))
    frames = () if _OF_VIDEOS.isdisjoint(call.config) else (call.frames,)
    return torch.randn(call.batch, channels, *frames, *call.size)


def _patches(call: _Call) -> int:
    """Of a packed latent: half its rows and columns, as pipelines pack them two by two."""
    height, width = (extent // 2 for extent in call.size)
    return height * width * (_FRAMES if "num_frames" in call.takes else 1)


def _condition(call: _Call) -> Tensor | None:
    width = next((call.get(name) for name in (*_WIDTHS, *_LAST_WIDTHS) if call.get(name)), 0)
    width = max(width) if isinstance(width, list | tuple) else width
    # Every frame of the videos of a motion model is conditioned by itself.
    rows = call.batch * (call.frames if "Motion" in call.kind else 1)
    return torch.randn(rows, call.seq, width) if width else None


def _time(call: _Call) -> Tensor:
    """A step of 1000; those that tell the type of all else by the type of the time take it as a number between."""
    return torch.full((call.batch,), 500.0 if "text_embedding_mask" in call.takes else 500)


def _mask(call: _Call) -> Tensor | None:
    """Of the text, where it is asked for, or beside packed patches."""
    asked = call.packed or "encoder_attention_mask" in call.asked
    return torch.ones(call.batch, call.seq) if asked else None


def _places(call: _Call, count: int) -> Tensor:
    """Places along each of the axes that a model rotates by."""
    return torch.zeros(count, len(call.get("axes_dims_rope", (0, 0, 0))))


def _second_text(call: _Call) -> Tensor:
    return torch.randn(call.batch, call.get("text_len_t5", call.seq), call.config.cross_attention_dim_t5)


def _rotation(call: _Call) -> object:
    """Rotations by place of the patches: complex numbers over the grid, or cosines and sines of every patch."""
    heads = call.get("num_attention_heads", 1)
    height, width = (extent // call.get("patch_size", 1) for extent in call.size)
    if "encoder_mask" in call.takes:
        angles = torch.randn(height, width, call.config.hidden_size // heads // 2)
        return torch.polar(torch.ones_like(angles), angles)
    angles = torch.randn(height * width, call.get("attention_head_dim", 1))
    return angles.cos(), angles.sin()


def _classes(call: _Call) -> Tensor | None:
    return torch.zeros(call.batch, dtype=torch.int64) if call.get("num_embeds_ada_norm") else None


def _pooled(call: _Call) -> Tensor:
    return torch.randn(call.batch, call.config.pooled_projection_dim)


def _text_and_time(call: _Call) -> dict[str, Tensor] | None:
    """SDXL's pooled text, and the six sizes and crops beside it."""
    if call.get("addition_embed_type") != "text_time":
        return None
    pooled = call.config.projection_class_embeddings_input_dim - 6 * call.config.addition_time_embed_dim
    return {"text_embeds": torch.randn(call.batch, pooled), "time_ids": torch.zeros(call.batch, 6)}


def _picture_to_follow(call: _Call) -> Tensor:
    """What a ControlNet is led by; each step of its embedding but the first and last halves it."""
    if {"conditioning_channels", "conditioning_embedding_out_channels"}.isdisjoint(call.config):
        return _latent(call)
    factor = 2 ** (len(call.get("conditioning_embedding_out_channels", (16, 32, 96, 256))) - 1)
    height, width = (extent * factor for extent in call.size)
    return torch.randn(call.batch, call.get("conditioning_channels", 3), height, width)


def _guidance(call: _Call) -> Tensor | None:
    return torch.ones(call.batch) if call.get("guidance_embeds") else None


def _added_times(call: _Call) -> Tensor:
    """Frames a second, motion and noise of Stable Video Diffusion."""
    count = call.config.projection_class_embeddings_input_dim // call.config.addition_time_embed_dim
    return torch.ones(call.batch, count)


def _shapes(call: _Call) -> list[tuple[int, int, int]]:
    height, width = (extent // 2 for extent in call.size)
    return [(1, height, width)] * call.batch


_MAKERS: dict[str, Callable[[_Call], object]] = {
    "timestep": _time,
    "encoder_hidden_states": _condition,
    "encoder_attention_mask": lambda call: _mask(call),
    "encoder_hidden_states_mask": lambda call: torch.ones(call.batch, call.seq),
    "encoder_mask": lambda call: torch.ones(call.batch, call.seq),
    "text_embedding_mask": lambda call: torch.ones(call.batch, call.get("text_len", call.seq)),
    "encoder_hidden_states_t5": _second_text,
    "text_embedding_mask_t5": lambda call: torch.ones(call.batch, call.get("text_len_t5", call.seq)),
    "image_meta_size": lambda call: torch.zeros(call.batch, 6),
    "style": lambda call: torch.zeros(call.batch, dtype=torch.int64),
    "class_labels": _classes,
    "pooled_projections": _pooled,
    "added_cond_kwargs": _text_and_time,
    "controlnet_cond": _picture_to_follow,
    **dict.fromkeys(("original_size", "target_size", "crop_coords"), lambda call: torch.zeros(call.batch, 2)),
    "global_hidden_states": lambda call: torch.randn(call.batch, 1, call.config.global_states_input_dim),
    "guidance": _guidance,
    "img_ids": lambda call: _places(call, _patches(call)),
    "image_rotary_emb": lambda call: _rotation(call) if call.rotated else None,
    # It has a default that the model itself cannot use.
    "cross_attention_kwargs": lambda call: {} if "encoder_mask" in call.takes else None,
    "txt_ids": lambda call: _places(call, call.seq),
    "img_shapes": _shapes,
    "num_frames": lambda call: _FRAMES,
    "height": lambda call: call.size[0] // 2,
    "width": lambda call: call.size[1] // 2,
    "added_time_ids": _added_times,
}
