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
    "adaptive_unequal": lambda x: (F.adaptive_avg_pool2d(x, 5), F.adaptive_avg_pool2d(x, (8, 4))),
    "adaptive_larger": lambda x: F.adaptive_avg_pool2d(x, (11, 9)),
    "adaptive_1d": lambda x: F.adaptive_avg_pool1d(x[0], 3),
    "avg": lambda x: F.avg_pool2d(x, 2),
    "avg_padded": lambda x: F.avg_pool2d(x, 3, stride=2, padding=1),
    "avg_padded_out": lambda x: F.avg_pool2d(
        x, 3, stride=2, padding=1, count_include_pad=False, ceil_mode=True
    ),
    "avg_ceil": lambda x: F.avg_pool2d(x, 3, stride=2, ceil_mode=True),
    "avg_ceil_padded": lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True),
    "avg_divisor": lambda x: F.avg_pool2d(x, (2, 3), divisor_override=3),
    "avg_wider": lambda x: F.avg_pool2d(x, 20, ceil_mode=True),
    "avg_1d": lambda x: F.avg_pool1d(x[0], 2),
    "avg_3d": lambda x: F.avg_pool3d(x, 2),
    "max": lambda x: F.max_pool2d(x, 3, stride=2, padding=1),
    "max_dilated": lambda x: F.max_pool2d(x, 2, stride=1, dilation=2),
    "max_ceil": lambda x: F.max_pool2d(x, 3, stride=2, ceil_mode=True),
    "max_1d": lambda x: F.max_pool1d(x[0], 3),
    "max_indices": lambda x: F.max_pool2d(x, 2, return_indices=True),
    "max_indices_padded": lambda x: F.max_pool2d(x, 3, 2, padding=1, return_indices=True),
    "max_indices_dilated": lambda x: F.max_pool2d(x, 2, 1, dilation=2, return_indices=True)[1],
    "unpool": lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2, output_size=(8, 9)),
    "nearest": lambda x: F.interpolate(x, scale_factor=2),
    "nearest_any": lambda x: F.interpolate(x, size=(11, 7)),
    "nearest_factor": lambda x: F.interpolate(x, scale_factor=1.7),
    "nearest_1d": lambda x: F.interpolate(x[0], scale_factor=3),
    "bilinear": lambda x: F.interpolate(x, size=(11, 7), mode="bilinear"),
    "linear": lambda x: F.interpolate(x[0], size=13, mode="linear"),
    "trilinear": lambda x: F.interpolate(x[None], size=(5, 11, 7), mode="trilinear"),
    "bicubic": lambda x: F.interpolate(x, size=(11, 7), mode="bicubic"),
    "bicubic_corners": lambda x: F.interpolate(x, scale_factor=1.7, mode="bicubic", align_corners=True),
    "bilinear_smooth": lambda x: F.interpolate(x, size=(3, 5), mode="bilinear", antialias=True),
    "bicubic_smooth": lambda x: F.interpolate(x, size=(5, 12), mode="bicubic", antialias=True),
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
    "of integers": lambda x: F.max_pool2d(x.int(), 2),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refused(check, reason):
    with pytest.raises(UnsupportedModel, match=reason):
        check(REFUSED[reason], X)
