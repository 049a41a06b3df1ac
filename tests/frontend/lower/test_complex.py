"""Complex numbers as pairs: rotary embeddings written with them."""

import pytest
import torch

from wsc.compiler.errors import UnsupportedModel
from wsc.frontend.capture import capture


def rotary(x, angles):
    turned = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    factors = torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned * factors[None, :, None]).flatten(3)


def test_rotary_embedding_with_angles_given(check):
    check(rotary, torch.randn(2, 5, 3, 8), torch.randn(5, 4))


def test_rotary_embedding_with_angles_known(check):
    angles = torch.outer(torch.arange(5.0), torch.rand(4))
    graph = check(lambda x: rotary(x, angles), torch.randn(2, 5, 3, 8))
    assert not any(getattr(node.op, "fn", "") == "cos" for node in graph)


def test_products_with_real_factors_and_conjugates(check):
    def function(x, y):
        z = torch.view_as_complex(x)
        return torch.view_as_real(2 * z * y), torch.view_as_real(torch.conj_physical(z) * z)

    check(function, torch.randn(3, 4, 2), torch.randn(3, 4))


def test_complex_numbers_made_of_two_tensors(check):
    def function(x, y):
        return torch.view_as_real(torch.complex(x, y) * torch.complex(y, x)), torch.complex(x, y).imag

    check(function, torch.randn(3, 4), torch.randn(3, 4))


def test_other_arithmetic_is_refused():
    class Root(torch.nn.Module):
        def forward(self, x):
            return torch.view_as_complex(x).sqrt().abs()

    with pytest.raises(UnsupportedModel, match="complex numbers; write it with"):
        capture(Root(), (torch.randn(3, 2),), "m")
