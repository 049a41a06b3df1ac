"""Recurrent modules: torch unrolls them over time."""

import torch
from torch import nn


def test_unrolled(check):
    check(nn.GRU(4, 4, batch_first=True), torch.randn(2, 3, 4))
    check(nn.LSTM(4, 4, bidirectional=True), torch.randn(2, 3, 4))
