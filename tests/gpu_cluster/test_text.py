"""Programs as text: golden, and read back equal."""

from pathlib import Path

import pytest

from tests.compiler.golden import check
from tests.gpu_cluster.programs import TINY, cluster
from wsc.backends.gpu_cluster.kernels import Precision
from wsc.backends.gpu_cluster.program import Program
from wsc.backends.gpu_cluster.text import parse_program, print_program
from wsc.backends.gpu_cluster.transformer.serving import Serving, serving_program
from wsc.backends.gpu_cluster.transformer.shape import Parallelism
from wsc.backends.gpu_cluster.transformer.training import training_program
from wsc.backends.gpu_cluster.verify import verify
from wsc.compiler.errors import VerificationError

GOLDEN = Path(__file__).parent / "golden"


def pipeline() -> Program:
    plan = Parallelism(data=2, tensor=2, pipeline=2, global_batch=16, shard=1)
    return training_program(TINY, plan, cluster())


def sharded() -> Program:
    return training_program(TINY, Parallelism(data=8, shard=3, global_batch=16), cluster())


def decode() -> Program:
    return serving_program(TINY, Serving("decode", 4, 64, tensor=2, precision=Precision.FP8), cluster())


PROGRAMS = {make.__name__: make for make in (pipeline, sharded, decode)}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_text_is_as_agreed(name: str) -> None:
    check(str(GOLDEN / f"{name}.txt"), print_program(PROGRAMS[name]()))


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_text_reads_back(name: str) -> None:
    program = PROGRAMS[name]()
    verify(program)
    assert parse_program(print_program(program)) == program


BROKEN = {
    "header": ("gpu program", "cpu program", "line 1: cannot read"),
    "version": ("version 1", "version 9", "line 1: version 9, this wsc reads version 1"),
    "mesh": ("mesh ", "mash ", "line 2: expected the mesh"),
    "kernel": ("gemm(m=", "germ(m=", "'germ'"),
    "field": ("gemm(m=", "gemm(x=", "unexpected keyword argument 'x'"),
    "code": ("gemm(m=", "gemm(m=print(1), n=", "malformed node or string"),
    "end": ("\nend\nranks", "\nranks", "invalid syntax"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_text_is_refused_with_its_line(name: str) -> None:
    old, new, said = BROKEN[name]
    text = print_program(pipeline())
    assert old in text
    with pytest.raises(VerificationError, match=r"^program, line \d+: ") as caught:
        parse_program(text.replace(old, new, 1))
    assert said in str(caught.value)
