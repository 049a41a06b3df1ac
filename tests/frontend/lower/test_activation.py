"""Activations and softmax."""

import torch
from torch import nn
from torch.nn import functional as F

MODULES = [
    nn.CELU(1.3),
    nn.ELU(0.7),
    nn.GELU(),
    nn.GELU(approximate="tanh"),
    nn.GLU(),
    nn.Hardsigmoid(),
    nn.Hardswish(),
    nn.Hardtanh(-0.5, 0.5),
    nn.LeakyReLU(0.2),
    nn.LogSigmoid(),
    nn.LogSoftmax(dim=1),
    nn.Mish(),
    nn.PReLU(),
    nn.ReLU(),
    nn.ReLU6(),
    nn.SELU(),
    nn.SiLU(),
    nn.Softmax(dim=0),
    nn.Softplus(),
    nn.Softplus(beta=2),
    nn.Softsign(),
    nn.Tanhshrink(),
    nn.Threshold(0.1, 0.3),
]


class All(nn.Module):
    def __init__(self, modules):
        super().__init__()
        self.all = nn.ModuleList(modules)

    def forward(self, x):
        return [module(x) for module in self.all]


def test_modules(check):
    x = torch.linspace(-4, 4, 24).reshape(4, 6)
    check(All(MODULES), x)


def test_softmax_forms(check, check_each, text):
    x = torch.randn(2, 3, 4)
    graph = check(lambda x: F.softmax(x, dim=-1), x)
    assert "%softmax = softmax(dim=2, log=False) %tensors_0 : f32[2,3,4]\n" in text(graph)
    functions = {
        "half": lambda x: F.softmax(x.bfloat16(), dim=1, dtype=torch.float32),
        "private": lambda x: torch._softmax(x, 0, False) + torch._log_softmax(x, 0, False),
        "logsumexp": lambda x: torch.logsumexp(x, dim=1),
        "single": lambda x: F.softmax(x.sum(), dim=0),
    }
    check_each(functions, x)


def test_dropout_is_nothing(check):
    graph = check(nn.Sequential(nn.Dropout(0.5), nn.Dropout2d(0.5)), torch.randn(2, 3, 4, 4))
    assert len(graph.nodes) == 1
