import torch
from torch import nn


class Choice(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        return -x


def model():
    return Choice()


def example_inputs():
    return (torch.zeros(3),)
