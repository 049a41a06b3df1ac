"""Attention: causal, masked, scaled, with grouped queries."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsc.compiler.errors import UnsupportedModel
from wsc.compiler.ops import Attention


def heads(*shape):
    return torch.randn(*shape), torch.randn(*shape), torch.randn(*shape)


def test_plain(check, text):
    graph = check(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), *heads(1, 2, 5, 4))
    assert [node.op for node in graph if isinstance(node.op, Attention)] == [Attention(0.5, True)]
    assert len(graph.nodes) == 4


def test_other_values_and_scale(check):
    q, k, v = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 7, 4), torch.randn(2, 3, 7, 6)
    check(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=0.3), q, k, v)
    check(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), q, k, v)


def test_without_heads(check):
    check(F.scaled_dot_product_attention, *heads(5, 4))
    check(F.scaled_dot_product_attention, *heads(2, 5, 4))


def test_masks(check_each):
    q = torch.randn(2, 4, 5, 8)
    every, grouped = (torch.randn(2, heads, 5, 8) for heads in (4, 2))
    masks = [
        torch.randn(shape) for shape in ((5, 5), (1, 5), (2, 1, 5, 5), (1, 4, 5, 5), (2, 4, 5, 1), (4, 5, 5))
    ]
    attend = F.scaled_dot_product_attention

    def keep(mask):
        return (mask > -1) | torch.eye(5, dtype=torch.bool)[:, : mask.shape[-1]]

    functions = {
        "added": lambda q, k, g, *masks: [attend(q, k, k, m) for m in masks],
        "kept": lambda q, k, g, *masks: [attend(q, k, k, keep(m)) for m in masks],
        "grouped": lambda q, k, g, *masks: [attend(q, g, g, m, enable_gqa=True) for m in masks],
    }
    check_each(functions, q, every, grouped, *masks)


def test_grouped_queries(check, text):
    q, k, v = torch.randn(1, 4, 5, 8), torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    graph = check(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True), q, k, v
    )
    (node,) = [node for node in graph if isinstance(node.op, Attention)]
    assert [type_.shape for type_ in graph.operand_types(node)] == [
        (1, 2, 2, 5, 8),
        (1, 2, 1, 5, 8),
        (1, 2, 1, 5, 8),
    ]


def test_multihead_attention_module(check):
    module = nn.MultiheadAttention(8, 2, batch_first=True)
    check(lambda x: module(x, x, x, need_weights=False)[0], torch.randn(2, 5, 8))


def test_dropout_is_refused(check):
    with pytest.raises(UnsupportedModel, match="dropout inside attention"):
        check(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=0.1), *heads(1, 2, 5, 4))
