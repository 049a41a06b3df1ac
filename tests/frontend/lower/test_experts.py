"""Mixtures of experts: grouped products and the counting before them."""

import pytest
import torch
from torch import nn

from wsc.compiler.errors import UnsupportedModel
from wsc.frontend.capture import capture

LIMITS = (((-2.0, 2.0), 7), ((0.0, 3.0), 4))


@pytest.mark.parametrize(("edges", "bins"), LIMITS)
def test_histograms_of_floats(check, edges, bins):
    values = torch.tensor([-9.0, edges[0], 0.1, 0.9, 1.0, edges[1], 2.99, edges[1] + 0.1])
    check(lambda x: torch.histc(x, bins, *edges), values)


def test_histogram_of_whole_numbers(check):
    numbers = torch.tensor([0.0, 3, 3, 1, 0, 4, 7])
    check(lambda x: torch.histc(x, bins=5, min=0, max=4), numbers)


def test_a_histogram_of_one_bin_without_edges_counts_all(check):
    check(lambda x: torch.histc(x, bins=1, min=0, max=0), torch.randn(3, 4))


class Experts(nn.Module):
    """A grouped product as torch's kernel takes it: bfloat16, rows sorted by group."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 16, 24).bfloat16())

    def forward(self, x, ends):
        return nn.functional.grouped_mm(x, self.weight, offs=ends)


def test_rows_sorted_by_group(check):
    ends = torch.tensor([2, 2, 7], dtype=torch.int32)
    graph = check(Experts(), torch.randn(7, 16).bfloat16(), ends, rtol=1e-2, atol=1e-2)
    assert [node.op.kind for node in graph].count("grouped") == 1


def test_groups_of_columns_are_refused():
    class Columns(nn.Module):
        def forward(self, x, y, ends):
            return nn.functional.grouped_mm(x, y, offs=ends)

    x, y = torch.randn(8, 16).bfloat16(), torch.randn(16, 8).bfloat16()
    with pytest.raises(UnsupportedModel, match="not rows of one matrix"):
        capture(Columns(), (x, y, torch.tensor([8, 16], dtype=torch.int32)), "m")
