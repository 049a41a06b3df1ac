"""The programs of a training step, with torch's own answer to compare with: forward, backward and optimiser in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.func import functional_call

from wsc.compiler.errors import ModelError, UserError
from wsc.compiler.ir.interpret import check_inputs
from wsc.compiler.ir.model import Model
from wsc.compiler.ops.base import Array
from wsc.compiler.passes.pipeline import DEFAULT, RECOMPUTING, Step
from wsc.compiler.passes.precision import Precision, with_precision
from wsc.compiler.training import SGD, AdamW, accumulate, adamw, initial_state, sgd
from wsc.frontend.arguments import tensors_in
from wsc.frontend.capture import module_tensors
from wsc.frontend.tensors import from_numpy, has_data, to_numpy
from wsc.frontend.training import Trained

Rule = AdamW | SGD
# AdamW as BERT is trained. With torch's eps of 1e-8 a gradient that is zero but for rounding, as that of a key's bias,
# moves its parameter by rounding alone, and no two machines agree.
OPTIMIZERS: dict[str, Rule | None] = {"adamw": AdamW(eps=1e-6), "sgd": SGD(), "none": None}


@dataclass(frozen=True)
class Recipe:
    """How to train: an optimiser of OPTIMIZERS ("none" gives the gradients), and after how many inputs it steps.

    With `recompute` layers compute their activations again in the backward pass. Raises UserError for unknown ones.
    """

    optimizer: str = "adamw"
    accumulate: int = 1
    recompute: bool = False

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise UserError(f"There is no optimizer '{self.optimizer}': there are {', '.join(OPTIMIZERS)}.")
        if self.accumulate > 1 and self.rule is None:
            raise UserError(
                "--accumulate sums gradients for an optimizer; with --optimizer none there is no step."
            )

    @property
    def rule(self) -> Rule | None:
        """The optimiser with its constants."""
        return OPTIMIZERS[self.optimizer]


@dataclass(frozen=True)
class TrainingProgram:
    """What runs for one input: the loss, then gradients or the next state, of their sums or of a whole step."""

    model: Model
    example_inputs: tuple[Array, ...] | None  # with the state before the first step; None on the meta device
    trained: Trained = field(repr=False)
    rule: Rule | None
    accumulated: bool  # gradients of earlier inputs are among the state
    passes: tuple[Step, ...] = field(repr=False, default=DEFAULT)
    rounded: bool = False

    def reference(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        """What autograd and torch's optimiser compute; raises InputMismatch, or ModelError for weights without data."""
        check_inputs(self.model.graph, inputs)
        if not all(map(has_data, module_tensors(self.trained.module).values())):
            raise ModelError(f"'{self.model.graph.name}' has weights on the meta device: it cannot be run")
        own = len(self.trained.arguments.tensors)
        tensors = [from_numpy(array) for array in inputs]
        state = dict(zip((n.name for n in self.model.graph.inputs[own:]), tensors[own:], strict=True))
        values = {key: nn.Parameter(state.get(key, self._weight(key))) for key in self.trained.parameters}
        args, kwargs = self.trained.arguments.filled(tensors[:own])
        with torch.enable_grad():
            (loss,) = tensors_in(functional_call(self.trained.module, dict(values), args, kwargs))
            gradients = torch.autograd.grad(loss, list(values.values()))
        return tuple(map(to_numpy, (loss, *self._following(values, gradients, state))))

    def _weight(self, key: str) -> Tensor:
        return module_tensors(self.trained.module)[key].detach().clone()

    def _following(
        self, values: dict[str, nn.Parameter], gradients: Sequence[Tensor], state: dict[str, Tensor]
    ) -> list[Tensor]:
        """Gradients, or the next state in the graph's order."""
        sums = [state.get(f"sum.{key}", torch.zeros(())) for key in values]
        totals = [before + new for before, new in zip(sums, gradients, strict=True)]
        if self.rule is None:
            return list(gradients)
        if f"sum.{next(iter(values))}" in state and next(iter(values)) not in state:
            return totals
        optimizer, step = self._optimizer(values, state)
        for parameter, total in zip(values.values(), totals, strict=True):
            parameter.grad = total.to(parameter.dtype)
        optimizer.step()
        found = [step + 1] if isinstance(self.rule, AdamW) else []
        for key, parameter in values.items():
            moments = optimizer.state[parameter]
            found += [parameter, *(moments[m] for m in ("exp_avg", "exp_avg_sq") if m in moments)]
            found += [torch.zeros_like(state[f"sum.{key}"])] if self.accumulated else []
        return found

    def _optimizer(
        self, values: dict[str, nn.Parameter], state: dict[str, Tensor]
    ) -> tuple[torch.optim.Optimizer, Tensor]:
        """torch's own, as it stands after the steps that the state has seen."""
        if isinstance(self.rule, SGD):
            return torch.optim.SGD(values.values(), lr=self.rule.lr), torch.zeros(())
        assert self.rule is not None
        rule, step = self.rule, state["adamw.step"]
        settings = {"lr": rule.lr, "eps": rule.eps, "weight_decay": rule.weight_decay}
        optimizer = torch.optim.AdamW(values.values(), betas=(rule.beta1, rule.beta2), **settings)  # type: ignore[arg-type]
        for key, parameter in values.items():
            first, second = (state[f"adamw.{key}.moment{i}"].clone() for i in (1, 2))
            optimizer.state[parameter] = {"step": step.clone(), "exp_avg": first, "exp_avg_sq": second}
        return optimizer, step


def training_programs(
    trained: Trained, recipe: Recipe, precision: Precision | None = None
) -> tuple[TrainingProgram, ...]:
    """The program of a step, and before it, where gradients of several inputs are summed, the one of all but the last.

    Parameters and what flows are in `precision`; moments and sums stay in 32 bits. Raises UserError for weights in 8
    bits, which a step is too small for.
    """
    precision = precision or Precision()
    if precision.weights in ("int8", "fp8"):
        raise UserError(f"Weights in {precision.weights} cannot be trained: ask for fp32, bf16 or fp16.")
    joint = with_precision(trained.model, replace(precision, weights=None))
    passes = RECOMPUTING if recipe.recompute else DEFAULT
    rounded = joint != trained.model

    def program(model: Model, accumulated: bool) -> TrainingProgram:
        examples = _examples(trained, model, joint)
        return TrainingProgram(model, examples, trained, recipe.rule, accumulated, passes, rounded)

    keys, several = trained.parameters, recipe.accumulate > 1
    match recipe.rule:
        case None:
            return (program(joint, False),)
        case AdamW() as rule:
            step = adamw(joint, keys, rule, several)
        case SGD() as rule:
            step = sgd(joint, keys, rule, several)
    if not several:
        return (program(step, False),)
    summing = accumulate(joint, keys)
    named = replace(summing, graph=replace(summing.graph, name=f"{joint.graph.name}.accumulate"))
    return program(named, True), program(step, True)


def _examples(trained: Trained, model: Model, joint: Model) -> tuple[Array, ...] | None:
    if trained.example_inputs is None or joint.missing_weights():
        return None
    types = [node.type.dtype.numpy for node in joint.graph.inputs]
    given = (array.astype(t, copy=False) for array, t in zip(trained.example_inputs, types, strict=True))
    return (*given, *initial_state(model, joint))
