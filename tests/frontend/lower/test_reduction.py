"""Reductions, running sums, selection by size."""

import torch

X = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1))

FUNCTIONS = {
    "all": lambda x: ((x > -9).all(), (x > 0).all(1)),
    "amax": lambda x: (x.amax(), x.amax(1), x.amin((0, 2), keepdim=True)),
    "any": lambda x: ((x > 2).any(), (x > 1).any(1), (x > 1).any(-1, keepdim=True)),
    "argmax": lambda x: (x.argmax(), x.argmax(1), x.argmin(-1, keepdim=True)),
    "cummax": lambda x: x.cummax(1).values,
    "cummin": lambda x: x.cummin(1).values,
    "cumprod": lambda x: x.cumprod(1),
    "cumsum": lambda x: (x.cumsum(-1), (x > 0).cumsum(0)),
    "max_dim": lambda x: x.max(1),
    "max": lambda x: (x.max(), x.min()),
    "mean": lambda x: (x.mean(), x.mean(1), x.mean((0, -1), keepdim=True)),
    "min_dim": lambda x: x.min(-1, keepdim=True),
    "norm": lambda x: (x.norm(), x.norm(dim=1), x.norm(1, dim=0), x.norm(float("inf"), dim=0, keepdim=True)),
    "prod": lambda x: (x.prod(), x.prod(1)),
    "sort": lambda x: (x.sort(1, descending=True), x.sort(stable=True), x.argsort(0)),
    "std": lambda x: (x.std(), x.std(1, correction=0)),
    "sum": lambda x: (x.sum(), x.sum(1), (x > 0).sum((0, 2)), x.sum(1, dtype=torch.float64)),
    "topk": lambda x: x.topk(2, dim=1),
    "topk_smallest": lambda x: x.topk(3, largest=False),
    "var": lambda x: (x.var(), x.var((0, 1), keepdim=True), torch.var_mean(x, 1)[1]),
}


def test_functions(check_each):
    check_each(FUNCTIONS, X)


def test_a_part_that_nobody_reads_costs_nothing(check):
    graph = check(lambda x: x.max(1).values, X)
    assert [node.op.kind for node in graph] == ["input", "reduce"]


def test_of_a_tensor_without_dimensions(check):
    check(lambda x: (x.sum(), x.mean(0), x.amax()), torch.tensor(3.0))
