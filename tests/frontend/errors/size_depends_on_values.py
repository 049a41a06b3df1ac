import torch
from torch import nn


class Positive(nn.Module):
    def forward(self, x):
        return x[x > 0] * 2


def model():
    return Positive()


def example_inputs():
    return (torch.zeros(3),)
