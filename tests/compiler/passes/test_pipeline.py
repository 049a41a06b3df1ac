from dataclasses import replace

import numpy as np
import pytest

from tests.compiler.graphs import model
from tests.compiler.passes.checks import check_pass
from wsc.compiler.errors import VerificationError
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import TensorType
from wsc.compiler.passes.pipeline import DEFAULT, Step, run_pipeline

# Two residual branches as capture gives them: norms spelled out, masks built twice, weights transposed.
NET = (
    "%x = input(index=0) : f32[2,4,6]",
    "%unread = input(index=1) : i64[3]",
    "%w = parameter(key='w') : f32[6,6]",
    "%b = parameter(key='b') : f32[6]",
    "%var = parameter(key='var') : f32[6]",
    "%zero = constant(key='zero') : f32[1]",
    "%keep = constant(key='keep') : bool[1,4,4]",
    "%wt = permute(order=(1,0)) %w : f32[6,6]",
    "%y = contract(equation='bsk,kn->bsn') %x %wt : f32[2,4,6]",
    "%b3 = reshape(shape=(1,1,6)) %b : f32[1,1,6]",
    "%be = expand(shape=(2,4,6)) %b3 : f32[2,4,6]",
    "%yb = elementwise(fn='add', scalars=(None, None)) %y %be : f32[2,4,6]",
    "%eps = elementwise(fn='add', scalars=(None, 1e-05)) %var : f32[6]",
    "%rs = elementwise(fn='rsqrt', scalars=(None,)) %eps : f32[6]",
    "%r3 = reshape(shape=(1,1,6)) %rs : f32[1,1,6]",
    "%n = elementwise(fn='mul', scalars=(None, None)) %yb %r3 : f32[2,4,6]",
    "%same = reshape(shape=(2,4,6)) %n : f32[2,4,6]",
    "%a1 = attention(scale=0.4, causal=True) %same %same %same %keep : f32[2,4,6]",
    "%a2 = attention(scale=0.4, causal=True) %a1 %a1 %a1 %keep : f32[2,4,6]",
    "%copy = cast(dtype='f32') %a2 : f32[2,4,6]",
    "%out = elementwise(fn='add', scalars=(None, None)) %copy %x : f32[2,4,6]",
    "return %out",
)


def test_the_default_pipeline() -> None:
    after = check_pass("pipeline", run_pipeline, model(*NET))
    kinds = [node.op.kind for node in after.graph if not node.is_source]
    assert kinds == ["contract", "elementwise", "attention", "attention", "elementwise"]


def test_every_step_says_why() -> None:
    assert all(step.why for step in DEFAULT)
    assert DEFAULT[0].name == "dead_code"


def broken(model: Model) -> Model:
    """Forgets what the outputs are."""
    return replace(model, graph=replace(model.graph, outputs=("gone",)))


def forgetful(model: Model) -> Model:
    """Loses the bytes of constants."""
    return Model(model.graph, {})


def careless(model: Model) -> Model:
    """Turns a weight without saying so."""
    return Model(model.graph, {**model.weights, "b": np.zeros((6, 1), np.float32)})


def widened(model: Model) -> Model:
    """Gives a weight another type, and leaves its readers the nodes that they were."""
    wide = TensorType.parse("f32[7,6]")
    nodes = tuple(replace(n, type=wide) if n.name == "w" else n for n in model.graph.nodes)
    weights = {**model.weights, "w": np.zeros(wide.shape, np.float32)}
    return Model(replace(model.graph, nodes=nodes), weights)


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        (broken, "after pass 'broken': graph 'test': outputs ('gone',) are not all nodes"),
        (forgetful, "after pass 'forgetful': constant 'zero' has no bytes"),
        (careless, "after pass 'careless': weight 'b' says f32[6], its bytes are float32[6, 1]"),
        (
            widened,
            "after pass 'widened': node 'wt' says f32[6,6], its op infers f32[6,7], at unknown place",
        ),
    ],
)
def test_the_driver_names_the_pass_that_breaks_an_invariant(apply: object, message: str) -> None:
    assert callable(apply)
    with pytest.raises(VerificationError) as caught:
        run_pipeline(model(*NET), [Step(apply, "to be caught")])
    assert str(caught.value) == message


def test_a_model_that_is_broken_before_is_no_fault_of_a_pass() -> None:
    with pytest.raises(VerificationError, match=r"^before the passes: "):
        run_pipeline(broken(model(*NET)))
