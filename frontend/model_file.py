"""A user's model file: a Python file with `model()` and `example_inputs()`, loaded and called."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import cast

import torch
from torch import Tensor, nn

from wsc.compiler.errors import ModelError
from wsc.frontend.arguments import ExampleInputs
from wsc.frontend.losses import Trainable, WithLoss
from wsc.frontend.places import said_by, shown_path

Option = int | float | bool | str
_Function = Callable[..., object]


@dataclass(frozen=True)
class ModelSource:
    """A module and the arguments to call it with, as the model file makes them; `name` is the file's or factory's."""

    name: str
    module: nn.Module = field(repr=False)
    example_inputs: ExampleInputs = field(repr=False)
    training: Callable[[], Trainable] | None = field(repr=False, default=None)

    def trainable(self) -> Trainable:
        """A module that returns its loss, and how to call it: the model itself where nothing else is said."""
        return self.training() if self.training else (self.module, self.example_inputs)


def load(spec: str, options: Mapping[str, str]) -> ModelSource:
    """The model that `path/model.py` or `path/model.py:factory` makes when called with the options it accepts.

    Option values are Python literals where they can be read as such. Raises ModelError, in one paragraph, for whatever
    is wrong with the file, with what it defines, or inside the functions it defines.
    """
    path, factory_name = _split(spec)
    with _importable(path.parent):
        file = _import(path)
        factory = _function(file, path, factory_name)
        examples = _examples_function(file, path, factory_name)
        targets = [file.targets] if inspect.isfunction(getattr(file, "targets", None)) else []
        values = {key: _literal(text) for key, text in options.items()}
        _check_options(values, factory, examples, *targets)
        torch.manual_seed(0)
        module = _call(factory, values, path)
        example_inputs = _call(examples, values, path)
    place = shown_path(str(path))
    if not isinstance(module, nn.Module):
        raise ModelError(f"{place}: {factory_name}() must return an nn.Module, not {type(module).__name__}.")
    if not isinstance(example_inputs, tuple | dict):
        raise ModelError(
            f"{place}: {examples.__name__}() must return a tuple of arguments or a dict of keyword arguments, "
            f"not {type(example_inputs).__name__}."
        )
    name = path.stem if factory_name == "model" else factory_name
    training = _training(file, path, values, module, example_inputs)
    return ModelSource(name, module, example_inputs, training)


def _training(
    file: ModuleType, path: Path, values: Mapping[str, Option], module: nn.Module, inputs: ExampleInputs
) -> Callable[[], Trainable] | None:
    """The model with the file's `loss(result, *targets)`, called with what its `targets()` returns, if it has them."""
    if not hasattr(file, "loss"):
        return None
    loss = cast(Callable[..., Tensor], _function(file, path, "loss"))

    def trainable() -> Trainable:
        targets = _call(_function(file, path, "targets"), values, path) if hasattr(file, "targets") else ()
        if not isinstance(targets, tuple):
            place = shown_path(str(path))
            raise ModelError(
                f"{place}: targets() must return a tuple of what loss() takes, not {type(targets).__name__}."
            )
        return WithLoss(module, loss), (inputs, *targets)

    return trainable


def _split(spec: str) -> tuple[Path, str]:
    """The absolute path of the file, and the name of the factory in it."""
    text, colon, factory = spec.rpartition(":")
    text, factory = (text, factory) if colon and factory.isidentifier() else (spec, "model")
    path = Path(text)
    if not path.is_file():
        raise ModelError(f"There is no model file '{text}'.")
    if path.suffix != ".py":
        raise ModelError(f"'{text}' is not a Python file: a model file ends in .py and defines `model()`.")
    return Path.cwd() / path, factory


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Lets the file import what lies beside it."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _import(path: Path) -> ModuleType:
    """The file as a module under a name of its own, so that it hides no other module."""
    spec = importlib.util.spec_from_file_location(f"_wsc_model_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look their module up
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        file = shown_path(error.filename or str(path))
        raise ModelError(f"{file}:{error.lineno}: Python cannot read the model file: {error.msg}.") from error
    except Exception as error:
        raise ModelError(f"{said_by(error)} So '{shown_path(str(path))}' cannot be imported.") from error
    return module


def _function(file: ModuleType, path: Path, name: str) -> _Function:
    function = getattr(file, name, None)
    if inspect.isfunction(function) or isinstance(function, type):
        return function
    found = ", ".join(f"{found}()" for found in _own_functions(file))
    found = f"it defines {found}" if found else "it defines no functions"
    raise ModelError(f"'{shown_path(str(path))}' has no function {name}(): {found}.")


def _examples_function(file: ModuleType, path: Path, factory: str) -> _Function:
    own = f"{factory}_example_inputs"
    return _function(file, path, own if factory != "model" and hasattr(file, own) else "example_inputs")


def _own_functions(file: ModuleType) -> list[str]:
    return [name for name, value in vars(file).items() if getattr(value, "__module__", "") == file.__name__]


def _literal(text: str) -> Option:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, int | float | bool | str) else text


def _check_options(values: Mapping[str, Option], *functions: _Function) -> None:
    """Every option must be known to one of the functions."""
    accepted = sorted({name for function in functions for name in _parameters(function, values)})
    for key in values:
        if key in accepted:
            continue
        nearest = get_close_matches(key, accepted, n=1)
        hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
        known = f"it accepts {', '.join(accepted)}" if accepted else "it accepts none"
        raise ModelError(f"The model has no option '{key}': {known}.{hint}")


def _parameters(function: _Function, values: Mapping[str, Option]) -> list[str]:
    """Names the function can be given; any of those at hand if it takes **options."""
    parameters = inspect.signature(function).parameters.values()
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return [*named, *(values if any(p.kind == p.VAR_KEYWORD for p in parameters) else ())]


def _call(function: _Function, values: Mapping[str, Option], path: Path) -> object:
    accepted = _parameters(function, values)
    try:
        return function(**{key: value for key, value in values.items() if key in accepted})
    except Exception as error:
        raise ModelError(
            f"{said_by(error)} So {function.__name__}() of '{shown_path(str(path))}' fails."
        ) from error
