"""Programs that break an invariant are refused, each with what is wrong."""

import pytest

from tests.gpu_cluster.programs import program, reduced, streamed
from wsc.backends.gpu_cluster.instructions import (
    Alloc,
    Call,
    Free,
    Instruction,
    Launch,
    Recv,
    Repeat,
    Send,
    Step,
    Wait,
)
from wsc.backends.gpu_cluster.kernels import Pointwise
from wsc.backends.gpu_cluster.program import Block, RankClass
from wsc.backends.gpu_cluster.verify import verify
from wsc.compiler.errors import VerificationError
from wsc.compiler.ops import Elementwise

BODIES: dict[str, tuple[tuple[Instruction, ...], str]] = {
    "axis": ((reduced(1, "nowhere"),), "over no axes of the mesh"),
    "order": ((reduced(1, "tensor", "stage"),), "over no axes of the mesh, in its order"),
    "no_axes": ((reduced(1),), "over no axes of the mesh"),
    "message": ((Send("x", "nowhere", 1, 8),), "along no axis of the mesh"),
    "call": ((Call("nothing"),), "calls no block before it"),
    "turns": ((Call("block", 0),), "takes no turns"),
    "repeat": ((Repeat(0, (streamed(1),)),), "a repeat takes at least one turn"),
    "event": ((Wait(("never",)),), "waits for 'never', which nothing sets"),
    "free": ((Alloc("a", 8), Free("a"), Free("a")), "'a' is freed, and not taken before"),
    "late": (
        (Launch(Pointwise(4, 4), "k", (Step("y", Elementwise("relu"), ("x",)),)),),
        "%x is read before it is filled",
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_wrong(name: str) -> None:
    body, said = BODIES[name]
    blocks = (Block("block", (streamed(1),)),)
    with pytest.raises(VerificationError) as caught:
        verify(program({"stage": 2, "tensor": 4}, body, blocks=blocks))
    assert said in str(caught.value)


BLOCKS = {
    "twice": ((Block("a", ()), Block("a", ())), "two blocks are called 'a'"),
    "message": ((Block("a", (Recv("x", "stage", 1, 8),)),), "block 'a' holds a message"),
    "later": ((Block("a", (Call("b"),)), Block("b", ())), "calls no block before it"),
    "memory": ((Block("a", (Alloc("m", 8),)),), "block 'a' leaves 'm' taken"),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_that_is_wrong(name: str) -> None:
    blocks, said = BLOCKS[name]
    with pytest.raises(VerificationError) as caught:
        verify(program({"stage": 2}, (), blocks=blocks))
    assert said in str(caught.value)


def test_every_rank_is_of_one_class() -> None:
    whole = program({"stage": 2, "tensor": 4}, (), ())
    verify(whole)
    for classes in (
        whole.classes[:1],
        whole.classes * 2,
        (RankClass((("stage", 2),), ()),),
        (RankClass((), ()),) * 2,
    ):
        with pytest.raises(VerificationError):
            verify(type(whole)(**{**whole.__dict__, "classes": classes}))
