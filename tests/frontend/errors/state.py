import torch
from torch import nn


class Cache(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(3))

    def forward(self, x):
        self.seen.add_(x)
        return x.mul_(2)


def model():
    return Cache()


def example_inputs():
    return (torch.zeros(3),)
