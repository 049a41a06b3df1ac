"""Bags of embeddings, scattered reductions, distances, gradients of poolings."""

import pytest
import torch
from torch.nn import functional as F

from wsc.compiler.errors import UnsupportedModel

X = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(2))
PLACES = torch.randint(0, 3, (4, 2, 5), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags(check, mode):
    table = torch.nn.EmbeddingBag(7, 4, mode=mode)
    check(table, torch.tensor([[0, 2, 6], [1, 1, 3]]))


def test_bags_of_unequal_length(check):
    table = torch.nn.EmbeddingBag(7, 4)
    starts = torch.tensor([0, 2, 5])
    check(lambda ids: table(ids, starts), torch.tensor([0, 2, 6, 1, 1, 3]))


def test_bags_whose_lengths_are_given_are_refused(check):
    table = torch.nn.EmbeddingBag(7, 4)
    with pytest.raises(UnsupportedModel, match="whose lengths depend on values"):
        check(lambda ids, starts: table(ids, starts), torch.arange(6), torch.tensor([0, 2]))


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
def test_scattered_reductions(check, reduce, include_self):
    def function(x, places, source):
        return x.scatter_reduce(1, places, source, reduce, include_self=include_self)

    check(function, X, PLACES, torch.randn(4, 2, 5))


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.0, float("inf")])
def test_distances(check, p):
    check(lambda x, y: torch.cdist(x, y, p), X, torch.randn(4, 2, 5))
    check(lambda x: F.pdist(x, p), X[0])
    check(lambda x: torch.linalg.vector_norm(x, p, dim=(0, 2)), X)


POOLINGS = {
    "max": lambda x: F.max_pool2d(x, 3, 2, padding=1),
    "avg": lambda x: F.avg_pool2d(x, 3, 2, padding=1),
    "avg_inside": lambda x: F.avg_pool2d(x, 3, 2, padding=1, count_include_pad=False, ceil_mode=True),
    "avg_divisor": lambda x: F.avg_pool2d(x, 2, divisor_override=3),
    "adaptive": lambda x: F.adaptive_avg_pool2d(x, (3, 2)),
    "adaptive_one": lambda x: F.adaptive_avg_pool2d(x, 1),
}


@pytest.mark.parametrize("name", POOLINGS)
def test_gradients_of_poolings(name):
    from tests.frontend.test_training import check as check_training
    from wsc.frontend.training import capture_training

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.randn(2, 3, 7, 6))

        def forward(self, x):
            return (POOLINGS[name](self.weight * x) ** 2).sum()

    check_training(capture_training(Pooled(), (torch.randn(2, 3, 7, 6),), "pooled"))
