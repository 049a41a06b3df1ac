"""What a module asks of values that do not depend on its inputs is answered as eager would."""

import pytest
import torch
from torch import nn

from tests.frontend.conftest import Function
from wsc.compiler.errors import ModelError
from wsc.frontend.capture import capture


def by_a_mask_of_ones(x):
    mask = torch.ones(x.shape[:2], device=x.device)
    mask[:, :1] = 2
    if (mask > 2).any().item():
        return x * 2
    return x + int(mask.sum()) if (mask > 1).any() else x


def by_what_is_listed(x):
    widths = (torch.arange(1, 4, device=x.device) * 2).tolist()
    return x[:, : widths[0]] * float(torch.tensor([1.5]).sum())


def by_places_that_are_known(x):
    even = torch.arange(x.shape[1], device=x.device) % 2 == 0
    (where,) = torch.where(even)
    y = x.clone()
    y[:, even] = x[:, even] * 2
    y[:, where] += even.nonzero().squeeze(1)
    return y.repeat(1, even.sum()) + y[0, where.max()]


def by_walking_through_numbers(x):
    sides = torch.ones(x.shape[-2:], device=x.device).sum(0).long()
    picture = x[None, None]
    found = [nn.functional.interpolate(picture, size=(2 * side, side)) for side in sides]
    return torch.cat(found, -1)


def by_numbers_of_repeats(x):
    counts = torch.tensor([1, 3], device=x.device).cumsum(0)
    starts = torch.repeat_interleave(counts, counts)
    return x.sum() * torch.repeat_interleave(counts) + starts[: counts.sum()]


def by_numbers_that_differ(x):
    ends = torch.tensor([0, 2, 2, 3], device=x.device)
    ends = torch.unique_consecutive(ends)
    parts = torch.split(x, (ends[1:] - ends[:-1]).tolist(), dim=1)
    return torch.cat([part.softmax(1) for part in parts], 1)


@pytest.mark.parametrize(
    "function",
    [
        by_numbers_that_differ,
        by_a_mask_of_ones,
        by_what_is_listed,
        by_places_that_are_known,
        by_numbers_of_repeats,
        by_walking_through_numbers,
    ],
)
def test_constants_decide(check, function):
    check(function, torch.randn(2, 3))


def test_numbers_made_on_the_meta_device_are_known():
    """There torch.tensor gives a tensor without data, and of no class of its own."""

    def by_numbers_made(x):
        sizes = torch.tensor([[2, 3]], device=x.device)
        sides = torch.tensor([2], device=x.device).expand(len(sizes))
        return torch.cat([x[:a, : b * s] for (a, b), s in zip(sizes.tolist(), sides.tolist(), strict=True)])

    module = Function(by_numbers_made)
    module.weight = nn.Parameter(torch.empty(1, device="meta"))
    graph = capture(module, (torch.zeros(4, 8, device="meta"),), "m").model.graph
    assert graph[graph.outputs[0]].type.shape == (2, 6)


def test_constants_decide_on_the_meta_device():
    module = Function(by_a_mask_of_ones)
    captured = capture(module, (torch.randn(2, 3, device="meta"),), "m")
    assert [node.op.kind for node in captured.model.graph] == ["input", "elementwise"]


def of_the_input(x):
    return x * 2 if (x > 0).any() else x


def through_a_view(x):
    flags = torch.zeros(2, 3)
    row = flags[0]
    row += x[0]
    return x * 2 if flags.any() else x


def through_an_item(x):
    flags = torch.zeros(2, 3)
    flags[1, 1] = x[0, 0]
    return x * 2 if flags.any() else x


def of_random_numbers(x):
    return x * 2 if torch.rand(2).sum() > 1 else x


@pytest.mark.parametrize("function", [of_the_input, through_a_view, through_an_item, of_random_numbers])
def test_what_depends_on_more_is_refused(function):
    with pytest.raises(ModelError, match="depends on the values of its tensors"):
        capture(Function(function), (torch.randn(2, 3),), "m")


class OfItsOwn(nn.Module):
    """Takes another way under export, on which it fails."""

    def forward(self, x):
        mask = None if torch.compiler.is_compiling() else torch.ones_like(x)
        return x * mask[:, :2].sum()


def test_a_way_for_export_that_fails_is_not_taken(check):
    check(OfItsOwn(), torch.randn(2, 3))


class Converted(nn.Module):
    """Converts a part of itself to what it is already."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x):
        self.linear = self.linear.to(x.dtype)
        return self.linear(x)


def test_a_conversion_to_what_it_is_is_left_out(check):
    check(Converted(), torch.randn(2, 3))


class Switched(nn.Module):
    """Decides by what its buffers hold."""

    def __init__(self, counting=False):
        super().__init__()
        self.register_buffer("kernel", torch.tensor(3))
        self.register_buffer("on", torch.tensor([0.0, 1.0]))
        self.counting = counting

    def forward(self, x):
        if self.counting:
            self.kernel += 1
        left = self.kernel - 1
        x = nn.functional.pad(x, (left, 0))
        return x * 2 if self.on[1] > 0 else x


def test_buffers_decide(check):
    graph = check(Switched(), torch.randn(2, 3))
    assert str(graph[graph.outputs[0]].type) == "f32[2,5]"


class Padded(nn.Module):
    """Pads by a number that is computed of a buffer, and decides nothing by it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("stride", torch.tensor(2))

    def forward(self, x):
        extra = torch.ceil(x.shape[-1] / self.stride).to(torch.int64) * self.stride - x.shape[-1]
        return nn.functional.pad(x, (int(self.stride), extra))


def test_numbers_are_taken_from_buffers(check):
    graph = check(Padded(), torch.randn(2, 3))
    assert str(graph[graph.outputs[0]].type) == "f32[2,6]"


def test_buffers_that_change_decide_nothing():
    with pytest.raises(ModelError, match="depends on the values of its tensors"):
        capture(Switched(counting=True), (torch.randn(2, 3),), "m")
