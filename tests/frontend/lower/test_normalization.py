"""Norms: layer, RMS, group, batch, instance."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsc.compiler.ops import Norm


def with_statistics(norm):
    """A batch norm whose every number matters."""
    for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
        if tensor is not None:
            tensor.data.uniform_(0.5, 2)
    return norm


def test_layer_norm(check, text):
    graph = check(nn.LayerNorm(4), torch.randn(2, 4))
    assert text(graph) == (
        'graph "test" version 1\n'
        "%input = input(index=0) : f32[2,4]\n"
        "%layer_norm.norm = norm(form='layer', dims=(1,), eps=1e-05) %input : f32[2,4]\n"
        "%weight = parameter(key='weight') : f32[4]\n"
        "%layer_norm.reshape = reshape(shape=(1, 4), batch=0) %weight : f32[1,4]\n"
        "%layer_norm.mul = elementwise(fn='mul', scalars=(None, None)) %layer_norm.norm %layer_norm.reshape"
        " : f32[2,4]\n"
        "%bias = parameter(key='bias') : f32[4]\n"
        "%layer_norm.reshape_1 = reshape(shape=(1, 4), batch=0) %bias : f32[1,4]\n"
        "%layer_norm = elementwise(fn='add', scalars=(None, None)) %layer_norm.mul %layer_norm.reshape_1 : f32[2,4]\n"
        "return %layer_norm\n"
    )


def test_layer_norm_over_two_dimensions_and_bare(check):
    norms = [nn.LayerNorm((3, 4)), nn.LayerNorm(4, elementwise_affine=False), nn.LayerNorm(4, bias=False)]
    norms.append(lambda x: torch.native_layer_norm(x, [4], None, None, 1e-3)[0])
    check(lambda x: [norm(x) for norm in norms], torch.randn(2, 3, 4))


def test_rms_norm(check):
    types = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
    norms = [nn.RMSNorm(16, eps, dtype=dtype) for dtype in types for eps in (None, 1e-3)]
    inputs = [(torch.randn(2, 16) / 50).to(norm.weight.dtype) for norm in norms]
    check(lambda *xs: [norm(x) for norm, x in zip(norms, xs, strict=True)], *inputs, rtol=2e-2)


def test_rms_norm_is_one_node_and_a_scale(check):
    graph = check(nn.RMSNorm(16), torch.randn(2, 16))
    assert [node.op.form for node in graph if isinstance(node.op, Norm)] == ["rms"]


def test_group_norm(check):
    norms = nn.GroupNorm(2, 6), nn.GroupNorm(3, 6, affine=False)
    check(lambda x: (norms[0](x), norms[1](x[..., 0, 0])), torch.randn(2, 6, 3, 4) + 1)


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d])
def test_batch_norm(check, norm):
    dims = {nn.BatchNorm1d: 1, nn.BatchNorm2d: 2, nn.BatchNorm3d: 3}[norm]
    x = torch.randn(3, 4, *[5] * dims)
    norms = [with_statistics(norm(4)).eval(), with_statistics(norm(4, affine=False)).eval()]
    check(lambda x: [norm(x) for norm in norms], x)


def test_batch_norm_touches_the_data_with_one_product_and_one_sum(check):
    graph = check(with_statistics(nn.BatchNorm2d(4)), torch.randn(3, 4, 5, 5))
    assert [node.op.fn for node in graph if node.type.rank == 4 and node.op.kind == "elementwise"] == [
        "mul",
        "add",
    ]


def test_statistics_of_the_batch(check):
    x = torch.randn(3, 4, 5, 5) * 2 + 1
    norms = nn.BatchNorm2d(4, track_running_stats=False), nn.InstanceNorm2d(4, affine=True)
    check(lambda x: (norms[0](x), norms[1](x), F.normalize(x, dim=1)), x)
