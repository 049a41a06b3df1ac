"""Each invariant of a program, broken once; and a text that was cut off is no program."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.wafer.compiling import compile_for
from tests.wafer.models import mlp
from wsc.backends.wafer.program import Program
from wsc.backends.wafer.target import TARGET
from wsc.backends.wafer.text import print_program
from wsc.backends.wafer.verify import verify
from wsc.compiler.errors import VerificationError


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_for("wafer-8x8", mlp(8)).program


def first(program: Program, **changes: object) -> Program:
    """The program with its first kernel changed."""
    kernel, *rest = program.kernels
    return replace(program, kernels=(replace(kernel, **changes), *rest))  # type: ignore[arg-type]


def stream(program: Program, number: int, **changes: object) -> Program:
    changed = [replace(s, **changes) if i == number else s for i, s in enumerate(program.streams)]  # type: ignore[arg-type]
    return replace(program, streams=tuple(changed))


BROKEN: dict[str, tuple[Callable[[Program], Program], str]] = {
    "kernel twice": (lambda p: replace(p, kernels=(*p.kernels, p.kernels[0])), "two kernels are called"),
    "stream twice": (lambda p: replace(p, streams=(*p.streams, p.streams[0])), "two streams are called"),
    "buffer twice": (lambda p: first(p, buffers=p.kernels[0].buffers * 2), "two buffers of kernel"),
    "outside": (lambda p: first(p, x=p.width), "leaves the fabric"),
    "overlap": (
        lambda p: replace(p, kernels=tuple(replace(k, x=0, y=0) for k in p.kernels)),
        "lie on the same cores",
    ),
    "no writer": (lambda p: first(p, body=p.kernels[0].body[1:]), "is read before it is written"),
    "written twice": (lambda p: first(p, body=p.kernels[0].body[:1] + p.kernels[0].body), "is written twice"),
    "never written": (lambda p: first(p, body=p.kernels[0].body[:1]), "nothing writes"),
    "no stream": (lambda p: replace(p, streams=p.streams[1:]), "no stream"),
    "no buffer": (
        lambda p: stream(p, 0, target=replace(p.streams[0].target, buffer="nowhere")),
        "there is no %nowhere",
    ),
    "no chunks": (
        lambda p: stream(p, 0, target=replace(p.streams[0].target, chunks=7)),
        "has no 7 equal chunks",
    ),
    "no output": (
        lambda p: replace(p, outputs=(*p.outputs, ("more", p.outputs[0][1]))),
        "brings output 'more'",
    ),
}


def test_a_compiled_program_holds(program: Program) -> None:
    verify(program)


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_program_is_refused(program: Program, fault: str) -> None:
    change, message = BROKEN[fault]
    with pytest.raises(VerificationError, match=message):
        verify(change(program))


def test_a_text_that_was_cut_off_is_refused(program: Program) -> None:
    lines = print_program(program).splitlines()
    ends = [i for i, line in enumerate(lines) if line == "end"]
    with pytest.raises(VerificationError):
        TARGET.parse("\n".join(lines[: ends[0] + 1]) + "\n")
