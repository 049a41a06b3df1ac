"""Linear recurrences: kept whole through export, and differentiable."""

from importlib import import_module

import pytest
import torch
from torch import nn
from torch._higher_order_ops import associative_scan

from wsc.compiler.ops import Elementwise, Recurrence


def loop(a, b):
    state, found = torch.zeros_like(b[:, 0]), []
    for t in range(b.shape[1]):
        state = a[:, t] * state + b[:, t]
        found.append(state)
    return torch.stack(found, 1)


class Scanned(nn.Module):
    """A selective scan as state-space models write it for a compiler."""

    def __init__(self, rule):
        super().__init__()
        self.rule = rule

    def forward(self, a, b):
        return associative_scan(self.rule, (a, b), dim=1, combine_mode="generic")[1]


def linear(left, right):
    return left[0] * right[0], right[0] * left[1] + right[1]


def test_the_operation_is_the_loop():
    a, b = torch.rand(2, 5, 3), torch.randn(2, 5, 3)
    torch.testing.assert_close(torch.ops.wsc.recurrence(a, b, 1), loop(a, b))


def test_its_gradient_is_the_loops():
    a, b = (torch.rand(2, 5, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    ours = torch.autograd.grad(torch.ops.wsc.recurrence(a, b, 1).square().sum(), (a, b))
    theirs = torch.autograd.grad(loop(a, b).square().sum(), (a, b))
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their)


def test_an_associative_scan_with_that_rule_is_one_node(check):
    graph = check(Scanned(linear), torch.rand(2, 9, 3), torch.randn(2, 9, 3))
    assert [node.op.kind for node in graph].count("recurrence") == 1
    assert not any(isinstance(node.op, Elementwise) for node in graph)


def test_another_rule_stays_what_it_is(check):
    graph = check(
        Scanned(lambda x, y: (x[0] + y[0], torch.maximum(x[1], y[1]))), torch.rand(2, 4), torch.rand(2, 4)
    )
    assert not any(isinstance(node.op, Recurrence) for node in graph)


def test_the_patch_ends_with_the_export(check):
    home = import_module("torch._higher_order_ops.associative_scan")
    before = home.associative_scan
    check(Scanned(linear), torch.rand(1, 3), torch.randn(1, 3))
    assert home.associative_scan is associative_scan is before


class Cache:
    """A result that torch cannot take apart."""


class WithCache(nn.Module):
    def forward(self, x):
        return {"sum": x + 1, "cache": Cache()}


@pytest.mark.filterwarnings("error")
def test_objects_in_a_result_are_left_out(check):
    graph = check(WithCache(), torch.randn(3))
    assert graph.outputs == ("add",)
