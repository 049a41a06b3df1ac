from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Result:
    values: torch.Tensor


class Wrapped(nn.Module):
    def forward(self, x):
        return Result(x + 1)


def model():
    return Wrapped()


def example_inputs():
    return (torch.zeros(3),)
