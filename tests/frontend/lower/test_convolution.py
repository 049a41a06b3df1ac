"""Convolutions over one to three dimensions, grouped, strided, dilated, padded."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wsc.compiler.ir.interpret import interpret
from wsc.frontend.training import capture_training


def test_conv2d(check, text):
    graph = check(nn.Conv2d(3, 4, (3, 5), stride=(1, 2), padding=(1, 2), bias=False), torch.randn(1, 3, 6, 7))
    assert text(graph) == (
        'graph "test" version 1\n'
        "%input = input(index=0) : f32[1,3,6,7]\n"
        "%weight = parameter(key='weight') : f32[4,3,3,5]\n"
        "%conv2d = contract(equation='nchw,ocrs->nohw', windows=(('h', 'r', 1, 1, 1, 1), ('w', 's', 2, 1, 2, 2)))"
        " %input %weight : f32[1,4,6,4]\n"
        "return %conv2d\n"
    )


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("conv", [nn.Conv1d, nn.Conv2d, nn.Conv3d])
def test_dimensions(check, conv):
    dims = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}[conv]
    batch, single = torch.randn(3, 2, *[5] * dims), torch.randn(2, *[6] * dims)
    plain, same = (
        conv(2, 4, 3, padding=1),
        [conv(2, 4, 3, padding="same", dilation=2), conv(2, 4, 4, padding="same")],
    )
    check(lambda x, y: (plain(x), same[0](y), same[1](x)), batch, single)


def test_depthwise(check):
    check(nn.Conv2d(6, 6, 3, padding=1, groups=6), torch.randn(2, 6, 5, 5))


window = st.fixed_dictionaries(
    {
        "stride": st.integers(1, 3),
        "padding": st.integers(0, 2),
        "dilation": st.integers(1, 2),
        "groups": st.sampled_from([1, 2]),
    }
)


@settings(max_examples=3)
@given(windows=st.lists(window, min_size=6, max_size=6), extent=st.integers(7, 9))
def test_any_window(check, windows, extent):
    convs = [nn.Conv1d(4, 6, 3, **window) for window in windows]
    check(lambda x: [conv(x) for conv in convs], torch.randn(2, 4, extent))


def test_general_form(check):
    check(
        lambda x, w: torch.convolution(x, w, None, [2], [1], [1], False, [0], 1),
        torch.randn(1, 2, 6),
        torch.randn(3, 2, 3),
    )


@settings(max_examples=3)
@given(windows=st.lists(window, min_size=4, max_size=4), extent=st.integers(4, 6))
def test_transposed(check, windows, extent):
    convs = [nn.ConvTranspose1d(4, 6, 3, **window) for window in windows]
    convs.append(nn.ConvTranspose1d(4, 2, 2, stride=3, output_padding=1))
    check(lambda x: [conv(x) for conv in convs], torch.randn(2, 4, extent))


def test_transposed_with_taps_that_never_meet(check):
    """As torch counts them: no product with the zeros that another formulation puts between the elements."""
    graph = check(nn.ConvTranspose2d(4, 6, 2, 2, groups=2), torch.randn(3, 4, 5, 7))
    assert graph.work().macs == 3 * 5 * 7 * 4 * 3 * 2 * 2


@pytest.mark.parametrize(
    ("taps", "stride", "padding", "more"),
    [
        (4, 2, 1, 0),
        (8, 2, 3, 0),
        (16, 8, 4, 0),
        (3, 2, 1, 1),
        (4, 1, 0, 0),
        (6, 2, 0, 0),
        (3, 3, 0, 0),
        (1, 2, 0, 1),
    ],
)
def test_transposed_multiplies_as_often_as_torch_counts(check, taps, stride, padding, more):
    """Each element by each tap, whether the taps of neighbours meet or the result has a border."""
    conv = nn.ConvTranspose1d(4, 6, taps, stride, padding, more)
    graph = check(conv, torch.randn(3, 4, 7))
    assert graph.work().macs == 3 * 7 * 4 * 6 * taps


def test_transposed_of_a_single_position(check):
    graph = check(nn.ConvTranspose2d(5, 4, 4, 1, 0), torch.randn(2, 5, 1, 1))
    assert graph.work().macs == 2 * 5 * 4 * 16


def test_transposed_in_two_dimensions(check):
    check(nn.ConvTranspose2d(2, 4, (2, 3), stride=(2, 1), padding=(0, 1)), torch.randn(1, 2, 4, 5))


class Loss(nn.Module):
    """Convolutions of what another one makes of the input, so that gradients flow through all of them."""

    def __init__(self, convs):
        super().__init__()
        self.convs, self.first = nn.ModuleList(convs), nn.Conv1d(4, 4, 3, padding=1)

    def forward(self, x):
        x = self.first(x)
        return sum(conv(x).square().mean() for conv in self.convs)


@settings(max_examples=3)
@given(windows=st.lists(window, min_size=3, max_size=3), extent=st.integers(7, 9))
def test_gradients(windows, extent):
    loss = Loss(nn.Conv1d(4, 6, 3, **window) for window in windows)
    found = capture_training(loss, (torch.randn(2, 4, extent),), "m")
    ours = interpret(found.model.graph, found.example_inputs, found.model.weights)
    for a, b in zip(ours, found.reference(found.example_inputs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
