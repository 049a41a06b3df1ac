"""What is compared of work: the calls that results need, and of these what torch's counter has a formula for."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.flops import Needed, counted_macs, needed_macs
from benchmarks.kept_back_page import Row, _of_work
from wsc.frontend.capture import capture


class Mixed(nn.Module):
    """A product that nothing reads, an attention, a Fourier transform and a larger picture."""

    def __init__(self):
        super().__init__()
        self.read, self.unread = nn.Linear(8, 8, bias=False), nn.Linear(8, 50)

    def forward(self, x):
        self.unread(x)
        q = self.read(x)
        mixed = F.scaled_dot_product_attention(q, q, q)
        return torch.fft.fft(mixed).real + F.interpolate(mixed[:, :, :4], scale_factor=2, mode="linear")


def test_both_counts_are_of_the_same_calls():
    captured = capture(Mixed(), (torch.randn(1, 6, 8),), "mixed")
    found = needed_macs(captured)
    assert found.macs == found.counted == 6 * 8 * 8 + 2 * 6 * 6 * 8
    assert set(found.others) == {"fft_r2c", "upsample_linear1d"}
    assert captured.model.graph.work().macs == found.macs + sum(found.others.values())
    assert counted_macs(captured) == found.counted + 6 * 8 * 50


def test_the_page_says_both_counts():
    equal = Row("torch.nn", "plain", macs=10, counted_macs=10)
    other = Row("torch.nn", "mixed", macs=12, counted_macs=20, needed=Needed(10, 10, {"fft_r2c": 2}))
    apart = Row("torch.nn", "apart", macs=12, counted_macs=20, needed=Needed(12, 13, {}))
    assert (
        "\n".join(_of_work([equal, other, apart])).strip()
        == """\
Multiply-accumulates are those of torch's FlopCounterMode within 0.1% in
1 of 3 over one eager call; in 2 over the calls that
results need, the calls that it has no formula for left out on both sides (`benchmarks.flops.needed_macs`).

| model | MACs | counted by torch | of calls that it counts, needed | counted of these | of other calls |
|---|---|---|---|---|---|
| mixed | 12 | 20 | 10 | 10 | fft_r2c 2 |
| apart | 12 | 20 | 12 | 13 |  |"""
    )
