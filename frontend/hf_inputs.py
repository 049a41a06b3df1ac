"""Arguments to call a model of transformers with, by what its forward takes and its configuration says of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from wsc.compiler.errors import ModelError
from wsc.frontend.hf_call import Call
from wsc.frontend.hf_completed import Taken, completed
from wsc.frontend.hf_documents import from_documents, guessed
from wsc.frontend.hf_pictures import (
    OF_SIZES,
    flattened_patches,
    other_pixels,
    pixels,
    sizes_of,
    with_pictures,
)
from wsc.frontend.hf_trials import Way, first_taken

_QUICK = 10**8  # parameters of a model that is always tried
_FRAMES = 128  # of a spectrogram, where nothing says how many a model takes


def example_call(model: nn.Module, config: Any, batch: int, seq: int) -> tuple[nn.Module, dict[str, Tensor]]:
    """Tokens, pixels, videos, spectrograms, samples or series, as keyword arguments; random, on the model's device.

    With them the module to call: the model, or it with sizes of pictures fixed. Where a model may be called in several
    ways, the first that it takes is chosen by trying; where it takes none, what its failures speak of is added. Raises
    ModelError where the model cannot be called without an argument that nothing here makes.
    """
    call = Call.of(model, config, batch, seq)
    main = str(getattr(model, "main_input_name", "input_ids"))
    made = _made(model, call, main)
    known = _plain(model, call, made) and not _quick(model)
    others = () if known else _other_ways(call, made)
    ways = [_placed(model, config, way) for way in (Way(made), *others)]
    taken = [way for way in ways if way is not None and not _missing(call, main, way)]
    if not taken:
        missing = next(iter(_missing(call, main, Way(made))), main)
        raise ModelError(
            f"wsc does not know how to make the '{missing}' that {type(model).__name__} takes: "
            "write a model file whose model() builds it and whose example_inputs() returns its arguments."
        )
    chosen = taken[0]
    if not known:
        takes = Taken(call.takes, call.asked, partial(_argument, call, wanted=True), partial(sizes_of, call))
        place = partial(_placed, model, config)
        chosen = first_taken(model, taken) or completed(model, takes, taken, place) or chosen
    return chosen.of(model), dict(chosen.inputs)


def _plain(model: Any, call: Call, made: dict[str, Tensor]) -> bool:
    """Whether it continues a text, so that nothing needs to be tried."""
    alone = made.keys() == {"input_ids"} and len(list(call.parts())) == 1
    return alone and model.can_generate() and not call.entry("num_codebooks")


def _quick(model: nn.Module) -> bool:
    """Whether a call without data takes a moment."""
    return sum(parameter.numel() for parameter in model.parameters()) < _QUICK


def _made(model: nn.Module, call: Call, main: str) -> dict[str, Tensor]:
    wanted = {main, *call.asked, *_wanted(model, call, main)}
    made: dict[str, Tensor] = _series(call) if main == "past_values" else {}
    for name in call.takes:
        if (
            name in wanted - made.keys()
            and (tensor := _argument(call, name, wanted=name in (main, "noise"))) is not None
        ):
            made[name] = tensor
    return made


def _argument(call: Call, name: str, *, wanted: bool = False) -> Tensor | None:
    """By its name, by how the names of such arguments end, or as documented; nothing where none tells anything."""
    if name in _MAKERS:
        with suppress(AttributeError, ModelError):  # the configuration says nothing of such
            return _MAKERS[name](call)
    elif name not in call.asked and not wanted:
        return None
    if name.endswith(OF_SIZES):  # these decide what is computed, and are fixed
        return None
    if (as_documented := from_documents(call, name)) is not None:
        return as_documented
    ending = next((ending for ending in _ENDINGS if name.endswith(ending)), None)
    if ending:
        return _ENDINGS[ending](call)
    return guessed(name, call.takes[name].annotation, call.batch, call.seq, call.width)


def _missing(call: Call, main: str, way: Way) -> list[str]:
    """What the forward cannot do without, and is not there."""
    needed = dict.fromkeys([*call.asked, *([main] if main in call.takes else [])])
    return [name for name in needed if name not in way.inputs and name not in way.fixed]


def _other_ways(call: Call, made: dict[str, Tensor]) -> Iterator[Way]:
    """Other calls that models with such arguments take, the likelier first."""
    yield from other_pixels(call, made)
    if (books := call.entry("num_codebooks")) and "input_ids" in made:
        text = call.text()
        for shape in (
            (books * call.batch, call.seq),
            (call.batch, call.seq, books),
            (call.batch, books, call.seq),
        ):
            yield Way({**made, "input_ids": call.tokens(text, *shape)})
    for name in ("input_values", "input_features"):
        if name in made:
            yield from (
                Way({**made, **_masked(call, sound), name: sound}) for sound in _other_sounds(made[name])
            )
    yield from _more(call, made)


def _more(call: Call, made: dict[str, Tensor]) -> Iterator[Way]:
    """With an argument more that has a default, or embedded tokens in place of tokens."""
    width = call.entry("encoder_hidden_size", "cross_attention_dim") or call.width
    if "encoder_hidden_states" in call.takes and "encoder_hidden_states" not in made:
        yield Way({**made, "encoder_hidden_states": torch.randn(call.batch, call.seq, width)})
    if "inputs_embeds" in call.takes:
        others = {key: value for key, value in made.items() if key != "input_ids"}
        yield Way({**others, "inputs_embeds": torch.randn(call.batch, call.seq, call.width)})
    for name in _OPTIONAL:
        value = _argument(call, name) if name in call.takes and name not in made else None
        if value is not None:
            yield Way({**made, name: value})
    documents = {name: tensor for name in made if (tensor := from_documents(call, name)) is not None}
    if any(tensor.shape != made[name].shape for name, tensor in documents.items()):
        yield Way({**made, **documents})


def _other_sounds(sound: Tensor) -> Iterator[Tensor]:
    """With a channel or without; a spectrogram the other way round, of many windows, or with a channel."""
    if sound.dim() == 2:
        yield sound[:, None]
    elif sound.shape[1] == 1:
        yield sound[:, 0]
    else:
        yield sound.transpose(1, 2).contiguous()
        yield torch.randn(len(sound), min(sound.shape[1:]), 400)
        yield sound[:, None]


def _masked(call: Call, sound: Tensor) -> dict[str, Tensor]:
    """The mask that a spectrogram with time last has to have, where one is asked for."""
    names = [name for name in call.asked if name.endswith("_features_mask")]
    return {name: torch.ones(call.batch, sound.shape[-1], dtype=torch.int64) for name in names}


def _placed(model: nn.Module, config: Any, way: Way) -> Way | None:
    """On the model's device, with the tokens of pictures among the others; nothing where the model takes no such."""
    device, dtype = next((p.device, p.dtype) for p in model.parameters())
    inputs = {key: placed(tensor, device, dtype) for key, tensor in way.inputs.items()}
    if {"input_ids", "pixel_values"} <= inputs.keys():
        try:
            inputs["input_ids"] = with_pictures(model, config, inputs)
        except Exception:  # the model makes nothing of such pictures
            return None
    return Way(inputs, way.fixed)


def _wanted(model: Any, call: Call, main: str) -> set[str]:
    """What is made of arguments that have defaults: what the model is for."""
    wanted = {"bbox", "qformer_input_ids", "noise_sequence", *({"noise"} & call.documents.keys())}
    if main == "input_ids" or {"input_ids", "pixel_values"} <= call.takes.keys():
        wanted.add("input_ids")
    if not _of_any_size(model, call):
        wanted.add("pixel_values")
    if call.config.is_encoder_decoder:
        wanted.add("decoder_input_ids")
    return wanted


def _of_any_size(model: Any, call: Call) -> bool:
    """Whether its pictures are of any size and cut by the caller, so that only words are made for it."""
    if "image_grid_thw" in call.takes:
        return True
    features = getattr(model, "get_image_features", None)
    sizes = inspect.signature(features).parameters.get("image_sizes") if features else None
    return sizes is not None and sizes.default is sizes.empty


def placed(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A tensor on a device; floating point in the element type given, whole numbers as they are."""
    return tensor.to(device, dtype) if tensor.is_floating_point() else tensor.to(device)


def _boxes(call: Call) -> Tensor:
    """Left, top, right and bottom of every token's box, in thousandths of the page."""
    corner, extent = torch.randint(0, 500, (2, call.batch, call.seq, 2))
    return torch.cat([corner, corner + extent], 2)


def _features(call: Call) -> Tensor:
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


def _samples(call: Call) -> Tensor:
    """A second of sound at 16 kHz; a spectrogram where the model says how long; with a channel where none is masked."""
    config = call.config
    if hasattr(config, "num_mel_bins") and hasattr(config, "max_length"):
        return torch.randn(call.batch, config.max_length, config.num_mel_bins)
    if "attention_mask" in call.takes:
        return torch.randn(call.batch, 16000)
    return torch.randn(call.batch, getattr(config, "audio_channels", None) or 1, 16000)


def _series(call: Call) -> dict[str, Tensor]:
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


_MAKERS: dict[str, Callable[[Call], Tensor]] = {
    "input_ids": lambda call: call.tokens(call.text()),
    "decoder_input_ids": lambda call: call.tokens(call.text(decoder=True)),
    "qformer_input_ids": lambda call: call.tokens(call.config.qformer_config),
    "bbox": _boxes,
    "pixel_values": pixels,
    "pixel_values_videos": pixels,
    "prompt_pixel_values": pixels,
    "prompt_masks": pixels,
    "flattened_patches": flattened_patches,
    "input_features": _features,
    "spectrogram": lambda call: torch.randn(call.batch, _FRAMES, call.config.model_in_dim),
    "noise_sequence": lambda call: torch.randn(call.batch, _FRAMES, call.config.model_in_channels),
    "input_values": _samples,
}
# What a model may be unable to do without, though its forward has a default for it.
_OPTIONAL = ("input_ids", "pixel_values", "decoder_input_ids")
# What required arguments of other names hold, by how these end, the longest ending first.
_ENDINGS: dict[str, Callable[[Call], Tensor]] = {
    "attention_mask": lambda call: torch.ones(call.batch, call.seq, dtype=torch.int64),
    "_features_mask": lambda call: torch.ones(call.batch, _FRAMES, dtype=torch.int64),
    "position_ids": lambda call: torch.arange(call.seq).expand(call.batch, -1),
    "hidden_states": lambda call: torch.randn(call.batch, call.seq, call.width),
    "embeds": lambda call: torch.randn(call.batch, call.seq, call.width),
    "_ids": lambda call: call.tokens(call.text()),
}
