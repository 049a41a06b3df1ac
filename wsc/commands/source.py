"""The model that a command is given: a file with a factory, or a configuration by name, with its options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsc.compiler.errors import UserError

if TYPE_CHECKING:
    from wsc.frontend.model_file import ModelSource


def load_source(spec: str, options: dict[str, str], download: bool = False) -> ModelSource:
    """The model of a file, or of a configuration; raises a subclass of UserError. Imports PyTorch."""
    from wsc.frontend import hf, model_file

    if spec.startswith(hf.PREFIX):
        return hf.load_hf(spec, options, download)
    if download:
        raise UserError(f"--download is for hf: models; '{spec}' is a file.")
    return model_file.load(spec, options)


def options_of(defines: list[str]) -> dict[str, str]:
    """The options of -D by key; raises UserError for one that is given twice with different values."""
    options: dict[str, str] = {}
    for key, value in map(_split, defines):
        if options.setdefault(key, value) != value:
            raise UserError(f"The option '{key}' is given twice, as {options[key]} and as {value}.")
    return options


def _split(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise UserError(f"-D takes KEY=VALUE, as in -D seq=512; '{text}' was given.")
    return key, value
