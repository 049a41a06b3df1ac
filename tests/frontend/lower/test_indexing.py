"""Reading and replacing at places given by tensors."""

import pytest
import torch
from torch import nn

from wsc.compiler.errors import UnsupportedModel

X = torch.arange(60.0).reshape(3, 4, 5)
I = torch.tensor([2, 0, 1])  # noqa: E741
J = torch.tensor([[0, 3], [-1, 2]])

READS = {
    "embedding": lambda x, i, j: torch.nn.functional.embedding(j % 4, x[0]),
    "gather": lambda x, i, j: x.gather(1, i[None, None].expand(3, 2, 3)),
    "gather_last": lambda x, i, j: x.gather(-1, i[None, None].expand(3, 4, 3)),
    "index_select": lambda x, i, j: (x.index_select(0, i), x.index_select(-1, i)),
    "index": lambda x, i, j: (x[i], x[:, j], x[:, :, i]),
    "index_pair": lambda x, i, j: x[i[:2], j],
    "index_pair_behind": lambda x, i, j: x[:, j, i[:2]],
    "index_pair_apart": lambda x, i, j: x[i[:2], :, j],
    "index_constants": lambda x, i, j: x[torch.arange(3), torch.tensor([-1, 0, 1])],
    "take_along": lambda x, i, j: torch.take_along_dim(x, x.argsort(1), 1),
}
WRITES = {
    "copy": lambda x, i, j: x.clone().copy_(x[0]),
    "index_copy": lambda x, i, j: x.index_copy(1, i, x[:, :3] * 2),
    "index_put": lambda x, i, j: x.index_put((i,), x[0] * 2),
    "index_put_pair": lambda x, i, j: x.index_put((i, i), x[0, :3] * 2),
    "index_put_mask": lambda x, i, j: x.index_put((x > 7,), torch.tensor(-1.0)),
    "index_put_number": lambda x, i, j: _set(x, (slice(None), i), 5.0),
    "masked_scatter": lambda x, i, j: x.masked_scatter(x % 7 > 3, x.flip(0)),
    "masked_scatter_rows": lambda x, i, j: x.masked_scatter(x[..., :1] % 3 > 0, x.flip(0)),
    "scatter": lambda x, i, j: x.scatter(1, i[None, :, None].expand(3, 3, 5), -1.0),
    "scatter_source": lambda x, i, j: x.scatter(2, i[None, None].expand(3, 4, 3), x * 3),
    "select_scatter": lambda x, i, j: _set(x, (slice(None), 1), x[:, 2] * 2),
    "slice_scatter": lambda x, i, j: _set(x, (slice(None), slice(1, 4, 2)), x[:, :2] * 2),
    "slice_scatter_all": lambda x, i, j: _set(x, slice(None), x * 2),
}


def _set(x, places, values):
    x = x.clone()
    x[places] = values
    return x


def test_reads(check_each):
    check_each(READS, X, I, J)


def test_writes(check_each):
    check_each(WRITES, X, I, J)


def test_a_check_at_run_time_is_not_computed(check):
    def checked(x, mask):
        torch._check_tensor_all(x[:, :1].sum() > -1)
        return x.masked_scatter(mask, x * 2)

    graph = check(checked, X, X > 3)
    assert "reduce" not in {node.op.kind for node in graph}


def test_embedding_module(check, text):
    graph = check(nn.Embedding(7, 4, padding_idx=0), J.abs())
    assert text(graph) == (
        'graph "test" version 1\n'
        "%input = input(index=0) : i64[2,2]\n"
        "%weight = parameter(key='weight') : f32[7,4]\n"
        "%embedding = gather(dim=0, batch=0) %weight %input : f32[2,2,4]\n"
        "return %embedding\n"
    )


def test_nothing_is_replaced(check):
    """As by a loop over parts of which one is empty; what has no elements is read and changed like all else."""

    def change(x):
        y, nothing = x.clone(), x[:, :0].clone()
        y[:, 0:0] = nothing
        nothing[:, :0, 1:3] = 1.0
        return torch.cat([y, nothing], 1), nothing.sum(1)

    graph = check(change, X)
    assert "update" not in {node.op.kind for node in graph}


REFUSED = {
    "depends on the values": lambda x, i: x[x > 3],
    "not next to each other": lambda x, i: _set(x, (i, slice(None), i), 0.0),
    "keep values in tensors": lambda x, i: x[i[0]],
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refused(check, reason):
    with pytest.raises(UnsupportedModel, match=reason):
        check(REFUSED[reason], X[:, :3], I)
