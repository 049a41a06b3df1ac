"""What models spell out is found again, and what only looks like it is not."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.verify import verify
from wsc.compiler.passes.recognise import recognise
from wsc.frontend.capture import capture

Q, K, V = (torch.randn(2, 3, n, 4) for n in (5, 6, 6))
MASK = torch.randn(5, 6)
KEEP = torch.rand(5, 6) > 0.3


def spelled(q, k, v, mask=None, scale=0.5):
    scores = q @ k.transpose(-1, -2) * scale
    return F.softmax(scores if mask is None else scores + mask, -1) @ v


def shared(q, k, v):
    scores = q @ k.transpose(-1, -2)
    return F.softmax(scores, -1) @ v, scores


def dropped(q, k, v):
    return F.softmax((q @ k.transpose(-1, -2) / 2).masked_fill(~KEEP, float("-inf")), -1) @ v


def rms(x):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *tensors):
        return self.function(*tensors)


def kinds(function, *inputs):
    """The kinds of op after the pass, which changes no number."""
    captured = capture(Function(function), inputs, "m")
    found = recognise(captured.model)
    verify(found.graph)
    assert recognise(found) == found
    ours = interpret(found.graph, captured.example_inputs, found.weights)
    for a, b in zip(ours, captured.reference(captured.example_inputs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    return [node.op.kind for node in found.graph]


FOUND = {
    "attention": ("attention", spelled, (Q, K, V)),
    "attention with a mask": ("attention", lambda q, k, v: spelled(q, k, v, MASK), (Q, K, V)),
    "attention that drops": ("attention", dropped, (Q, K, V)),
    "attention with a mask of keys": ("attention", lambda q, k, v: spelled(q, k, v, MASK[:1]), (Q, K, V)),
    "rms norm": ("norm", rms, (Q,)),
    "rms norm by a product": ("norm", lambda x: torch.rsqrt((x * x).mean(-1, True) + 1e-5) * x, (Q,)),
}
LEFT = {
    "scores read elsewhere": (shared, (Q, K, V)),
    "softmax over queries": (lambda q, k, v: F.softmax(q @ k.transpose(-1, -2), -2) @ v, (Q, K, V)),
    "another mean": (lambda x: x * torch.rsqrt((x * x).mean(-1, True).abs() + 1e-5), (Q,)),
    "mean of another": (lambda x, y: x * torch.rsqrt((y * y).mean(-1, True) + 1e-5), (Q, Q + 1)),
}


@pytest.mark.parametrize("name", FOUND)
def test_found(name):
    kind, function, inputs = FOUND[name]
    found = kinds(function, *inputs)
    assert found.count(kind) == 1
    assert not {"softmax", "reduce"} & set(found)


@pytest.mark.parametrize("name", LEFT)
def test_left(name):
    function, inputs = LEFT[name]
    assert not {"attention", "norm"} & set(kinds(function, *inputs))
