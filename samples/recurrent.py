"""A language model of a recurrent cell written out: LSTM (Hochreiter and Schmidhuber, 1997) or GRU (Cho et al., 2014).

wsc compile samples/recurrent.py
wsc compile samples/recurrent.py -D cell=gru -D seq=4
"""

import torch
from torch import Tensor, nn


class LSTMCell(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gates = nn.Linear(2 * dim, 4 * dim)

    def forward(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden, memory = state
        i, f, g, o = self.gates(torch.cat((x, hidden), dim=-1)).chunk(4, dim=-1)
        memory = f.sigmoid() * memory + i.sigmoid() * g.tanh()
        return o.sigmoid() * memory.tanh(), memory


class GRUCell(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gates = nn.Linear(2 * dim, 2 * dim)
        self.candidate = nn.Linear(2 * dim, dim)

    def forward(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (hidden,) = state
        reset, update = self.gates(torch.cat((x, hidden), dim=-1)).sigmoid().chunk(2, dim=-1)
        candidate = self.candidate(torch.cat((x, reset * hidden), dim=-1)).tanh()
        return (update * hidden + (1 - update) * candidate,)


CELLS = {"lstm": (LSTMCell, 2), "gru": (GRUCell, 1)}


class Recurrent(nn.Module):
    def __init__(self, cell: str, layers: int, dim: int, vocab: int) -> None:
        super().__init__()
        kind, self.states = CELLS[cell]
        self.embed = nn.Embedding(vocab, dim)
        self.cells = nn.ModuleList(kind(dim) for _ in range(layers))
        self.head = nn.Linear(dim, vocab)

    def forward(self, tokens: Tensor) -> Tensor:
        steps = self.embed(tokens).unbind(dim=1)
        for cell in self.cells:
            state = (torch.zeros_like(steps[0]),) * self.states
            found = []
            for step in steps:
                state = cell(step, state)
                found.append(state[0])
            steps = tuple(found)
        return self.head(steps[-1])


def model(cell: str = "lstm", layers: int = 2, dim: int = 128, vocab: int = 256) -> nn.Module:
    return Recurrent(cell, layers, dim, vocab)


def example_inputs(batch: int = 4, seq: int = 6, vocab: int = 256) -> tuple[Tensor, ...]:
    return (torch.randint(vocab, (batch, seq)),)
