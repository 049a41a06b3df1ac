"""Views, joins and cuts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

X = torch.arange(24.0).reshape(2, 3, 4)

FUNCTIONS = {
    "as_strided": lambda x: torch.as_strided(x * 2, (6, 1, 4), (4, 4, 1)),
    "cat": lambda x: torch.cat([x, x + 1, x[:, :1]], dim=1),
    "cat_promotes": lambda x: torch.cat([x, x.long()], dim=-1),
    "cat_with_empty": lambda x: torch.cat([torch.zeros(0), x]),
    "chunk": lambda x: x.chunk(3, dim=-1),
    "contiguous": lambda x: x.transpose(0, 1).contiguous() + 1,
    "diagonal": lambda x: (x.diagonal(), x.diagonal(1, -1, 1), x.diagonal(-1, 0, 2), x.diag_embed()),
    "diagonal_set": lambda x: x.diagonal_scatter(torch.zeros(4, 2)),
    "expand": lambda x: x[:, :1].expand(5, 2, 3, 4),
    "flatten": lambda x: x.flatten(1),
    "flip": lambda x: x.flip(0, 2),
    "movedim": lambda x: x.movedim(0, -1),
    "narrow": lambda x: x.narrow(1, 1, 2),
    "pad": lambda x: F.pad(x, (1, 2, 0, 3), value=-1.0),
    "pad_cuts": lambda x: F.pad(x, (-1, 2)),
    "pad_bool": lambda x: F.pad(x > 3, (1, 1), value=True),
    "pad_int": lambda x: F.pad(x.long(), (1, 1), value=7),
    "pad_reflect": lambda x: F.pad(x, (2, 1), mode="reflect"),
    "permute": lambda x: x.permute(2, -3, 1),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x.reshape(1, 4, 2, 3), 2),
    "repeat": lambda x: x.repeat(2, 1, 3, 1),
    "repeat_interleave": lambda x: x.repeat_interleave(2, dim=1),
    "reshape": lambda x: x.reshape(4, -1),
    "roll": lambda x: x.roll((1, -2), (0, 2)),
    "roll_flat": lambda x: x.roll(5),
    "select": lambda x: x[1] + x[:, -1, :].sum(),
    "slice": lambda x: x[:, 1:, ::2],
    "slice_from_back": lambda x: x[..., -3:-1],
    "slice_empty": lambda x: x[:, 2:1],
    "split": lambda x: x.split(3, dim=-1),
    "squeeze": lambda x: (x[:, :1].squeeze(1), x[:1, :1].squeeze(), x[:1, :1].squeeze((0, 1))),
    "stack": lambda x: torch.stack([x, -x], dim=1),
    "tile": lambda x: x.tile(2, 2),
    "transpose": lambda x: x.transpose(0, -1),
    "tril": lambda x: (x.tril(), x.triu(1)),
    "unbind": lambda x: x.unbind(1),
    "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "unsqueeze": lambda x: x[:, None].unsqueeze(-1),
    "window": lambda x: x.unfold(2, 2, 1),
}


def test_functions(check_each):
    check_each(FUNCTIONS, X)


@pytest.mark.parametrize(("size", "stride"), [((2, 4), (4, 1)), ((4, 6), (1, 4)), ((3, 4), (2, 1))])
def test_a_view_of_memory_in_another_order(check, size, stride):
    check(lambda x: torch.as_strided(x * 2, size, stride), X)
    check(lambda x: torch.as_strided((x * 2).transpose(0, 1), size, stride), X)


def test_views_are_one_node_each(check, text):
    graph = check(lambda x: x.transpose(1, 2).reshape(2, 12)[:, ::2], X)
    assert text(graph) == (
        'graph "test" version 1\n'
        "%tensors_0 = input(index=0) : f32[2,3,4]\n"
        "%transpose = permute(order=(0, 2, 1)) %tensors_0 : f32[2,4,3]\n"
        "%view = reshape(shape=(2, 12), batch=0) %transpose : f32[2,12]\n"
        "%slice = slice(dim=1, start=0, stop=12, step=2) %view : f32[2,6]\n"
        "return %slice\n"
    )


places = st.one_of(st.none(), st.integers(-6, 6))
slices = st.builds(slice, places, places, st.integers(1, 3))


@settings(max_examples=3)
@given(slices=st.lists(slices, min_size=12, max_size=12))
def test_any_slice(check, slices):
    check(lambda x: [x[:, s] + 1 for s in slices], torch.randn(2, 5))
