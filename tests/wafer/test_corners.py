"""Ops at the corners of what they may be, cut in every way: each was wrong once, or nearly."""

import numpy as np
import pytest

from tests.compiler.graphs import model
from tests.wafer.compiling import assert_near, check_numbers, compile_for
from tests.wafer.forcing import build, chunkings, cuttings, force, only_kernel
from tests.wafer.samples import Sample, f32, i64, typed
from wsc.backends.wafer.cutting import AxisCut, Chunking, Cutting
from wsc.backends.wafer.execute import execute
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.model import Model
from wsc.compiler.ir.types import DType
from wsc.compiler.ops import Attention, Contract, Elementwise, Gather, Norm, Pool, Reduce, Softmax
from wsc.compiler.ops.base import Array

CONV1D = "ncl,ock->nol"
CORNERS = {
    # past the end of a ragged tile lies nothing: no zero that would be the largest, or the smallest
    "largest of negative integers": (Sample(Reduce("max", (0,)), (i64(7, 5),)), {}, -9),
    "smallest of positive integers": (Sample(Reduce("min", (0, 1)), (i64(7, 5),)), {}, 9),
    "smallest truth value": (Sample(Reduce("min", (1,)), (typed(DType.BOOL, 7, 5),)), {}, 1),
    "largest of negative numbers": (Sample(Reduce("max", (1,)), (f32(3, 7),)), {}, -9),
    # nor in the padding of a pool, also where no tile needs its neighbour
    "pool with padding behind": (Sample(Pool("max", ((0, 2, 2, 1, 0, 1),)), (f32(7),)), {}, -9),
    "pool of single elements": (Sample(Pool("max", ((0, 1, 1, 1, 0, 2),)), (f32(5),)), {}, -9),
    "pool over two dimensions": (
        Sample(Pool("max", ((0, 3, 2, 1, 1, 1), (1, 2, 2, 1, 0, 1))), (f32(9, 7),)),
        {},
        -9,
    ),
    # windows that lie in the padding alone
    "padding wider than the kernel": (
        Sample(Contract(CONV1D, (("l", "k", 1, 1, 3, 2),)), (f32(1, 2, 6), f32(2, 2, 2))),
        {1},
        0,
    ),
    "steps longer than the kernel": (
        Sample(Contract(CONV1D, (("l", "k", 3, 1, 0, 1),)), (f32(1, 2, 10), f32(2, 2, 1))),
        {1},
        0,
    ),
    "dilation and uneven padding": (
        Sample(Contract(CONV1D, (("l", "k", 2, 3, 4, 1),)), (f32(1, 2, 14), f32(2, 2, 3))),
        {1},
        0,
    ),
    "an image that is a weight": (
        Sample(Contract(CONV1D, (("l", "k", 1, 1, 1, 1),)), (f32(1, 2, 9), f32(3, 2, 3))),
        {0},
        0,
    ),
    # results of one element, or one dimension
    "a scalar product": (Sample(Contract("k,k->"), (f32(9), f32(9))), {1}, 0),
    "sums along two axes": (Sample(Contract("kla,klb->ab"), (f32(5, 7, 3), f32(5, 7, 2))), {1}, 0),
    "sums along two axes of one number": (Sample(Contract("kl,kl->"), (f32(5, 7), f32(5, 7))), {}, 0),
    "a norm over all dimensions": (Sample(Norm("layer", (0, 1, 2), 1e-3), (f32(3, 5, 4),)), {}, 0),
    "a softmax over the first": (Sample(Softmax(0, log=True), (f32(11, 3),)), {}, 0),
    "a mean over chunks' other dimensions": (Sample(Reduce("mean", (1, 2)), (f32(12, 5, 3),)), {}, 0),
    # attention: positions, queries that keep no key, shared keys, one feature
    "causal": (Sample(Attention(0.5, causal=True), (f32(4, 7, 3), f32(4, 7, 3), f32(4, 7, 3))), {}, 0),
    "one feature": (Sample(Attention(0.5), (f32(8, 2), f32(9, 2), f32(9, 1))), {}, 0),
    "shared keys and a mask": (
        Sample(
            Attention(0.5),
            (f32(2, 3, 8, 4), f32(2, 1, 9, 4), f32(2, 1, 9, 5), typed(DType.F32, 1, 3, 8, 9)),
        ),
        {3},
        0,
    ),
    # a table whose rows lie on many cores, asked for one row
    "one row of a table": (Sample(Gather(), (f32(13, 4), i64()), high=13), {0}, 0),
    "a table of integers": (Sample(Gather(), (i64(13, 4), i64(6)), high=13), {0}, 0),
    "an operand that is its own other half": (Sample(Contract("ak,bk->ab"), (f32(6, 5), f32(6, 5))), {}, 0),
    "a batch in chunks, with weights in chunks": (
        Sample(Contract("gk,gkn->gn"), (f32(12, 5), f32(12, 5, 4))),
        {1},
        0,
    ),
}


def check(made: Model, inputs: list[Array], seed: int) -> None:
    expected = interpret(made.graph, inputs, made.weights)
    legal, kernel = only_kernel(made)
    for chunking in chunkings(kernel):
        for cutting in cuttings(kernel, np.random.default_rng(seed), chunking):
            (actual,) = execute(force(legal, kernel, cutting), legal.weights, inputs)
            assert_near(actual, expected[0])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", sorted(CORNERS))
def test_a_corner_computes_what_it_means_however_it_is_cut(name: str, seed: int) -> None:
    sample, weights, shift = CORNERS[name]
    made, inputs = build(sample, weights, "", seed)
    if shift:  # away from zero: all of one sign
        inputs = [x if x.dtype == bool else np.asarray(x + shift, x.dtype) for x in inputs]
    inputs = [np.ones_like(x) if shift and x.dtype == bool else x for x in inputs]
    check(made, inputs, seed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weights", [set(), {3}])
def test_a_query_that_keeps_no_key_gives_zero(weights: set[int], seed: int) -> None:
    types = (f32(2, 6, 3), f32(2, 9, 3), f32(2, 9, 4), typed(DType.BOOL, 1, 6, 9))
    made, inputs = build(Sample(Attention(0.5), types), weights, "", seed)
    mask = next(iter(made.weights.values())) if weights else inputs[3]
    mask[:, 1], mask[:, 4] = False, False
    assert not interpret(made.graph, inputs, made.weights)[0][:, 4].any()
    check(made, inputs, seed)


def test_a_row_of_minus_infinities_gives_no_number() -> None:
    """As in PyTorch: a softmax of nothing is none."""
    made, inputs = build(Sample(Softmax(1), (f32(4, 6),)))
    inputs[0][2] = -np.inf
    check(made, inputs, 0)


def test_one_tensor_in_every_operand() -> None:
    made = model(
        "%x = input(index=0) : f32[6,8]",
        "%a = attention(scale=0.5) %x %x %x : f32[6,8]",
        "%p = contract(equation='ak,bk->ab') %a %a : f32[6,6]",
        "%s = elementwise(fn='add', scalars=(None, None)) %p %p : f32[6,6]",
        "%c = concat(dim=0) %s %s %p : f32[18,6]",
        "return %c",
    )
    check_numbers(compile_for("wafer-8x8", made))


def test_what_is_scattered_meets_what_is_put_together() -> None:
    made = model(
        "%x = input(index=0) : f32[5,40]",
        "%u = input(index=1) : f32[5,6]",
        "%v = input(index=2) : f32[5,6]",
        "%w = parameter(key='w') : f32[12,40]",
        "%y = contract(equation='ak,nk->an') %x %w : f32[5,12]",
        "%a = elementwise(fn='relu') %u : f32[5,6]",
        "%b = elementwise(fn='relu') %v : f32[5,6]",
        "%c = concat(dim=1) %a %b : f32[5,12]",
        "%z = elementwise(fn='add', scalars=(None, None)) %c %y : f32[5,12]",
        "return %z",
    )
    for machine in ("wafer-4x4", "wafer-8x8", "wafer-16x16"):
        check_numbers(compile_for(machine, made))


def test_no_cut_and_cuts_of_one_part_are_the_same() -> None:
    made, inputs = build(Sample(Elementwise("exp"), (f32(3, 4),)))
    legal, kernel = only_kernel(made)
    one = Cutting((AxisCut(0, 3, 1, "x"), AxisCut(1, 4, 1, "y")), Chunking())
    for cutting in (Cutting((), Chunking()), one):
        program = force(legal, kernel, cutting)
        assert (program.kernels[0].width, program.kernels[0].height) == (1, 1)
        np.testing.assert_array_equal(execute(program, {}, inputs)[0], np.exp(inputs[0]))
