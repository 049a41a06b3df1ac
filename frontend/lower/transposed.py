"""Transposed convolutions, which are also the gradients of convolutions with respect to their input.

With stride s the positions of the result fall into s phases, and each phase is a convolution of x with the taps that
reach it: nothing is multiplied by zeros between elements, which a convolution of x spread out would do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import torch

from wsc.compiler.ops import Concat, Contract, Gather, Pad
from wsc.frontend.lower.call import Call
from wsc.frontend.lower.value import Value

_POSITIONS, _TAPS, _PHASES = "hwd", "rst", "xyz"


@dataclass(frozen=True)
class _Phases:
    """Neighbouring phases of one dimension that are reached alike, as a convolution of one window.

    `taps[j][phase]` is the tap by which output m of the phase reads element m + first + j * dilation of x.
    """

    taps: tuple[tuple[int, ...], ...]
    count: int
    first: int
    dilation: int

    def pads(self, length: int, extent: int) -> tuple[int, int]:
        """Zeros that `length` positions read before and after a dimension of x; below 0, what they leave out."""
        reach = length + self.first + self.dilation * (len(self.taps) - 1)
        return -self.first, reach - extent


def transposed_convolution(
    call: Call,
    x: Value,
    weight: Value,
    result: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Value:
    """x[n, o, positions] and weight[o, c / groups, taps] to [n, c, `result` positions].

    Element i spreads by tap t to position i * stride + t * dilation - padding, where the result has it.
    """
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    given = zip(x.shape[2:], weight.shape[2:], result, stride, padding, dilation, strict=True)
    sides = [_Side.of(*one) for one in given]
    x = call.reshape(x, (x.shape[0], groups, outputs, *x.shape[2:]))
    weight = call.reshape(weight, (groups, outputs, inputs, *weight.shape[2:]))
    walk = _Walk(call, tuple(side.length for side in sides), (groups, outputs, inputs))
    product = walk.over([side.phases for side in sides], (), x, weight)
    product = call.reshape(product, (product.shape[0], groups * inputs, *product.shape[3:]))
    for d, side in enumerate(sides):
        product = side.joined(call, product, 2 + d)
    return product


@dataclass(frozen=True)
class _Side:
    """One dimension: the phases of `length` positions, and how a result of extent `result` is made of them.

    Where a window would read more zeros beyond the ends of x than there are products, `overlapping`: each element is
    multiplied by all taps, as if they were phases, and what falls on the same position is added.
    """

    phases: tuple[_Phases, ...]
    length: int
    result: int
    stride: int
    padding: int
    overlapping: bool

    @staticmethod
    def of(extent: int, taps: int, result: int, stride: int, padding: int, dilation: int) -> _Side:
        phases = _phases(taps, stride, padding, dilation)
        length = -(-result // stride)
        products = length * sum(len(one.taps) * one.count for one in phases)
        if dilation > 1 or products <= extent * taps:
            return _Side(phases, length, result, stride, padding, False)
        every = _Phases((tuple(range(taps)),), taps, 0, 1)
        return _Side((every,), extent, result, stride, padding, True)

    def joined(self, call: Call, x: Value, dim: int) -> Value:
        """Positions and phases, which are dimensions `dim` and `dim` + 1, as one dimension of the result."""
        if not self.overlapping:
            return call.slice(_merged(call, x, dim), dim, 0, self.result)
        taps, stride = x.shape[dim + 1], self.stride
        if self.length == 1:
            return self._cut(call, _merged(call, x, dim), dim)
        shares = -(-taps // stride)
        x = _padded(call, x, dim + 1, 0, shares * stride - taps)
        total = None
        for share in range(shares):
            part = _merged(call, call.slice(x, dim + 1, share * stride, (share + 1) * stride), dim)
            part = _padded(call, part, dim, share * stride, (shares - 1 - share) * stride)
            total = part if total is None else call.map("add", total, part)
        assert total is not None
        return self._cut(call, total, dim)

    def _cut(self, call: Call, x: Value, dim: int) -> Value:
        """The positions of the result, after the padding; beyond what is there, nothing falls."""
        stop = self.padding + self.result
        x = _padded(call, x, dim, 0, max(stop - x.shape[dim], 0))
        return call.slice(x, dim, self.padding, stop)


def _merged(call: Call, x: Value, dim: int) -> Value:
    return call.reshape(x, (*x.shape[:dim], x.shape[dim] * x.shape[dim + 1], *x.shape[dim + 2 :]))


def _padded(call: Call, x: Value, dim: int, lo: int, hi: int) -> Value:
    if not lo and not hi:
        return x
    lows, highs = (tuple(n if d == dim else 0 for d in range(x.rank)) for n in (lo, hi))
    return call.add(Pad(lows, highs), x)


@dataclass(frozen=True)
class _Walk:
    """The contractions of one transposed convolution, joined dimension after dimension."""

    call: Call
    lengths: tuple[int, ...]
    channels: tuple[int, int, int]  # groups, outputs and inputs of each

    def over(
        self, phases: Sequence[Sequence[_Phases]], chosen: tuple[_Phases, ...], x: Value, weight: Value
    ) -> Value:
        """The result for the phases chosen of the first dimensions, and all phases of the others."""
        if not phases:
            return self._contracted(chosen, x, weight)
        parts = [self.over(phases[1:], (*chosen, one), x, weight) for one in phases[0]]
        axis = 4 + 2 * len(chosen)
        return parts[0] if len(parts) == 1 else self.call.add(Concat(axis), *parts)

    def _contracted(self, chosen: Sequence[_Phases], x: Value, weight: Value) -> Value:
        """One contraction; letters of a single tap or phase are left out."""
        call, (groups, outputs, inputs) = self.call, self.channels
        sides = list(zip(self.lengths, chosen, strict=True))
        shape = (x.shape[0], groups, inputs, *(n for length, one in sides for n in (length, one.count)))
        ends = [one.pads(length, x.shape[3 + d]) for d, (length, one) in enumerate(sides)]
        if any(
            not one.taps or -min(pads) >= x.shape[3 + d]
            for d, (one, pads) in enumerate(zip(chosen, ends, strict=True))
        ):
            return call.expand(call.tensor(0, x.type.dtype), shape)  # nothing reaches it
        equation, taps, windows = ["ngo", "goc", "ngc"], [], []
        for d, (one, (lo, hi)) in enumerate(zip(chosen, ends, strict=True)):
            x = call.slice(x, 3 + d, max(-lo, 0), x.shape[3 + d] - max(-hi, 0))
            weight = _picked(call, weight, 3 + 2 * d, one)
            here, tap, phase = _POSITIONS[d], _TAPS[d], _PHASES[d] if one.count > 1 else ""
            if len(one.taps) == 1 and max(lo, hi) <= 0:
                tap = ""
            else:
                windows.append((here, tap, 1, one.dilation, max(lo, 0), max(hi, 0)))
            equation = [equation[0] + here, equation[1] + tap + phase, equation[2] + here + phase]
            taps += [len(one.taps)] * bool(tap) + [one.count] * bool(phase)
        weight = call.reshape(weight, (groups, outputs, inputs, *taps))
        left, right, out = equation
        return call.reshape(call.add(Contract(f"{left},{right}->{out}", tuple(windows)), x, weight), shape)


def _picked(call: Call, weight: Value, dim: int, one: _Phases) -> Value:
    """The taps of some phases in place of all taps: their order, then the phases."""
    shape = (*weight.shape[:dim], len(one.taps), one.count, *weight.shape[dim + 1 :])
    flat = [tap for row in one.taps for tap in row]
    if flat != list(range(weight.shape[dim])):
        weight = call.add(Gather(dim), weight, call.constant(torch.tensor(flat)))
    return call.reshape(weight, shape)


def _phases(taps: int, stride: int, padding: int, dilation: int) -> tuple[_Phases, ...]:
    """The phases of a dimension in order, neighbours that are reached alike together."""
    alike: list[tuple[tuple[int, int], list[list[int]]]] = []
    for phase in range(stride):
        reaching = [t for t in range(taps) if (phase + padding - t * dilation) % stride == 0][::-1]
        first = (phase + padding - reaching[0] * dilation) // stride if reaching else 0
        if not alike or alike[-1][0] != (len(reaching), first):
            alike.append(((len(reaching), first), []))
        alike[-1][1].append(reaching)
    step = dilation // gcd(dilation, stride)
    return tuple(
        _Phases(tuple(zip(*members, strict=True)), len(members), first, step) for (_, first), members in alike
    )
