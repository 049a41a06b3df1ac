"""Loops over experts, and other rows that a mask picks: the same numbers as eager's, whatever the inputs."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsc.compiler.errors import UnsupportedModel
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.verify import verify
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.frontend.capture import capture

EXPERTS, WIDTH = 4, 6


class Mixture(nn.Module):
    """A router, experts, and a way to go through them that a test gives."""

    def __init__(self, way):
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(WIDTH, 8), nn.GELU(), nn.Linear(8, WIDTH)) for _ in range(EXPERTS)
        )
        self.stacked = nn.Parameter(torch.randn(EXPERTS, WIDTH, WIDTH))
        self.way = way

    def forward(self, x):
        return self.way(self, x)


def every_expert(m, x):
    """Places of each expert, and rows read, changed and put back."""
    flat = x.reshape(-1, WIDTH)
    weights, chosen = m.router(flat).topk(2)
    out = torch.zeros_like(flat)
    for number, expert in enumerate(m.experts):
        token, rank = torch.where(chosen == number)
        out[token] += weights.softmax(1)[token, rank, None] * expert(flat[token])
    return out


def those_with_tokens(m, x):
    """The same by sums into places, where an expert without tokens is left out."""
    flat = x.view(-1, WIDTH)
    weights, chosen = F.softmax(m.router(flat), 1).topk(2)
    out = torch.zeros((x.shape[0] * x.shape[1], WIDTH), dtype=x.dtype)
    mask = F.one_hot(chosen, EXPERTS).permute(2, 1, 0)
    for number in range(EXPERTS):
        rank, token = torch.where(mask[number])
        if token.shape[0] == 0:
            continue
        rows = m.experts[number](flat[None, token].reshape(-1, WIDTH))
        rows *= 0.5
        out.index_add_(0, token, (rows * weights[token, rank, None]).to(x.dtype))
    return out.reshape(x.shape)


def only_chosen(m, x):
    """A loop over the experts that any token chose, with weights in one tensor."""
    flat = x.view(-1, WIDTH)
    weights, chosen = m.router(flat).topk(2)
    out = torch.zeros_like(flat)
    mask = F.one_hot(chosen, EXPERTS).permute(2, 1, 0)
    for number in torch.greater(mask.sum(dim=(-1, -2)), 0).nonzero():
        rank, token = torch.where(mask[number].squeeze(0))
        left, right = F.linear(flat[token], m.stacked[number[0]]).chunk(2, dim=-1)
        rows = F.layer_norm(m.experts[int(f"{number[0]}")](flat[token]), (WIDTH,))
        rows = rows + (left * right).sum(-1, keepdim=True)
        out.index_add_(0, token, rows * weights[token, rank, None])
    return out


def masks_as_indices(m, x):
    """Tokens of one expert each, picked by a boolean mask over two dimensions."""
    chosen = m.router(x).argmax(-1)
    out = x.clone()
    for number, expert in enumerate(m.experts):
        mask = chosen == number
        out[mask] = expert(x[mask]) * x[mask].softmax(-1)
    return out


def both_branches(m, x):
    """A mask written out each time, and its opposite."""
    out = torch.zeros_like(x)
    total = x.sum(-1)
    out[total > 0] = m.experts[0](x[total > 0])
    mask = total > 0
    out[~mask] = m.experts[1](x[~mask])
    out[~mask] *= 2.0
    out[mask] = 3.0 * out[mask] + 1.0
    out[x[..., 0] > 1] = 7.0
    return out


@pytest.mark.parametrize(
    "way", [every_expert, those_with_tokens, only_chosen, masks_as_indices, both_branches]
)
def test_the_numbers_of_eager(way):
    torch.manual_seed(1)
    found = capture(Mixture(way), (torch.randn(2, 5, WIDTH),), way.__name__)
    verify(found.model.graph)
    model = run_pipeline(found.model)
    rng = np.random.default_rng(0)
    for scale in (1.0, 30.0, 0.0):  # spread over experts, and all on one
        x = (rng.normal(size=(2, 5, WIDTH)) * scale).astype(np.float32)
        (ours,) = interpret(model.graph, (x,), model.weights)
        (theirs,) = found.reference((x,))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def picked(x):
    return x[x.sum(-1) > 0]


def by_the_chosen(m, x):
    """The body of the loop does something even where there are no rows."""
    out = torch.zeros(WIDTH)
    for number in ((x > 0).sum((0, 1)) > 0).nonzero():
        out = out + x[0, 0][number]
    return out


REFUSED = {
    "the model returns those of": lambda m, x: picked(x),
    "'mean' may join them": lambda m, x: picked(x).mean(0),
    "'matmul' sums over them": lambda m, x: torch.matmul(picked(x).unsqueeze(1), picked(x)),
    "a part of them is read": lambda m, x: picked(x)[0],
    "an attribute shows them in another way": lambda m, x: picked(x).T,
    "a change of shape joins them": lambda m, x: picked(x).reshape(-1),
    "used as a number": lambda m, x: picked(x).sum(-1) / picked(x).shape[0],
    "what is put back is not of the same mask": lambda m, x: put_back(x),
    "takes the numbers of those that were chosen": lambda m, x: x[:, :, ((x > 0).sum((0, 1)) > 0).nonzero()],
    "something else is read by the number": by_the_chosen,
}


def put_back(x):
    y = x.clone()
    y[x > 0] = x[x > 1]
    return y


@pytest.mark.parametrize("why", REFUSED)
def test_rows_that_are_computed_together(why):
    with pytest.raises(UnsupportedModel, match=why):
        capture(Mixture(REFUSED[why]), (torch.randn(2, 5, WIDTH),), "net")


def test_the_sentence_of_a_refusal():
    with pytest.raises(UnsupportedModel) as caught:
        capture(Mixture(lambda m, x: picked(x).mean(0)), (torch.randn(2, 5, WIDTH),), "net")
    place, _, sentence = str(caught.value).partition(": ")
    assert place.split(":")[0].endswith("test_masked_rows.py")
    assert sentence == (
        "How many rows a mask picks depends on the values of tensors, so that all are computed, the others dropped in "
        "the end; but 'mean' may join them. Compute all rows and choose with torch.where. That is in 'net'."
    )
