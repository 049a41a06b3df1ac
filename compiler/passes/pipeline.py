"""The order of the passes and why, and the driver that verifies the model around each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wsc.compiler.errors import VerificationError
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.verify import Verified, verify
from wsc.compiler.ops import Constant
from wsc.compiler.passes.bypass_broadcast import bypass_broadcast
from wsc.compiler.passes.causal_mask import causal_mask
from wsc.compiler.passes.dead_code import dead_code
from wsc.compiler.passes.fold_batch_norm import fold_batch_norm
from wsc.compiler.passes.group_queries import group_queries
from wsc.compiler.passes.hoist_weights import hoist_weights
from wsc.compiler.passes.mark_parts import mark_parts
from wsc.compiler.passes.recognise import recognise
from wsc.compiler.passes.recompute import recompute
from wsc.compiler.passes.rewrite import weight_key
from wsc.compiler.passes.simplify import simplify


@dataclass(frozen=True)
class Step:
    """One pass in the pipeline, and why it runs at this place."""

    apply: Callable[[Model], Model]
    why: str

    @property
    def name(self) -> str:
        """The pass's name."""
        return self.apply.__name__


DEFAULT = (
    Step(dead_code, "first, so that no later pass works on what capture left unread"),
    Step(simplify, "before all that look for patterns: identities and views of views hide them"),
    Step(recognise, "before broadcasts are bypassed, which changes the shapes that it looks for"),
    Step(bypass_broadcast, "before hoisting, which leaves expanded weights in the graph"),
    Step(causal_mask, "before hoisting, which then combines it with a mask that is known"),
    Step(fold_batch_norm, "before hoisting, which then computes the new weights"),
    Step(simplify, "again: views of factors, and masks combined alike in every layer"),
    Step(group_queries, "before hoisting, which then computes the masks of groups that are known"),
    Step(hoist_weights, "last, when every expression over weights is as large as it gets"),
    Step(dead_code, "what fusing and hoisting left unread"),
    Step(mark_parts, "over the graph as targets get it"),
)


# Of a training step whose activations are not to be kept.
RECOMPUTING = (
    *DEFAULT,
    Step(recompute, "last, as sharing equal expressions would undo it"),
    Step(mark_parts, "again: of the copies too"),
)


def run_pipeline(model: Model, passes: Sequence[Step] = DEFAULT) -> Model:
    """The model after the passes in order; raises VerificationError, naming the pass that broke an invariant."""
    verified = Verified()
    _verify(model, "before the passes", verified)
    for step in passes:
        before, model = model, step.apply(model)
        if model is not before:
            _verify(model, f"after pass '{step.name}'", verified)
    return model


def _verify(model: Model, when: str, verified: Verified) -> None:
    try:
        verify(model.graph, verified)
        _verify_weights(model)
    except VerificationError as error:
        raise VerificationError(f"{when}: {error}") from error


def _verify_weights(model: Model) -> None:
    """Raise unless constants have bytes, and all bytes the type that their node says."""
    for node in model.graph.weights:
        array = model.weights.get(weight_key(node))
        if array is None and isinstance(node.op, Constant):
            raise VerificationError(f"constant '{node.name}' has no bytes")
        if array is not None and (array.dtype, array.shape) != (node.type.dtype.numpy, node.type.shape):
            found = f"{array.dtype}{list(array.shape)}"
            raise VerificationError(f"weight '{node.name}' says {node.type}, its bytes are {found}")
