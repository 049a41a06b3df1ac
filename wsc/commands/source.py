"""The model that a command is given: a file with a factory, or a configuration by name, and how it is captured."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wsc.compiler.errors import UserError
from wsc.compiler.passes.expert_load import ExpertLoad, with_expert_load
from wsc.compiler.passes.precision import Precision
from wsc.expert_load import read_expert_load

if TYPE_CHECKING:
    from wsc.api import Compilable
    from wsc.frontend.model_file import ModelSource
    from wsc.frontend.training_step import Recipe


@dataclass(frozen=True)
class Training:
    """Options of training as given: see `frontend.training_step.Recipe`."""

    optimizer: str
    accumulate: int
    recompute: bool

    @staticmethod
    def of(wanted: bool, optimizer: str | None, accumulate: int | None, recompute: bool) -> Training | None:
        """From the command line; None without --training. Raises UserError for options that go with it alone."""
        given = {"--optimizer": optimizer, "--accumulate": accumulate, "--recompute": recompute or None}
        named = [option for option, value in given.items() if value is not None]
        if not wanted and named:
            raise UserError(f"{' and '.join(named)}: such options go with --training.")
        return Training(optimizer or "adamw", accumulate or 1, recompute) if wanted else None

    def recipe(self) -> Recipe:
        """The recipe; raises UserError for an optimiser that there is not."""
        from wsc.frontend.training_step import Recipe

        return Recipe(self.optimizer, self.accumulate, self.recompute)


@dataclass(frozen=True)
class Request:
    """A model by file or name, options for it, and what is to be made of it."""

    spec: str
    options: dict[str, str] = field(default_factory=dict)
    download: bool = False
    load: ExpertLoad = field(default_factory=ExpertLoad)
    training: Training | None = None

    @staticmethod
    def of(
        spec: str,
        defines: list[str],
        *,
        download: bool = False,
        expert_load: Path | None = None,
        training: Training | None = None,
    ) -> Request:
        """From the command line; raises UserError for options at odds, or a file that cannot be read."""
        options = options_of(defines)
        if training and "phase" in options:
            raise UserError("--phase is of inference: training takes whole inputs.")
        return Request(spec, options, download, read_expert_load(expert_load), training)

    def source(self) -> ModelSource:
        """The model; raises a subclass of UserError. Imports PyTorch."""
        from wsc.frontend import hf, model_file

        if self.spec.startswith(hf.PREFIX):
            return hf.load_hf(self.spec, self.options, self.download)
        if self.download:
            raise UserError(f"--download is for hf: models; '{self.spec}' is a file.")
        return model_file.load(self.spec, self.options)

    def captured(self, source: ModelSource, precision: Precision) -> Sequence[Compilable]:
        """What the source becomes, the main program last; one only but where gradients are accumulated."""
        found = self._captured(source, precision)
        gc.freeze()  # PyTorch and the module stay to the end: walking them again and again is a quarter of some plans
        return found

    def _captured(self, source: ModelSource, precision: Precision) -> Sequence[Compilable]:
        from wsc.frontend.capture import capture

        if self.training is None:
            found = capture(source.module, source.example_inputs, source.name)
            return [replace(found, model=with_expert_load(found.model, self.load)).in_precision(precision)]
        from wsc.frontend.training import capture_training
        from wsc.frontend.training_step import training_programs

        recipe = self.training.recipe()
        trained = capture_training(*source.trainable(), source.name)
        trained = replace(trained, model=with_expert_load(trained.model, self.load))
        return training_programs(trained, recipe, precision)


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
