"""Pooling and change of resolution."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from wsc.compiler.errors import UnsupportedModel

X = torch.randn(2, 3, 8, 9, generator=torch.Generator().manual_seed(1))

FUNCTIONS = {
    "adaptive_one": lambda x: F.adaptive_avg_pool2d(x, 1),
    "adaptive_parts": lambda x: F.adaptive_avg_pool2d(x, (4, 3)),
    "adaptive_1d": lambda x: F.adaptive_avg_pool1d(x[0], 3),
    "avg": lambda x: F.avg_pool2d(x, 2),
    "avg_padded": lambda x: F.avg_pool2d(x, 3, stride=2, padding=1),
    "avg_padded_out": lambda x: F.avg_pool2d(
        x, 3, stride=2, padding=1, count_include_pad=False, ceil_mode=True
    ),
    "avg_ceil": lambda x: F.avg_pool2d(x, 3, stride=2, ceil_mode=True),
    "avg_wider": lambda x: F.avg_pool2d(x, 20, ceil_mode=True),
    "avg_1d": lambda x: F.avg_pool1d(x[0], 2),
    "avg_3d": lambda x: F.avg_pool3d(x, 2),
    "max": lambda x: F.max_pool2d(x, 3, stride=2, padding=1),
    "max_dilated": lambda x: F.max_pool2d(x, 2, stride=1, dilation=2),
    "max_ceil": lambda x: F.max_pool2d(x, 3, stride=2, ceil_mode=True),
    "max_1d": lambda x: F.max_pool1d(x[0], 3),
    "max_indices": lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    "nearest": lambda x: F.interpolate(x, scale_factor=2),
    "nearest_any": lambda x: F.interpolate(x, size=(11, 7)),
    "nearest_factor": lambda x: F.interpolate(x, scale_factor=1.7),
    "nearest_1d": lambda x: F.interpolate(x[0], scale_factor=3),
    "bilinear": lambda x: F.interpolate(x, size=(11, 7), mode="bilinear"),
    "bilinear_corners": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
}


def test_functions(check_each):
    check_each(FUNCTIONS, X)


window = st.tuples(st.integers(2, 4), st.integers(1, 3), st.booleans(), st.booleans())


@settings(max_examples=3)
@given(windows=st.lists(window, min_size=8, max_size=8))
def test_any_window(check, windows):
    pools = [
        nn.MaxPool2d(kernel, stride, padding=kernel // 2 if padded else 0, ceil_mode=ceil)
        for kernel, stride, padded, ceil in windows
    ]
    check(lambda x: [pool(x) for pool in pools], X)


REFUSED = {
    "unequal": lambda x: F.adaptive_avg_pool2d(x, 5),
    "reach beyond": lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True),
    "of integers": lambda x: F.max_pool2d(x.int(), 2),
    "a divisor": lambda x: F.avg_pool2d(x, 2, divisor_override=3),
    "places of the maxima": lambda x: F.max_pool2d(x, 2, return_indices=True),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refused(check, reason):
    with pytest.raises(UnsupportedModel, match=reason):
        check(REFUSED[reason], X)
