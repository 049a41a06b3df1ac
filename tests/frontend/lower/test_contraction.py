"""Products of matrices, and their equations."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wsc.compiler.ops import Contract


def equations(graph):
    return [node.op.equation for node in graph if isinstance(node.op, Contract)]


def test_linear(check, text):
    graph = check(nn.Linear(4, 3), torch.randn(2, 4))
    assert text(graph) == (
        'graph "test" version 1\n'
        "%input = input(index=0) : f32[2,4]\n"
        "%weight = parameter(key='weight') : f32[3,4]\n"
        "%linear.contract = contract(equation='ak,nk->an', windows=()) %input %weight : f32[2,3]\n"
        "%bias = parameter(key='bias') : f32[3]\n"
        "%linear.reshape = reshape(shape=(1, 3), batch=0) %bias : f32[1,3]\n"
        "%linear = elementwise(fn='add', scalars=(None, None)) %linear.contract %linear.reshape : f32[2,3]\n"
        "return %linear\n"
    )


def test_linear_of_any_rank(check):
    linear = nn.Linear(4, 3)
    shapes = [(4,), (2, 4), (2, 3, 4), (2, 1, 3, 4)]
    check(lambda *tensors: [linear(x) for x in tensors], *(torch.randn(shape) for shape in shapes))


def test_linear_in_bfloat16(check):
    check(nn.Linear(64, 32).bfloat16(), torch.randn(2, 64).bfloat16(), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize(
    ("left", "right", "equation"),
    [
        ((2, 3), (3, 4), "mk,kn->mn"),
        ((5, 2, 3), (5, 3, 4), "amk,akn->amn"),
        ((5, 2, 3), (3, 4), None),  # torch folds the batch into the rows
        ((1, 6, 2, 3), (1, 6, 3, 4), "abmk,abkn->abmn"),
        ((5, 1, 2, 3), (6, 3, 4), "amk,bkn->abmn"),
        ((1, 2, 3), (5, 3, 4), "mk,akn->amn"),
        ((3,), (3, 4), "k,kn->n"),
        ((2, 3), (3,), "mk,k->m"),
        ((3,), (3,), "k,k->"),
        ((3,), (5, 3, 4), "k,akn->an"),
        ((5, 6, 2, 3), (3,), None),
    ],
)
def test_matmul(check, left, right, equation):
    graph = check(torch.matmul, torch.randn(left), torch.randn(right))
    assert equation is None or equations(graph) == [equation]


lead = st.lists(st.sampled_from([1, 2]), max_size=3)


@settings(max_examples=3)
@given(pairs=st.lists(st.tuples(lead, lead), min_size=8, max_size=8))
def test_matmul_broadcasts(check, pairs):
    def function(*tensors):
        return [x @ y for x, y in zip(tensors[::2], tensors[1::2], strict=True)]

    check(function, *(torch.randn(*shape, 4, 4) for pair in pairs for shape in pair))


def test_other_products(check_each):
    x, y, b = torch.randn(2, 3, 4), torch.randn(2, 4, 5), torch.randn(2, 3, 5)
    functions = {
        "baddbmm": lambda x, y, b: torch.baddbmm(b, x, y),
        "addmm": lambda x, y, b: torch.addmm(b[0], x[0], y[0], beta=0.5, alpha=2),
        "einsum": lambda x, y, b: torch.einsum("bij,bjk->bik", x, y),
        "einsum_sum": lambda x, y, b: torch.einsum("bij,bjk->ik", x, y),
        "outer": lambda x, y, b: torch.outer(x[0, 0], y[0, 0]),
    }
    check_each(functions, x, y, b)


def test_products_of_integers_are_summed_in_32_bits(check):
    x, y = (torch.randint(-128, 128, shape, dtype=torch.int8) for shape in ((4, 400), (400, 3)))
    check(lambda x, y: torch._int_mm(x, y), x, y)
