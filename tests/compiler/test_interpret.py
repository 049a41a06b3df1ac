"""The reference interpreter against torch, and what it refuses."""

import networkx as nx
import numpy as np
import pytest
import torch

from tests.compiler import golden
from tests.compiler.arrays import assert_close, draw, to_torch
from tests.compiler.graphs import graph, model
from wsc.compiler.errors import InputMismatch
from wsc.compiler.ir.graph import Graph
from wsc.compiler.ir.interpret import check_inputs, interpret
from wsc.compiler.ir.types import DType, TensorType, type_of
from wsc.compiler.ops.base import Array

BLOCK = (  # a transformer block of width 8 with two heads, by hand
    "%x = input(index=0) : f32[2,5,8]",
    "%g = parameter(key='norm.weight') : f32[1,1,8]",
    "%wq = parameter(key='q') : f32[8,8]",
    "%wk = parameter(key='k') : f32[8,8]",
    "%wv = parameter(key='v') : f32[8,8]",
    "%wo = parameter(key='o') : f32[8,8]",
    "%n = norm(form='layer', dims=(2,), eps=1e-05) %x : f32[2,5,8]",
    "%y = elementwise(fn='mul', scalars=(None, None)) %n %g : f32[2,5,8]",
    "%q = contract(equation='bsk,nk->bsn') %y %wq : f32[2,5,8]",
    "%k = contract(equation='bsk,nk->bsn') %y %wk : f32[2,5,8]",
    "%v = contract(equation='bsk,nk->bsn') %y %wv : f32[2,5,8]",
    "%q4 = reshape(shape=(2,5,2,4)) %q : f32[2,5,2,4]",
    "%k4 = reshape(shape=(2,5,2,4)) %k : f32[2,5,2,4]",
    "%v4 = reshape(shape=(2,5,2,4)) %v : f32[2,5,2,4]",
    "%qh = permute(order=(0,2,1,3)) %q4 : f32[2,2,5,4]",
    "%kh = permute(order=(0,2,1,3)) %k4 : f32[2,2,5,4]",
    "%vh = permute(order=(0,2,1,3)) %v4 : f32[2,2,5,4]",
    "%a = attention(scale=0.5, causal=True) %qh %kh %vh : f32[2,2,5,4]",
    "%ah = permute(order=(0,2,1,3)) %a : f32[2,5,2,4]",
    "%ar = reshape(shape=(2,5,8)) %ah : f32[2,5,8]",
    "%o = contract(equation='bsk,nk->bsn') %ar %wo : f32[2,5,8]",
    "%r = elementwise(fn='add', scalars=(None, None)) %x %o : f32[2,5,8]",
    "return %r %a",
)


def block_in_torch(x: torch.Tensor, w: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    y = torch.nn.functional.layer_norm(x, (8,)) * w["norm.weight"]
    q, k, v = ((y @ w[name].T).unflatten(2, (2, 4)).transpose(1, 2) for name in "qkv")
    a = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    return x + a.transpose(1, 2).flatten(2) @ w["o"].T, a


def test_a_block_computes_what_torch_computes() -> None:
    made = model(*BLOCK)
    x = draw(made.graph["x"].type, np.random.default_rng(3))
    found = interpret(made.graph, [x], made.weights)
    expected = block_in_torch(to_torch(x), {key: to_torch(array) for key, array in made.weights.items()})
    for actual, wanted in zip(found, expected, strict=True):
        assert_close(actual, wanted.numpy())


def test_a_value_may_be_read_and_returned_twice() -> None:
    made = graph(
        "%b = input(index=1) : f32[2]",
        "%a = input(index=0) : f32[2]",
        "%s = elementwise(fn='sub', scalars=(None, None)) %a %b : f32[2]",
        "%d = elementwise(fn='add', scalars=(None, None)) %s %s : f32[2]",
        "return %s %d %s %a",
    )
    a, b = np.array([1, 2], np.float32), np.array([5, 7], np.float32)
    assert [node.name for node in made.inputs] == ["a", "b"]
    results = interpret(made, [a, b], {})
    assert [array.tolist() for array in results] == [[-4, -5], [-8, -10], [-4, -5], [1, 2]]


def test_inputs_that_do_not_fit_are_refused() -> None:
    made = graph("%x = input(index=0) : f32[2,3]", "%i = input(index=1) : i64[2]", "return %x", name="net")
    x, i = np.zeros((2, 3), np.float32), np.zeros(2, np.int64)
    check_inputs(made, [x, i])
    messages = []
    wrongs: list[list[Array]] = [
        [x],
        [x, i, i],
        [x.T, i],
        [x, i.astype(np.int32)],
        [x.astype(np.complex64), i],
    ]
    for wrong in wrongs:
        with pytest.raises(InputMismatch) as caught:
            check_inputs(made, wrong)
        messages.append(f"{caught.value}\n")
    golden.check("input_errors.txt", "".join(messages))


@pytest.mark.parametrize("dtype", list(DType))
def test_types_and_arrays_agree(dtype: DType) -> None:
    type = TensorType(dtype, (2, 0, 3))
    array = np.zeros(type.shape, dtype.numpy)
    assert type_of(array) == type
    assert (type.rank, type.elements, type.bytes, dtype.bytes) == (3, 0, array.nbytes, array.itemsize)
    assert TensorType.parse(str(type)) == type
    assert dtype.is_float + dtype.is_integer + (dtype is DType.BOOL) == 1


def test_a_type_refuses_a_negative_extent() -> None:
    with pytest.raises(ValueError, match=r"negative extent in shape \(2, -1\)"):
        TensorType(DType.F32, (2, -1))


def test_networkx_view_is_a_dag_of_the_same_size() -> None:
    made = graph(*BLOCK)
    view = made.to_networkx()
    assert nx.is_directed_acyclic_graph(view)
    assert list(view) == [node.name for node in made]
    assert set(view.edges) == {(name, node.name) for node in made for name in node.inputs}
    assert view.nodes["a"] == {"kind": "attention", "type": "f32[2,2,5,4]", "location": "unknown place"}


def test_users_are_listed_once_and_in_order() -> None:
    made = graph(*BLOCK)
    assert [user.name for user in made.users["y"]] == ["q", "k", "v"]
    assert "y" in made
    assert "z" not in made
    assert isinstance(made, Graph)
    assert [node.name for node in made.weights] == ["g", "wq", "wk", "wv", "wo"]
