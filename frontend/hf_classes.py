"""Which class of transformers a configuration is for."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from wsc.compiler.errors import ModelError


def architecture(transformers: Any, config: Any) -> Any:
    """The class that the configuration names, that of the model without a head, the first for any task, or its own.

    Raises ModelError where the library has none.
    """
    for name in config.architectures or ():
        if hasattr(transformers, name):
            return getattr(transformers, name)
    for fits in (_made_for, _runs):
        for found in _in_tables(transformers, config):
            if fits(found, type(config)):
                return found
    if own := list(_beside(transformers, config)):
        return min(own, key=lambda found: _distance(found.__name__, type(config).__name__))
    raise ModelError(
        f"transformers has no model of its own for the model type '{config.model_type}': name a class of it under "
        "'architectures' in the configuration, or write a model file whose model() builds it and whose "
        "example_inputs() returns its arguments."
    )


def _in_tables(transformers: Any, config: Any) -> Iterator[Any]:
    """The classes that the library's tables name for a configuration, that of the model without a head first."""
    mappings = vars(transformers.models.auto.modeling_auto)
    tasks = [mapping for name, mapping in mappings.items() if name.endswith("_MAPPING")]
    for mapping in (transformers.MODEL_MAPPING, *tasks):
        try:
            found = mapping.get(type(config), None)
        except ValueError:  # some entries name classes that the library lacks
            found = None
        yield from found if isinstance(found, tuple) else (found,) if found is not None else ()


def _made_for(model: Any, kind: type) -> bool:
    """Whether it is made of such a configuration: of a model with parts, some tables name the class for one of them."""
    return model.config_class is kind and _runs(model, kind)


def _beside(transformers: Any, config: Any) -> Iterator[Any]:
    """Models that take this kind of configuration, in the module beside that of the configuration: parts of others."""
    place = type(config).__module__.replace(".configuration_", ".modeling_")
    try:
        found = vars(import_module(place)).values()
    except ImportError:
        return
    for value in found:
        model = inspect.isclass(value) and issubclass(value, transformers.PreTrainedModel)
        if (
            model
            and value.config_class is type(config)
            and value.__module__ == place
            and _runs(value, type(config))
        ):
            yield value


def _runs(model: Any, _kind: type) -> bool:
    """Whether it can be called: what only gathers what others share cannot."""
    return bool(model.forward.__qualname__ != "_forward_unimplemented")


def _distance(model: str, config: str) -> tuple[bool, int]:
    """How far a name is from that of the configuration's plain model."""
    stem = config.removesuffix("Config")
    return not model.startswith(stem), abs(len(model) - len(f"{stem}Model"))
