"""`hf:NAME` and `hf:FOLDER`: models of transformers and diffusers, built from their configuration alone.

A name is looked up in the local Hugging Face cache, and on the network only where that is asked for; a folder holds a
`config.json`. Weights are on the meta device unless `-D weights=random` asks for numbers.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Mapping
from contextlib import nullcontext
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wsc.compiler.errors import ModelError
from wsc.frontend.diffusion_inputs import diffusion_call
from wsc.frontend.export import quiet
from wsc.frontend.hf_classes import architecture
from wsc.frontend.hf_inputs import example_call
from wsc.frontend.hf_phases import decode_step, prefill
from wsc.frontend.losses import of_diffusers, of_transformers
from wsc.frontend.model_file import ModelSource
from wsc.frontend.places import said_by

PREFIX = "hf:"
_OURS = ("phase", "batch", "context", "seq", "weights")
_PHASES = ("", "prefill", "decode")
_LONGEST = 512  # tokens, where neither the user nor the model's own limit says less


def load_hf(spec: str, options: Mapping[str, str], download: bool = False) -> ModelSource:
    """The model that a specification `hf:...` names, with the arguments to call it with.

    Options are `phase`, `batch`, `context`, `seq` and `weights` (meta or random); any other replaces the entry of that
    name in the configuration. Raises ModelError for what cannot be found, is not known, or does not build.
    """
    place = spec.removeprefix(PREFIX)
    config = _config(place, download)
    ours = {key: value for key, value in options.items() if key in _OURS}
    sizes = _Sizes.of(ours)
    entries = {key: _literal(value) for key, value in options.items() if key not in _OURS}
    name = _name(place)
    torch.manual_seed(0)
    build = _diffusion if "_class_name" in config else _transformer
    try:
        with quiet():  # the libraries log what else they could use
            return build(name, config, entries, sizes)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{said_by(error)} So '{spec}' cannot be built from its configuration.") from error


class _Sizes:
    """What the user asks of a model, checked."""

    def __init__(self, phase: str, batch: int, context: int, seq: int, weights: str) -> None:
        self.phase, self.batch, self.context, self.seq, self.weights = phase, batch, context, seq, weights

    @staticmethod
    def of(options: Mapping[str, str]) -> _Sizes:
        phase, weights = options.get("phase", ""), options.get("weights", "meta")
        if phase not in _PHASES:
            raise ModelError(f"A phase is prefill or decode, not '{phase}'.")
        if weights not in ("meta", "random"):
            raise ModelError(f"Weights are meta or random, not '{weights}'.")
        numbers = {key: options.get(key, "0") for key in ("batch", "context", "seq")}
        for key, text in numbers.items():
            if not text.isdecimal() or (key in options and int(text) < 1):
                raise ModelError(f"'{key}' is a number from 1 on, not '{text}'.")
        batch, context, seq = (int(text) for text in numbers.values())
        return _Sizes(phase, batch or 1, context, seq, weights)

    @property
    def device(self) -> Any:
        return torch.device("meta") if self.weights == "meta" else nullcontext()


def library(name: str) -> Any:
    """transformers or diffusers; raises ModelError where it is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ModelError(f"hf: models need {name}: install wsc with `pip install 'wsc[models]'`.") from error


def _config(place: str, download: bool) -> dict[str, Any]:
    """The configuration as a dictionary, of a folder, a file, or the cache."""
    folder = Path(place)
    file = folder / "config.json" if folder.is_dir() else folder
    if not file.is_file():
        if place.startswith((".", "/", "~")) or folder.is_dir():
            raise ModelError(f"There is no config.json in '{place}'.")
        file = _cached(place, download)
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ModelError(f"'{file}' is no configuration in JSON: {error}.") from error
    if not isinstance(config, dict) or not {"model_type", "_class_name"} & config.keys():
        raise ModelError(f"'{file}' names no model: it has neither 'model_type' nor '_class_name'.")
    return config


def _cached(name: str, download: bool) -> Path:
    hub = library("huggingface_hub")
    try:
        return Path(hub.hf_hub_download(name, "config.json", local_files_only=not download))
    except Exception as error:
        if download:
            raise ModelError(f"Cannot fetch the configuration of '{name}': {said_by(error)}") from error
        raise ModelError(
            f"The configuration of '{name}' is not in the local Hugging Face cache: fetch it with --download, or "
            "name a folder that holds its config.json, as hf:./folder."
        ) from error


def _name(place: str) -> str:
    path = Path(place)
    return (path.parent if path.name == "config.json" else path).resolve().name


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _transformer(
    name: str, values: dict[str, Any], entries: Mapping[str, object], sizes: _Sizes
) -> ModelSource:
    transformers = library("transformers")
    kind = values.get("model_type")
    if kind not in transformers.CONFIG_MAPPING:
        raise ModelError(f"transformers {transformers.__version__} does not know the model type '{kind}'.")
    config = transformers.CONFIG_MAPPING[kind].from_dict(values)
    _replace(config, entries)
    _mark_pictures(config)
    for part in (config, config.get_text_config(decoder=True)):
        part.use_cache = bool(sizes.phase)
    with sizes.device:
        model = architecture(transformers, config)._from_config(config, dtype=_dtype(config, sizes))
    _filled(model.eval(), sizes)
    seq, context = _lengths(config, sizes)
    if sizes.phase and config.is_encoder_decoder:
        raise ModelError(f"'{name}' is an encoder with a decoder: phases are for decoders alone.")
    if sizes.phase and "input_ids" not in inspect.signature(model.forward).parameters:
        raise ModelError(f"'{name}' generates no tokens: it has no phases.")
    if sizes.phase == "decode":
        return ModelSource(name, *decode_step(model, sizes.batch, context))
    module, inputs = example_call(model, config, sizes.batch, seq)
    if sizes.phase == "prefill":
        return ModelSource(name, prefill(model), (inputs["input_ids"],))
    return ModelSource(name, module, inputs, partial(of_transformers, model, module, inputs))


def _lengths(config: Any, sizes: _Sizes) -> tuple[int, int]:
    """Tokens in the input, and positions of the cache."""
    text = config.get_text_config(decoder=True)
    longest = max(getattr(text, "max_position_embeddings", None) or 0, 0)  # -1 in models without a limit
    context = sizes.context or min(longest or _LONGEST, _LONGEST)
    seq = sizes.seq or min(context, longest or context)
    for what, length in (("context", context), ("seq", seq)):
        if longest and length > longest:
            raise ModelError(f"'{what}' is {length}, and the model has {longest} positions.")
    return seq, context


def _replace(config: Any, entries: Mapping[str, object]) -> None:
    """Put the user's values into a configuration."""
    known = [key for key, value in config.to_dict().items() if value is None or not isinstance(value, dict)]
    for key, value in entries.items():
        if key not in known:
            nearest = get_close_matches(key, [*known, *_OURS], n=1)
            hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
            raise ModelError(f"The configuration has no entry '{key}'.{hint}")
        setattr(config, key, value)
    if "num_hidden_layers" in entries and getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[: config.num_hidden_layers]


def _mark_pictures(config: Any) -> None:
    """The last tokens of the vocabulary stand for pictures and videos, where the configuration leaves that open."""
    size = getattr(config.get_text_config(), "vocab_size", 0)
    for place, name in enumerate(("image_token_id", "video_token_id"), 1):
        if getattr(config, name, 0) is None and size > place:
            setattr(config, name, size - place)


def _filled(model: nn.Module, sizes: _Sizes) -> None:
    """Numbers in matrices that begin as zeros: with those, no output would tell whether a program is right.

    On the meta device every parameter is there, those too that a model makes on a device of its own choice.
    """
    if sizes.weights == "meta":
        for part in model.modules():
            for key, parameter in list(part.named_parameters(recurse=False)):
                if not parameter.is_meta:
                    setattr(part, key, nn.Parameter(parameter.to("meta"), parameter.requires_grad))
        return
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1 and parameter.is_floating_point() and not parameter.any():
                parameter.normal_(std=0.02)


def _dtype(config: Any, sizes: _Sizes) -> torch.dtype:
    """The configuration's element type; random weights are in 32 bits, so that they can be compared."""
    given = getattr(config, "dtype", None)
    if isinstance(given, str):
        given = getattr(torch, given.removeprefix("torch."), None)
    return given if isinstance(given, torch.dtype) and sizes.weights == "meta" else torch.float32


def _diffusion(
    name: str, values: dict[str, Any], entries: Mapping[str, object], sizes: _Sizes
) -> ModelSource:
    diffusers = library("diffusers")
    kind = values["_class_name"]
    if not hasattr(diffusers, kind):
        raise ModelError(f"diffusers {diffusers.__version__} does not know the model '{kind}'.")
    if sizes.phase:
        raise ModelError(f"'{name}' generates no tokens: it has no phases.")
    config = {key: value for key, value in values.items() if not key.startswith("_")} | dict(entries)
    with sizes.device:
        model: nn.Module = getattr(diffusers, kind).from_config(config)
    _filled(model.eval(), sizes)
    module, inputs = diffusion_call(model, sizes.batch, sizes.seq or 77)
    return ModelSource(name, module, inputs, partial(of_diffusers, module, inputs))
