"""A perceptron: linear layers with ReLU between them.

The smallest model worth compiling: a chain of matrix products that a machine can pipeline layer by layer.

    wsc compile samples/mlp.py -D width=1024 -D depth=4 -D batch=32
"""

import torch
from torch import Tensor, nn


class MLP(nn.Module):
    def __init__(self, width: int, depth: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def model(width: int = 256, depth: int = 3, classes: int = 10) -> nn.Module:
    return MLP(width, depth, classes)


def example_inputs(width: int = 256, batch: int = 16) -> tuple[Tensor, ...]:
    return (torch.randn(batch, width),)
