import torch
from torch import nn


class Number(nn.Module):
    def forward(self, x):
        return 5


def model():
    return Number()


def example_inputs():
    return (torch.zeros(3),)
