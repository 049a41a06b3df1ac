"""The programs of PUMA's compiler (its folder test/), by their names and sizes: chains of layers and cells of LSTMs.

`program("mlp_l4 1024-1024-2048-1024-10")`, `program("nmt_l3")`, `program("lstm 1024-2048-1024")`. Letters are compared
without case and signs between; sizes are whatever numbers follow. One step of time: states come in and go out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from benchmarks.cim_networks import NETWORKS, mlp, network

Made = tuple[nn.Module, tuple[Tensor, ...]]


class Cell(nn.Module):
    """One step of an LSTM: gates in one matrix by the input and one by the state before."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.by_input, self.by_state = (
            nn.Linear(inputs, 4 * hidden),
            nn.Linear(hidden, 4 * hidden, bias=False),
        )

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, o, g = (self.by_input(x) + self.by_state(h)).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class LstmLayer(nn.Module):
    """What PUMA calls a layer: two cells, one after the other, and a linear output."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = Cell(inputs, hidden), Cell(hidden, hidden)
        self.out = nn.Linear(hidden, outputs, bias=False)

    def forward(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        h1, c1 = self.first(x, *states[:2])
        h2, c2 = self.second(h1, *states[2:])
        return self.out(h2), [h1, c1, h2, c2]


class Recurrent(nn.Module):
    """A chain of LSTM layers with linear heads: `heads` by the number of the layer that each reads."""

    def __init__(self, layers: Sequence[tuple[int, int, int]], heads: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(LstmLayer(*sizes) for sizes in layers)
        self.reads = [number for number, _ in heads]
        self.heads = nn.ModuleList(nn.Linear(layers[n][2], outputs) for n, outputs in heads)

    def forward(self, x: Tensor, *states: Tensor) -> list[Tensor]:
        outputs, kept = [], []
        for number, layer in enumerate(self.layers):
            x, after = layer(x, states[4 * number : 4 * number + 4])
            outputs.append(x)
            kept += after
        read = [head(outputs[n]) for n, head in zip(self.reads, self.heads, strict=True)] or outputs[-1:]
        return [*read, *kept]


class Elman(nn.Module):
    """One step of a plain recurrent layer and its output."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.by_input, self.by_state = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden, bias=False)
        self.out = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.by_input(x) + self.by_state(h))
        return self.out(h), h


def recurrent(layers: Sequence[tuple[int, int, int]], heads: Sequence[tuple[int, int]] = ()) -> Made:
    states = [torch.zeros(1, hidden) for _, hidden, _ in layers for _ in range(4)]
    return Recurrent(layers, heads), (torch.zeros(1, layers[0][0]), *states)


def _three(sizes: Sequence[int]) -> tuple[int, int, int]:
    """Input, hidden and output sizes of one, two or three numbers; PUMA's own where there are none."""
    given = tuple(sizes) or (1024,)
    inputs, hidden, outputs, *_ = (*given, *given[-1:] * 2)
    return inputs, hidden, outputs


def _lstm(sizes: Sequence[int]) -> Made:
    return recurrent([_three(sizes)])


def _rnn(sizes: Sequence[int]) -> Made:
    inputs, hidden, outputs = _three(sizes)
    return Elman(inputs, hidden, outputs), (torch.zeros(1, inputs), torch.zeros(1, hidden))


def _nmt(count: int) -> Callable[[Sequence[int]], Made]:
    def made(sizes: Sequence[int]) -> Made:
        inputs, hidden, outputs = _three(sizes)
        layers = [(inputs, hidden, outputs), *[(outputs, hidden, outputs)] * (count - 1)]
        return recurrent(layers, [(count - 1, 40000)])

    return made


def _chain(default: Sequence[int]) -> Callable[[Sequence[int]], Made]:
    return lambda sizes: mlp(tuple(sizes) if len(sizes) > 1 else tuple(default))


PROGRAMS: dict[str, Callable[[Sequence[int]], Made]] = {
    "fc": _chain((1024, 1024)),
    "fullyconnectedlayer": _chain((1024, 1024)),
    "mlp": _chain((1024, 1024)),
    "mlpl4": _chain((1024, 1024, 2048, 1024, 10)),
    "mlpl5": _chain((1024, 2048, 3072, 3072, 1024, 10)),
    "lstm": _lstm,
    "lstmlayer": _lstm,
    "widelstm": _lstm,
    "rnn": _rnn,
    "rnnlayer": _rnn,
    "nmtl3": _nmt(6),
    "nmtl5": _nmt(10),
    "wlmbiglstm": lambda _: recurrent([(8192, 8192, 8192)] * 2, [(0, 1024), (1, 1024)]),
    "biglstm": lambda _: recurrent([(8192, 8192, 8192)] * 2, [(0, 1024), (1, 1024)]),
    "wlmlstm2048": lambda _: recurrent([(8192, 8192, 8192)], [(0, 2048)]),
    "lstm2048": lambda _: recurrent([(8192, 8192, 8192)], [(0, 2048)]),
}


def program(text: str) -> Made | None:
    """A program of this name and these sizes with weights on the meta device; None for one that there is not."""
    name, sizes = parsed(text)
    with torch.device("meta"):
        if name in PROGRAMS:
            return PROGRAMS[name](sizes)
        return network(name) if name in NETWORKS else None


def parsed(text: str) -> tuple[str, tuple[int, ...]]:
    """The name in small letters without signs, and the numbers after it."""
    words = text.replace(",", " ").split()
    numbers = [word for word in words if re.fullmatch(r"\d+([x*-]\d+)*", word)]
    name = "".join(re.sub(r"[^a-z0-9]", "", word.lower()) for word in words if word not in numbers)
    return name, tuple(int(n) for word in numbers for n in re.split(r"[x*-]", word))
