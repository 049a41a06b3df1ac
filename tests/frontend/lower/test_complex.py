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


def test_complex_arguments_and_results_are_pairs(check):
    x, turns = torch.randn(2, 3, 4), torch.polar(torch.ones(3, 2), torch.randn(3, 2))
    graph = check(lambda x, z: torch.view_as_complex(x.reshape(2, 3, 2, 2)) * z, x, turns)
    assert [node.type.shape for node in graph.inputs] == [(2, 3, 4), (3, 2, 2)]


def test_products_with_real_factors_and_conjugates(check):
    def function(x, y):
        z = torch.view_as_complex(x)
        return torch.view_as_real(2 * z * y), torch.view_as_real(torch.conj_physical(z) * z)

    check(function, torch.randn(3, 4, 2), torch.randn(3, 4))


def test_complex_numbers_made_of_two_tensors(check):
    def function(x, y):
        return torch.view_as_real(torch.complex(x, y) * torch.complex(y, x)), torch.complex(x, y).imag

    check(function, torch.randn(3, 4), torch.randn(3, 4))


COMPLEX = {
    "sums": lambda z, w, x: (z + w, z - w, z + x, x - z, torch.add(z, w, alpha=2), z + 1.5, -z),
    "products": lambda z, w, x: (z * w, z * 2j, (1 + 2j) * x, z / w, x / w, z / x, z / 2, 1 / w),
    "matrices": lambda z, w, x: (z @ w.mT, torch.einsum("ij,kj->ik", z, w)),
    "parts": lambda z, w, x: (z.abs(), z.angle(), z.real, z.imag, z.conj(), z.exp()),
    "views": lambda z, w, x: (z.mT, z[1:, -2:], z[-1], z.permute(-1, 0), z.unsqueeze(-1).squeeze(-1)),
    "joined": lambda z, w, x: (torch.cat([z, w], -1), torch.stack([z, w]), torch.cat([z, x], 0)),
    "summed": lambda z, w, x: (z.sum(), z.sum(-1), z.mean(0, keepdim=True)),
    "types": lambda z, w, x: (x.to(torch.complex64), torch.complex(x, x)),
    "zeros": lambda z, w, x: torch.nn.functional.pad(z, (1, 2)),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_arithmetic_and_views(check, name):
    def function(x, y):
        z, w = torch.view_as_complex(x), torch.view_as_complex(y)
        found = COMPLEX[name](z, w, x[..., 0])
        found = found if isinstance(found, tuple) else (found,)
        return [torch.view_as_real(f + 0) if f.is_complex() else f for f in found]

    check(function, torch.randn(3, 4, 2), torch.randn(3, 4, 2))


FOURIER = {
    "real": lambda x: torch.fft.rfft(x),
    "real_two": lambda x: torch.fft.rfft2(x, norm="ortho"),
    "full": lambda x: torch.fft.fft(x, dim=1),
    "full_two": lambda x: torch.fft.fft2(x).real,
    "there_and_back": lambda x: torch.fft.irfft(torch.fft.rfft(x), n=5),
    "there_and_back_even": lambda x: torch.fft.irfft(torch.fft.rfft(x, dim=1), n=6, dim=1),
    "there_and_back_two": lambda x: torch.fft.irfft2(torch.fft.rfft2(x) * 2, s=(6, 5)),
    "back": lambda x: torch.fft.ifft(x, norm="forward"),
    "named": lambda x: torch.fft.fft(torch.fft.fft(x, dim=-1), dim=-2).real,
    "window": lambda x: torch.stft(
        x.flatten(1), 8, 4, window=torch.hann_window(8), return_complex=True, center=False
    ).abs(),
}


@pytest.mark.parametrize("name", FOURIER)
def test_fourier_transforms(check, name):
    def function(x):
        found = FOURIER[name](x)
        return torch.view_as_real(found + 0) if found.is_complex() else found

    check(function, torch.randn(2, 6, 5))


def test_other_arithmetic_is_refused():
    class Root(torch.nn.Module):
        def forward(self, x):
            return torch.view_as_complex(x).sqrt().abs()

    with pytest.raises(UnsupportedModel, match="complex numbers; write it with"):
        capture(Root(), (torch.randn(3, 2),), "m")
